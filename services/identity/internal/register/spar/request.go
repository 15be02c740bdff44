package spar

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"samvirke.dev/services/identity/internal/core"
)

// Assignment is a permission that SPAR has given.
type Assignment struct {
	Recipient int64 // customer number of the owner of the certificate (KundNrLeveransMottagare), 500001 to 599999
	Customer  int64 // customer number of the holder of the permission (KundNrSlutkund), 500001 to 599999
	ID        int64 // the assignment's own number (UppdragId), from 1
}

// Limits of the schema.
const (
	leastCustomer = 500001
	mostCustomer  = 599999
	maxUser       = 256 // characters
)

// over returns a with what is zero taken from the base.
func (a Assignment) over(base Assignment) Assignment {
	return Assignment{
		Recipient: cmp.Or(a.Recipient, base.Recipient), Customer: cmp.Or(a.Customer, base.Customer), ID: cmp.Or(a.ID, base.ID),
	}
}

// check reports what the schema would not accept.
func (a Assignment) check() error {
	var bad []error
	for _, f := range []struct {
		name  string
		value int64
	}{{"recipient", a.Recipient}, {"customer", a.Customer}} {
		if f.value < leastCustomer || f.value > mostCustomer {
			bad = append(bad, fmt.Errorf("%s: want a customer number, %d to %d", f.name, leastCustomer, mostCustomer))
		}
	}
	if a.ID < 1 {
		bad = append(bad, errors.New("assignment id: want 1 or more"))
	}
	return errors.Join(bad...)
}

// request is a SPARPersonsokningFraga.
type request struct {
	XMLName        xml.Name
	Identification identification
	Search         search
}

type identification struct {
	XMLName   xml.Name
	Recipient element
	Customer  element
	ID        element
	User      element
}

type search struct {
	XMLName xml.Name
	Parts   []element
}

// element is an element with text.
type element struct {
	XMLName xml.Name
	Text    string `xml:",chardata"`
}

func part(space, local, text string) element {
	return element{XMLName: xml.Name{Space: space, Local: local}, Text: text}
}

// lookup returns the question for a number, or core.ErrRegisterRefused for one that SPAR would not accept.
func (r *Register) lookup(ask core.Inquiry) (*request, error) {
	digits, swedish := strings.CutPrefix(ask.Number.Canonical(), "SE:")
	if !swedish {
		return nil, fmt.Errorf("not a Swedish number: %w", core.ErrRegisterRefused)
	}
	return r.request(ask.Controller, ask.EndUser, part(r.version.person, "IdNummer", digits))
}

// request returns the question of a controller's user. The user is logged there and may not be left out: without one the controller
// stands in.
func (r *Register) request(controller, user string, parts ...element) (*request, error) {
	user = cmp.Or(user, controller)
	if n := utf8.RuneCountInString(user); n < 1 || n > maxUser {
		return nil, fmt.Errorf("end user: want 1 to %d characters: %w", maxUser, core.ErrRegisterRefused)
	}
	own, ok := r.controllers[controller]
	if !ok {
		own = r.assignment
	}
	return &request{
		XMLName: r.version.question(),
		Identification: identification{
			XMLName:   xml.Name{Space: identity, Local: "Identifieringsinformation"},
			Recipient: part(identity, "KundNrLeveransMottagare", strconv.FormatInt(own.Recipient, 10)),
			Customer:  part(identity, "KundNrSlutkund", strconv.FormatInt(own.Customer, 10)),
			ID:        part(identity, "UppdragId", strconv.FormatInt(own.ID, 10)),
			User:      part(identity, "SlutAnvandarId", user),
		},
		Search: search{XMLName: xml.Name{Space: r.version.search, Local: "PersonsokningFraga"}, Parts: parts},
	}, nil
}
