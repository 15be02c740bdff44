package core

import (
	"context"
	"time"
)

// AddressAnswer is the postal address behind a handle, or why there is none.
type AddressAnswer struct {
	Addressee    string   // empty if there is no address to give
	Address      *Address // nil if the person is protected, dead, or the register has none
	Protection   Level    // what the person is protected by; a human handles the case
	Source       Source
	RegisterTime time.Time
}

// PostalAddress returns the address behind a handle. Of a protected person it returns what domain rule B.10 leaves: often the
// protection alone, which is an answer and not an error. Errors: ErrNotFound, ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) PostalAddress(ctx context.Context, c Caller, handle string) (AddressAnswer, error) {
	found, a, err := s.byHandle(ctx, c, handle)
	if err != nil {
		return AddressAnswer{}, err
	}
	return addressOf(found, a), nil
}

func addressOf(f Found, a access) AddressAnswer {
	p := f.Person
	answer := AddressAnswer{Protection: a.level, Source: p.Source, RegisterTime: p.RegisterTime}
	if a.disclosure == DiscloseAll && p.mayBeWrittenTo() {
		answer.Address, answer.Addressee = p.Address, p.addressee()
	}
	return answer
}

// addressee returns the name as it goes on an envelope.
func (p *Person) addressee() string {
	if p.Name.Addressing != "" {
		return p.Name.Addressing
	}
	out := ""
	for _, part := range [...]string{p.Name.Given, p.Name.Middle, p.Name.Family} {
		switch {
		case part == "":
		case out == "":
			out = part
		default:
			out += " " + part
		}
	}
	return out
}
