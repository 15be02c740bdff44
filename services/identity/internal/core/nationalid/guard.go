package nationalid

import (
	"errors"
	"fmt"
)

// ErrOutsideEnvironment is returned for a test number in production and for any other number outside it (SEC-09).
var ErrOutsideEnvironment = errors.New("nationalid: the number does not belong to this environment")

// Environment says whether real persons are looked up.
type Environment string

// The environments.
const (
	Production Environment = "production"
	Test       Environment = "test"
)

// DefaultSwedishBirthNumbers returns the three digits after the birth date that Skatteverket's published test numbers have.
func DefaultSwedishBirthNumbers() []int { return []int{238, 239, 980, 981} }

// GuardConfig says which numbers belong to an environment.
type GuardConfig struct {
	Environment Environment
	// SwedishBirthNumbers are the birth numbers (three digits after the date) that only test persons have; empty for the
	// default.
	SwedishBirthNumbers []int
	// Published are the canonical numbers of the registers' published test persons. They are accepted outside production and
	// refused in it.
	Published []string
}

// Guard keeps test persons out of production and everybody else out of test environments (SEC-09). Synthetic are Swedish numbers
// with a test birth number and Danish numbers whose day lies beyond 60. It is safe for concurrent use.
type Guard struct {
	production   bool
	birthNumbers [1000]bool
	published    map[string]struct{}
}

// NewGuard returns the guard. There is no default environment: an unset one is an error, so that a forgotten setting opens nothing.
// Its errors do not repeat numbers.
func NewGuard(cfg GuardConfig) (*Guard, error) {
	g := &Guard{production: cfg.Environment == Production, published: make(map[string]struct{}, len(cfg.Published))}
	if cfg.Environment != Production && cfg.Environment != Test {
		return nil, errors.New("nationalid: environment: want production or test")
	}
	birthNumbers := cfg.SwedishBirthNumbers
	if len(birthNumbers) == 0 {
		birthNumbers = DefaultSwedishBirthNumbers()
	}
	for i, b := range birthNumbers {
		if b < 0 || b >= len(g.birthNumbers) {
			return nil, fmt.Errorf("nationalid: swedish birth number %d of the list: want 0 to 999", i+1)
		}
		g.birthNumbers[b] = true
	}
	for i, p := range cfg.Published {
		if !canonicalForm(p) {
			return nil, fmt.Errorf("nationalid: published number %d of the list: want SE: and 12 digits or DK: and 10", i+1)
		}
		g.published[p] = struct{}{}
	}
	return g, nil
}

// canonicalForm looks at the form only: a published list may well hold a number that no parser accepts.
func canonicalForm(s string) bool {
	if len(s) != 3+digitsSE && len(s) != 3+digitsDK || s[:3] != "SE:" && s[:3] != "DK:" {
		return false
	}
	if (s[0] == 'S') != (len(s) == 3+digitsSE) {
		return false
	}
	for i := 3; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Check returns ErrOutsideEnvironment if the number does not belong here.
func (g *Guard) Check(n Number) error {
	if n.IsZero() || g.production == g.forTests(n) {
		return ErrOutsideEnvironment
	}
	return nil
}

func (g *Guard) forTests(n Number) bool {
	return g.synthetic(n) || g.isPublished(n)
}

func (g *Guard) synthetic(n Number) bool {
	if n.country == Denmark {
		return n.num(0, 2) > dayOffset
	}
	return g.birthNumbers[n.num(8, 11)]
}

func (g *Guard) isPublished(n Number) bool {
	var key [3 + digitsSE]byte
	k := append(key[:0], n.country.String()...)
	k = append(append(k, ':'), n.figures()...)
	_, ok := g.published[string(k)]
	return ok
}
