// Package civil holds civil dates and months as the rules count them: months of 28 to 31 days, and a month added to the 31st clamps to
// the last day of the target month (domain B.0). time.AddDate does not clamp, so the rules never use it.
package civil

import (
	"errors"
	"time"
)

// ErrDate is returned for what is no date or month. It never repeats the input.
var ErrDate = errors.New("civil: not a date")

// Date is a civil date in the Gregorian calendar, counted in days: 1 is 0001-01-01. The zero value means no date. Dates are compared
// with the usual operators; the difference of two is a number of days.
type Date int32

// Month is a civil month: year × 12 + month − 1. The zero value means no month. Adding 1 gives the next month.
type Month int32

const (
	// unixDay is the Date of 1970-01-01.
	unixDay = 719163
	daySecs = 24 * 60 * 60
	year    = 12
)

// maxYear is the last year that a date may have.
const maxYear = 9999

// New returns the date, or ErrDate if the calendar has no such day.
func New(y, m, d int) (Date, error) {
	if y < 1 || y > maxYear || m < 1 || m > year || d < 1 || d > daysIn(y, m) {
		return 0, ErrDate
	}
	return date(y, m, d), nil
}

// NewMonth returns the month, or ErrDate if there is none.
func NewMonth(y, m int) (Month, error) {
	if y < 1 || y > maxYear || m < 1 || m > year {
		return 0, ErrDate
	}
	return Month(y*year + m - 1), nil
}

// Parse reads YYYY-MM-DD.
func Parse(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1 {
		return 0, ErrDate
	}
	return Of(t), nil
}

// ParseMonth reads YYYY-MM.
func ParseMonth(s string) (Month, error) {
	d, err := Parse(s + "-01")
	return d.Month(), err
}

// Of returns the civil date of a moment in its own location.
func Of(t time.Time) Date {
	y, m, d := t.Date()
	return date(y, int(m), d)
}

// date counts the days up to a date that exists: years of 365 days with their leap days, then months from March, so that a leap day comes
// last.
func date(y, m, d int) Date {
	if m < 3 {
		y, m = y-1, m+year
	}
	return Date(365*y + y/4 - y/100 + y/400 + (153*m-457)/5 + d - 306) //nolint:gosec // four-digit years
}

// YMD returns year, month and day of the month.
func (d Date) YMD() (y, m, day int) {
	yy, mm, dd := d.Time(time.UTC).Date()
	return yy, int(mm), dd
}

// Time returns the start of the day in a zone.
func (d Date) Time(zone *time.Location) time.Time {
	t := time.Unix((int64(d)-unixDay)*daySecs, 0).UTC()
	y, m, day := t.Date()
	return time.Date(y, m, day, 0, 0, 0, 0, zone)
}

// Month returns the month that the day lies in; the zero Month for no date.
func (d Date) Month() Month {
	if d == 0 {
		return 0
	}
	y, m, _ := d.YMD()
	return Month(y*year + m - 1) //nolint:gosec // four-digit years
}

// AddMonths returns the same day number n months later, or the last day of that month if it has no such day (R1182 art. 3).
func (d Date) AddMonths(n int) Date {
	if d == 0 {
		return 0
	}
	_, _, day := d.YMD()
	m := d.Month() + Month(n)                     //nolint:gosec // periods of law are short
	return m.First() + Date(min(day, m.Days())-1) //nolint:gosec // at most 31
}

// String returns YYYY-MM-DD, or "" for no date.
func (d Date) String() string {
	if d == 0 {
		return ""
	}
	return d.Time(time.UTC).Format(time.DateOnly)
}

// YM returns year and month.
func (m Month) YM() (y, month int) { return int(m) / year, int(m)%year + 1 }

// First returns the first day.
func (m Month) First() Date {
	y, mm := m.YM()
	return date(y, mm, 1)
}

// Last returns the last day.
func (m Month) Last() Date { return m.First() + Date(m.Days()-1) } //nolint:gosec // at most 31

// Days returns how many days the month has.
func (m Month) Days() int { return daysIn(m.YM()) }

// String returns YYYY-MM, or "" for no month.
func (m Month) String() string {
	if m == 0 {
		return ""
	}
	return m.First().String()[:len("2006-01")]
}

func daysIn(y, m int) int {
	switch m {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	default:
		return 31
	}
}
