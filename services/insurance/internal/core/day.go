package core

import (
	"errors"
	"fmt"
	"time"
)

// ErrDay is returned for what is no day of the calendar.
var ErrDay = errors.New("insurance: not a day of the calendar")

// Day is a civil date. The zero value means that there is none. Days are comparable.
type Day struct {
	Year  int `json:"year"`
	Month int `json:"month"`
	Day   int `json:"day"`
}

// NewDay returns the day, or ErrDay if there is none.
func NewDay(year, month, day int) (Day, error) {
	d := Day{Year: year, Month: month, Day: day}
	if year < 1 || year > 9999 || d.key() != DayOf(d.start()).key() {
		return Day{}, ErrDay
	}
	return d, nil
}

// DayOf returns the civil date of a moment in its own location.
func DayOf(t time.Time) Day {
	y, m, d := t.Date()
	return Day{Year: y, Month: int(m), Day: d}
}

// ParseDay reads YYYY-MM-DD. Errors: ErrDay.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Day{}, ErrDay
	}
	return DayOf(t), nil
}

// IsZero says whether there is no day.
func (d Day) IsZero() bool { return d == Day{} }

// After says whether d is later than o.
func (d Day) After(o Day) bool { return d.key() > o.key() }

// AddYears returns the same day years later; 29 February becomes the 28th where there is none.
func (d Day) AddYears(years int) Day {
	out := Day{Year: d.Year + years, Month: d.Month, Day: d.Day}
	if DayOf(out.start()) != out {
		out.Day--
	}
	return out
}

// String returns YYYY-MM-DD, or "" if there is no day.
func (d Day) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

// Number returns days since 1970-01-01.
func (d Day) Number() int64 { return d.start().Unix() / (24 * 60 * 60) }

func (d Day) start() time.Time {
	return time.Date(d.Year, time.Month(d.Month), d.Day, 0, 0, 0, 0, time.UTC)
}

func (d Day) key() int { return (d.Year*100+d.Month)*100 + d.Day }
