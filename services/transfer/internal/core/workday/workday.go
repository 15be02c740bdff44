// Package workday counts working days by the national holidays of Denmark and Sweden, which github.com/rickar/cal keeps. Denmark:
// public holidays and 5 June (Grundlovsdag), without store bededag from 2024. Sweden: public holidays and the eves of midsummer,
// Christmas and new year, which lag (1930:173) om beräkning av lagstadgad tid puts on a level with Sundays.
package workday

import (
	"errors"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/dk"
	"github.com/rickar/cal/v2/se"

	"samvirke.dev/services/transfer/internal/core/civil"
)

// ErrCountry means that there is no calendar of that country.
var ErrCountry = errors.New("workday: no calendar of that country")

// Calendars hold the holidays of the countries. Build them once; they are safe for concurrent use.
type Calendars struct {
	countries map[string]*cal.BusinessCalendar
}

// New returns the calendars of DK and SE.
func New() *Calendars {
	denmark, sweden := cal.NewBusinessCalendar(), cal.NewBusinessCalendar()
	// The library computes and caches the days of a holiday when it is first asked; the cache would be written by several callers.
	denmark.Cacheable, sweden.Cacheable = false, false
	denmark.AddHoliday(dk.Holidays...)
	sweden.AddHoliday(se.Holidays...)
	return &Calendars{countries: map[string]*cal.BusinessCalendar{"DK": denmark, "SE": sweden}}
}

// Is says whether the day is neither Saturday, Sunday nor a holiday of the country.
func (c *Calendars) Is(country string, d civil.Date) (bool, error) {
	calendar := c.countries[country]
	if calendar == nil {
		return false, ErrCountry
	}
	return calendar.IsWorkday(d.Time()), nil
}

// Add returns the n-th working day after d; d itself is not counted (domain rule B.0). With n = 0 it is d.
func (c *Calendars) Add(country string, d civil.Date, n int) (civil.Date, error) {
	for n > 0 {
		d++
		is, err := c.Is(country, d)
		if err != nil {
			return 0, err
		}
		if is {
			n--
		}
	}
	return d, nil
}
