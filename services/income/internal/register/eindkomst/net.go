package eindkomst

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/rule"
)

// group is what reports are netted within (registers.md 3.6). The benefit is part of it: a person may have two kinds from one payer.
type group struct {
	employer, employee string
	from, to           civil.Date
	kind               int
	benefit            string
}

// sums are a group's reports together.
type sums struct {
	hours    rule.Hours
	income   rule.Money
	hasHours bool
	reversed bool
	reported time.Time // of the latest report
}

// net makes one record of each group of reports about pay, by employer and period. A report that came twice counts once. A reversal is
// the negative of a report, whose sign the configuration tells; one with the other sign is an error, since adding it up would double
// what was taken back. Corrections are reports of their own and are added.
func (r *Register) net(reports []told) ([]facts.Record, error) {
	seen := make(map[told]bool, len(reports))
	groups := make(map[group]*sums, len(reports))
	for _, t := range reports {
		if !r.pay[t.kind] || seen[t] {
			continue
		}
		seen[t] = true
		if err := r.sign(&t); err != nil {
			return nil, err
		}
		k := group{t.employer, t.employee, t.from, t.to, t.kind, t.benefit}
		s := groups[k]
		if s == nil {
			s = &sums{}
			groups[k] = s
		}
		s.hours += t.hours
		s.income += t.income
		s.hasHours = s.hasHours || t.hasHours
		s.reversed = s.reversed || t.reversal
		if t.reported.After(s.reported) {
			s.reported = t.reported
		}
	}
	records := make([]facts.Record, 0, len(groups))
	for k, s := range groups {
		if s.reversed && s.hours == 0 && s.income == 0 {
			continue // taken back whole: nobody has reported
		}
		records = append(records, facts.Record{
			Employer: facts.Employer(k.employer), Hours: s.hours, Income: s.income, From: k.from, To: k.to, Reported: s.reported,
			NoHours: !s.hasHours,
		})
	}
	slices.SortFunc(records, func(a, b facts.Record) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Employer, b.Employer), cmp.Compare(a.Hours, b.Hours),
			cmp.Compare(a.Income, b.Income), a.Reported.Compare(b.Reported))
	})
	return records, nil
}

// sign makes the figures of a reversal negative.
func (r *Register) sign(t *told) error {
	if !t.reversal {
		return nil
	}
	if r.d.Reversals == ReversalsPositive {
		t.hours, t.income = -t.hours, -t.income
	}
	if t.hours > 0 || t.income > 0 {
		return errors.New("a reversal whose figures have the other sign than configured")
	}
	return nil
}
