package spar

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

// Fields are the arguments of a field search; empty ones are left out. In names, streets and cities `*` stands for any letters. A name
// is given whole or in two parts, not both.
type Fields struct {
	Phonetic     bool   // find names that sound alike
	Name         string // given, middle and family names in any order, 80 characters at most
	Given        string // given names, 80 characters at most
	Family       string // middle and family names, 60 characters at most
	Street       string // 100 characters at most
	City         string // 27 characters at most
	PostalCode   Range  // five digits
	Birth        Range  // YYYY-MM-DD
	Sex          string // MAN or KVINNA
	County       string // LanKod, two digits
	Municipality string // KommunKod, two digits; unique with the county only
	District     Range  // DistriktKod, six digits
}

// Range is one value (From alone) or two ends, both included.
type Range struct{ From, To string }

// ErrFields means that the arguments of a search break SPAR's schema.
var ErrFields = errors.New("spar: the search's arguments are not such as SPAR takes")

// Search returns the persons who answer a field search, at most 100; protected persons are not among them. Who has no number of
// ours is left out. Errors: ErrFields, core.ErrRegisterTooMany if more answer, core.ErrRegisterUnavailable, core.ErrRegisterRefused, that
// of the ended context. That nobody answers is no error.
func (r *Register) Search(ctx context.Context, controller, user string, f Fields) ([]*core.Person, error) {
	parts, err := f.parts()
	if err != nil {
		return nil, err
	}
	body, err := r.request(controller, user, parts...)
	if err != nil {
		return nil, fmt.Errorf("spar: %w", err)
	}
	got, err := r.call(ctx, body)
	if err != nil {
		return nil, err
	}
	now := r.clock.Now()
	today := civil.Of(now.In(r.zone))
	var out []*core.Person
	for i := range got.Records {
		rec := &got.Records[i]
		if !rec.flagged() {
			return nil, got.unusable("it lacks the flags of protection")
		}
		if n, err := nationalid.ParseCanonical("SE:"+rec.ID, today); err == nil {
			out = append(out, rec.person(n, now, today))
		}
	}
	return out, nil
}

// parts returns the arguments in the order of the schema.
func (f Fields) parts() ([]element, error) {
	b := builder{}
	if f.Phonetic {
		b.add("FonetiskSokning", "JA", true)
	}
	b.add("NamnSokArgument", f.Name, words(f.Name, "*-'", 80))
	b.add("FornamnSokArgument", f.Given, words(f.Given, "*-'", 80))
	b.add("MellanEfternamnSokArgument", f.Family, words(f.Family, "*-'", 60))
	b.add("UtdelningsadressSokArgument", f.Street, words(f.Street, "*-/.,:", 100))
	b.add("PostortSokArgument", f.City, words(f.City, "*-", 27))
	b.span("PostNr", f.PostalCode, func(s string) bool { return digits(s, 5) && s[0] != '0' })
	b.span("Fodelsedatum", f.Birth, func(s string) bool { d, err := civil.Parse(s); return err == nil && !d.Partial() })
	b.add("Kon", f.Sex, f.Sex == "MAN" || f.Sex == "KVINNA")
	b.add("LanKod", f.County, digits(f.County, 2))
	b.add("KommunKod", f.Municipality, digits(f.Municipality, 2))
	b.span("DistriktKod", f.District, func(s string) bool { return digits(s, 6) && s[0] != '0' })
	if f.Name != "" && f.Given+f.Family != "" {
		b.bad = append(b.bad, errors.New("NamnSokArgument: not beside FornamnSokArgument and MellanEfternamnSokArgument"))
	}
	if len(b.parts) == 0 {
		b.bad = append(b.bad, errors.New("nothing to look for"))
	}
	if err := errors.Join(b.bad...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFields, err)
	}
	return b.parts, nil
}

// builder gathers arguments and what is wrong with them; their values are never told.
type builder struct {
	parts []element
	bad   []error
}

func (b *builder) add(name, text string, ok bool) {
	switch {
	case text == "":
	case !ok:
		b.bad = append(b.bad, errors.New(name+": out of its form"))
	default:
		b.parts = append(b.parts, part(arguments, name, text))
	}
}

func (b *builder) span(name string, r Range, ok func(string) bool) {
	switch {
	case r.To == "":
		b.add(name, r.From, ok(r.From))
	case r.From == "":
		b.bad = append(b.bad, errors.New(name+": an end without a beginning"))
	default:
		b.add(name+"From", r.From, ok(r.From))
		b.add(name+"Tom", r.To, ok(r.To))
	}
}

func digits(s string, n int) bool { return len(s) == n && strings.Trim(s, "0123456789") == "" }

// words reports whether a text begins with a letter or digit and has nothing but those, white space and what is allowed besides.
func words(s, besides string, most int) bool {
	if utf8.RuneCountInString(s) > most || !utf8.ValidString(s) {
		return false
	}
	for i, r := range s {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r):
		case i > 0 && (r == ' ' || strings.ContainsRune(besides, r)):
		default:
			return false
		}
	}
	return true
}
