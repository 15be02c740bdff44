package rules

import (
	"errors"

	"samvirke.dev/services/transfer/internal/core/civil"
)

// Country of the two funds.
const (
	Denmark = "DK"
	Sweden  = "SE"
)

// WorkSituation is what the Danish rows of the effective-date table ask.
type WorkSituation int

// The situations (domain rule B.9).
const (
	InWork WorkSituation = iota + 1
	OutOfWork
	Graduated // § 54: education just completed
)

// Errors of EffectiveDate.
var (
	// ErrDateConflict means that an agreed date does not keep the notice (DATE_CONFLICT).
	ErrDateConflict = errors.New("rules: the agreed date does not keep the notice")
	// ErrFacts means that a fact that the row needs is missing or does not belong to the country.
	ErrFacts = errors.New("rules: facts for the effective date are missing")
)

// EffectiveFacts are what decides when the membership in the receiving fund begins.
type EffectiveFacts struct {
	Country string
	// Received is, in Denmark, the day on which the receiving fund got the application.
	Received civil.Date
	// ExitRequested is, in Sweden, the day on which the releasing fund got the exit request.
	ExitRequested civil.Date
	Work          WorkSituation // Denmark
	EducationEnds civil.Date    // Denmark, just graduated
	Agreed        civil.Date    // Denmark: a date that both funds and the member agreed on; zero for none
}

// EffectiveDate returns the first day of the membership in the receiving fund; the one in the releasing fund ends the day before. It is
// always the first of a month, except where the parties agreed on another day (domain rule B.9).
func EffectiveDate(f EffectiveFacts) (civil.Date, error) {
	switch f.Country {
	case Denmark:
		return danishDate(f)
	case Sweden:
		if f.ExitRequested.IsZero() || !f.Agreed.IsZero() || f.Work != 0 {
			return 0, ErrFacts
		}
		return f.ExitRequested.NextMonthStart(), nil
	default:
		return 0, ErrFacts
	}
}

func danishDate(f EffectiveFacts) (civil.Date, error) {
	if f.Received.IsZero() {
		return 0, ErrFacts
	}
	var date civil.Date
	switch f.Work {
	case InWork:
		date = f.Received.NextMonthStart()
	case OutOfWork: // a month's notice to the end of a month
		date = f.Received.AddMonths(1).NextMonthStart()
	case Graduated:
		if f.EducationEnds.IsZero() {
			return 0, ErrFacts
		}
		date = f.EducationEnds.MonthStart()
	default:
		return 0, ErrFacts
	}
	switch {
	case f.Agreed.IsZero():
		return date, nil
	case f.Agreed < date:
		return 0, ErrDateConflict
	default:
		return f.Agreed, nil
	}
}
