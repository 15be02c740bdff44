// Package maintenance reads planned windows in which RPCs are not available (MIN-01).
package maintenance

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Window is a time in which some RPCs answer that they are under maintenance.
type Window struct {
	From, Until time.Time // the first instant of it, and the first one after it
	// Service is the full name of a service, such as samvirke.insurance.v1.InsuranceService; empty for all.
	Service string
	// Method is the name of one RPC of it; empty for all.
	Method string
}

// formError says how a window is written.
type formError struct{}

// Error implements error.
func (formError) Error() string {
	return "want FROM/UNTIL SERVICE/METHOD, times as in RFC 3339 with their offset, METHOD or the whole as *: " +
		"2026-09-26T22:00:00+02:00/2026-09-27T03:00:00+02:00 samvirke.transfer.v1.TransferService/*"
}

// Parse reads windows, one a text: an ISO 8601 interval, a space, and what is affected. All problems are returned, joined.
func Parse(texts []string) ([]Window, error) {
	var out []Window
	var problems []error
	for i, text := range texts {
		w, err := parse(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("maintenance[%d]: %w", i, err))
			continue
		}
		out = append(out, w)
	}
	return out, errors.Join(problems...)
}

func parse(text string) (Window, error) {
	interval, what, ok := strings.Cut(text, " ")
	from, until, both := strings.Cut(interval, "/")
	if !ok || !both {
		return Window{}, formError{}
	}
	var w Window
	var err1, err2 error
	w.From, err1 = time.Parse(time.RFC3339, from)
	w.Until, err2 = time.Parse(time.RFC3339, until)
	if err1 != nil || err2 != nil {
		return Window{}, formError{}
	}
	if !w.Until.After(w.From) {
		return Window{}, errors.New("the window ends before it begins")
	}
	if what == "*" {
		return w, nil
	}
	service, method, ok := strings.Cut(what, "/")
	if !ok || service == "" || method == "" || strings.ContainsAny(service+method, "/ ") {
		return Window{}, formError{}
	}
	w.Service = service
	if method != "*" {
		w.Method = method
	}
	return w, nil
}

// Affects says whether the window concerns an RPC, named as package.Service/Method.
func (w Window) Affects(rpc string) bool {
	service, method, _ := strings.Cut(rpc, "/")
	return (w.Service == "" || w.Service == service) && (w.Method == "" || w.Method == method)
}

// Until says how long an RPC will not be available any more, at an instant: zero when it is. Windows that follow each other count as one.
func Until(windows []Window, rpc string, at time.Time) time.Duration {
	end := at
	for moved := true; moved; {
		moved = false
		for _, w := range windows {
			if w.Affects(rpc) && !end.Before(w.From) && end.Before(w.Until) {
				end, moved = w.Until, true
			}
		}
	}
	return end.Sub(at)
}
