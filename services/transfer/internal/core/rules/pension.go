package rules

import (
	"errors"
	"time"

	"samvirke.dev/services/transfer/internal/core/civil"
)

// PensionStep gives those born before a date their pension age.
type PensionStep struct {
	BornBefore civil.Date // zero in the last step: all others
	Months     int        // pension age in months
}

// PensionTable is the pension age by birth date, the steps in order of BornBefore. Build it with NewPensionTable.
type PensionTable struct{ steps []PensionStep }

// NewPensionTable checks the steps: in order, and the last one, and no other, for all who are left.
func NewPensionTable(steps []PensionStep) (PensionTable, error) {
	for i, s := range steps {
		last := i == len(steps)-1
		if s.Months <= 0 || s.BornBefore.IsZero() != last || (i > 0 && !last && s.BornBefore <= steps[i-1].BornBefore) {
			return PensionTable{}, errors.New("rules: pension table: want rising birth dates, the last step without one")
		}
	}
	if len(steps) == 0 {
		return PensionTable{}, errors.New("rules: pension table is empty")
	}
	return PensionTable{steps}, nil
}

// DanishPensionTable is lov om social pension § 1 a with the age adopted in 2025 (domain rule B.4, PENS).
func DanishPensionTable() PensionTable {
	born := func(y int, m time.Month) civil.Date { return civil.Of(time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)) }
	return PensionTable{[]PensionStep{
		{born(1954, time.January), 65 * 12}, {born(1954, time.July), 65*12 + 6}, {born(1955, time.January), 66 * 12},
		{born(1955, time.July), 66*12 + 6}, {born(1963, time.January), 67 * 12}, {born(1967, time.January), 68 * 12},
		{born(1971, time.January), 69 * 12}, {0, 70 * 12},
	}}
}

// Window is when somebody may be admitted: from First, up to and without Limit.
type Window struct {
	First civil.Date // 18th birthday
	Limit civil.Date // two years before pension age
}

const (
	adult          = 18 * 12
	beforePension  = 2 * 12
	leapDay        = 29
	leapMonth      = time.February
	fallbackMonths = 70 * 12
)

// Window returns the ages of § 41 as days. Somebody born on 29 February becomes 18 on 1 March of a year without that day, and reaches
// the limit on 28 February: strict on both sides (domain rule B.4, age.feb29=STRICT).
func (t PensionTable) Window(birth civil.Date) Window {
	first := birth.AddMonths(adult)
	if _, month, day := birth.Parts(); month == leapMonth && day == leapDay {
		if _, _, d := first.Parts(); d != leapDay {
			first++
		}
	}
	return Window{First: first, Limit: birth.AddMonths(t.months(birth) - beforePension)}
}

// PensionDate returns the day on which somebody reaches pension age.
func (t PensionTable) PensionDate(birth civil.Date) civil.Date {
	return birth.AddMonths(t.months(birth))
}

func (t PensionTable) months(birth civil.Date) int {
	for _, s := range t.steps {
		if s.BornBefore.IsZero() || birth < s.BornBefore {
			return s.Months
		}
	}
	return fallbackMonths // an empty table is not built by New
}
