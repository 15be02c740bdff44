// Package swedish is the Swedish income condition from 2025-10-01 (domain B.12). The policies name no Swedish income register, so the
// service ships with it switched off. It is pure.
package swedish

import (
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/rule"
)

// ID and LegalReference name the rule in decisions; Version is that of its values.
const (
	ID             = "SE-INCOME-CONDITION"
	LegalReference = "SE:ALF-2024:506"
	Version        = "SE-2025-10"
)

// The values: iaf.se on the rules from 2025-10-01 (lag 2024:506), read 2026-11-23, hi. Öre.
const (
	Frame       = 12                     // months
	Least       = rule.Money(12_000_000) // in the frame
	MonthLeast  = rule.Money(1_100_000)  // of a month that counts
	MonthMost   = rule.Money(3_400_000)  // of a month, for the benefit's base
	Fewest      = 4                      // months that count
	Consecutive = 4
)

// FirstFrame is the last month of the first frame to which the rule applies: that of who becomes unemployed on 2025-10-01.
func FirstFrame() civil.Month { return civil.Month(2025*12 + 9 - 1) }

// Outcome is what came of it.
type Outcome string

// The outcomes.
const (
	Invalid     Outcome = "INVALID"
	Main        Outcome = "MAIN"
	Alternative Outcome = "ALTERNATIVE"
	None        Outcome = "NONE"
	Incomplete  Outcome = "INCOMPLETE" // months of the frame were not delivered
)

// Result is the outcome with its figures.
type Result struct {
	Outcome Outcome
	Codes   []rule.Code
	Days    int // of benefit
	Months  int // that count
	Run     int // longest run of months that count
	Sum     rule.Money
	Base    rule.Money // sum of the months, each counted at most with 34 000 kr
}

// Evaluate applies the condition to the incomes of the twelve months of the frame, in order, in öre.
func Evaluate(months []rule.Money) Result {
	var r Result
	if len(months) != Frame {
		r.Codes = append(r.Codes, rule.CodeDataMissing)
	}
	run := 0
	for _, m := range months {
		if m < 0 && len(r.Codes) == 0 {
			r.Codes = append(r.Codes, rule.CodeRegisterNegative)
		}
		r.Sum += m
		r.Base += min(m, MonthMost)
		run++
		if m < MonthLeast {
			run = 0
		} else {
			r.Months++
		}
		r.Run = max(r.Run, run)
	}
	switch {
	case len(r.Codes) > 0:
		r.Outcome = Invalid
	case r.Sum >= Least && r.Months >= Fewest:
		r.Outcome, r.Days = Main, days(r.Months)
	case r.Run >= Consecutive:
		r.Outcome, r.Days = Alternative, 66
	default:
		r.Outcome = None
	}
	return r
}

func days(months int) int {
	switch {
	case months >= 11:
		return 300
	case months >= 8:
		return 200
	default:
		return 100
	}
}
