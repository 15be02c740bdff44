// Package civil holds dates without time or zone, and the arithmetic of periods as the rules want it: months clamp to the last day
// of the target month (domain rule B.0), which time.AddDate does not do.
package civil

import (
	"errors"
	"time"
)

// Date is a day of the proleptic Gregorian calendar, counted from 0001-01-01 = 1. The zero value is no date. Dates are compared and
// counted with the usual operators.
type Date int32

// epoch is the number of 1970-01-01.
const epoch = 719163

const secondsPerDay = 24 * 60 * 60

// ErrDate means that a text or a triple is no day of the calendar.
var ErrDate = errors.New("civil: no day of the calendar")

// Of returns the date that the moment has in its own location.
func Of(t time.Time) Date {
	y, m, d := t.Date()
	return number(y, m, d)
}

// New returns the date of a year, month and day, or ErrDate where the calendar has none.
func New(year, month, day int) (Date, error) {
	if year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > daysIn(year, time.Month(month)) {
		return 0, ErrDate
	}
	return number(year, time.Month(month), day), nil
}

// Parse reads a date written as 2006-01-02.
func Parse(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 1 {
		return 0, ErrDate
	}
	return Of(t), nil
}

func number(y int, m time.Month, d int) Date {
	return Date(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()/secondsPerDay + epoch) //nolint:gosec // years have four digits
}

// Time returns midnight UTC of the date.
func (d Date) Time() time.Time { return time.Unix((int64(d)-epoch)*secondsPerDay, 0).UTC() }

// Parts returns year, month and day.
func (d Date) Parts() (year int, month time.Month, day int) { return d.Time().Date() }

// IsZero says whether this is no date.
func (d Date) IsZero() bool { return d == 0 }

// String writes the date as 2006-01-02, and the zero value as "-".
func (d Date) String() string {
	if d == 0 {
		return "-"
	}
	return d.Time().Format(time.DateOnly)
}

// AddMonths returns the same day of the month n months later, or that month's last day where it has no such day (domain rule B.0).
func (d Date) AddMonths(n int) Date {
	y, m, day := d.Parts()
	first := time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	return number(first.Year(), first.Month(), min(day, daysIn(first.Year(), first.Month())))
}

// MonthStart returns the first day of the date's month.
func (d Date) MonthStart() Date {
	y, m, _ := d.Parts()
	return number(y, m, 1)
}

// MonthEnd returns the last day of the date's month.
func (d Date) MonthEnd() Date {
	y, m, _ := d.Parts()
	return number(y, m, daysIn(y, m))
}

// NextMonthStart returns the first day of the month after the date's.
func (d Date) NextMonthStart() Date { return d.MonthEnd() + 1 }

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
