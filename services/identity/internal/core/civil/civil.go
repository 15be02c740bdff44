// Package civil holds civil dates as registers give them: sometimes without the day, or without day and month.
package civil

import (
	"errors"
	"time"
)

// ErrDate is returned for what is no date. It never repeats the input, which may be somebody's birth date.
var ErrDate = errors.New("civil: not a date")

// Date is a civil date in the Gregorian calendar. Month and Day are 0 when the register does not know them; the zero value means
// that there is no date at all. Dates are comparable.
type Date struct {
	Year  int // 1 to 9999
	Month int // 1 to 12, or 0 for unknown
	Day   int // 1 to 31, or 0 for unknown
}

// New returns the date, or ErrDate if there is none. An unknown month needs an unknown day.
func New(year, month, day int) (Date, error) {
	d := Date{Year: year, Month: month, Day: day}
	if !d.Valid() {
		return Date{}, ErrDate
	}
	return d, nil
}

// Of returns the civil date of a moment in its own location.
func Of(t time.Time) Date {
	y, m, d := t.Date()
	return Date{Year: y, Month: int(m), Day: d}
}

// isoLen is the length of YYYY-MM-DD.
const isoLen = 10

// Parse reads YYYY-MM-DD, where MM and DD may be 00, and returns ErrDate for everything else.
func Parse(s string) (Date, error) {
	if len(s) != isoLen || s[4] != '-' || s[7] != '-' {
		return Date{}, ErrDate
	}
	year, ok1 := digits(s[:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:])
	if !ok1 || !ok2 || !ok3 {
		return Date{}, ErrDate
	}
	return New(year, month, day)
}

func digits(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// Valid reports whether the date exists, as far as it is known. The zero value is not valid.
func (d Date) Valid() bool {
	switch {
	case d.Year < 1 || d.Year > 9999 || d.Month < 0 || d.Month > 12 || d.Day < 0:
		return false
	case d.Month == 0:
		return d.Day == 0
	default:
		return d.Day <= daysIn(d.Year, d.Month)
	}
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	default:
		return 31
	}
}

// IsZero reports whether there is no date at all.
func (d Date) IsZero() bool { return d == Date{} }

// Partial reports whether day or month is unknown.
func (d Date) Partial() bool { return !d.IsZero() && d.Day == 0 }

// CertainlyAfter reports whether every day that d may stand for lies after the whole of o.
func (d Date) CertainlyAfter(o Date) bool { return d.earliest().key() > o.latest().key() }

// CertainlyNotAfter reports whether every day that d may stand for lies before or on the first day that o may stand for.
func (d Date) CertainlyNotAfter(o Date) bool { return d.latest().key() <= o.earliest().key() }

func (d Date) earliest() Date {
	d.Month, d.Day = max(d.Month, 1), max(d.Day, 1)
	return d
}

func (d Date) latest() Date {
	if d.Month == 0 {
		d.Month = 12
	}
	if d.Day == 0 {
		d.Day = daysIn(d.Year, d.Month)
	}
	return d
}

func (d Date) key() int { return (d.Year*100+d.Month)*100 + d.Day }

// String returns YYYY-MM-DD with zeros for what is unknown, or "" if there is no date. It is for stored files and answers, not for
// logs: a birth date is personal.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	var b [isoLen]byte
	y, m, day := d.Year, d.Month, d.Day
	put := func(at, width, n int) {
		for i := at + width - 1; i >= at; i-- {
			b[i] = byte('0' + n%10)
			n /= 10
		}
	}
	put(0, 4, y)
	put(5, 2, m)
	put(8, 2, day)
	b[4], b[7] = '-', '-'
	return string(b[:])
}
