// Package serviceplatform holds what the services of Serviceplatformen that tell about CPR have in common, in the flavour that names
// agreement and system in the body (InvocationContext) and authenticates by TLS client certificate: who asks, and what faults mean.
//
// Source: the services' WSDL and XSD (KOMBIT). The contexts of 2012 and of today have the same names and limits.
package serviceplatform

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"samvirke.dev/services/identity/internal/core"
)

// Limits of the schema.
const (
	maxNote   = 255 // characters of OnBehalfOfUser and AccountingInfo
	cvrDigits = 8
)

// Context says to Serviceplatformen on which agreement, from which system and for which authority we ask. UUIDs are written in lower
// case with hyphens.
type Context struct {
	ServiceAgreementUUID string // the agreement between the controller and the service
	UserSystemUUID       string // our system in Serviceplatformen's administration
	UserUUID             string // the user of that system
	ServiceUUID          string // this service
	MunicipalityCVR      string // 8 digits: the authority that is responsible; empty to leave it out. Not all services want to know.
	AccountingInfo       string // a note that comes back on the bill, 255 characters at most; empty to leave it out
}

// over returns c with what is empty taken from the base.
func (c Context) over(base Context) Context {
	for _, f := range []struct{ own, base *string }{
		{&c.ServiceAgreementUUID, &base.ServiceAgreementUUID},
		{&c.UserSystemUUID, &base.UserSystemUUID},
		{&c.UserUUID, &base.UserUUID},
		{&c.ServiceUUID, &base.ServiceUUID},
		{&c.MunicipalityCVR, &base.MunicipalityCVR},
		{&c.AccountingInfo, &base.AccountingInfo},
	} {
		if *f.own == "" {
			*f.own = *f.base
		}
	}
	return c
}

// check reports what the schema would not accept.
func (c Context) check() error {
	var bad []error
	for _, f := range []struct{ name, value string }{
		{"ServiceAgreementUUID", c.ServiceAgreementUUID},
		{"UserSystemUUID", c.UserSystemUUID},
		{"UserUUID", c.UserUUID},
		{"ServiceUUID", c.ServiceUUID},
	} {
		if id, err := uuid.Parse(f.value); err != nil || id.String() != f.value {
			bad = append(bad, fmt.Errorf("%s: want a UUID in lower case", f.name))
		}
	}
	if c.MunicipalityCVR != "" && (len(c.MunicipalityCVR) != cvrDigits || strings.Trim(c.MunicipalityCVR, "0123456789") != "") {
		bad = append(bad, errors.New("MunicipalityCVR: want 8 digits"))
	}
	if utf8.RuneCountInString(c.AccountingInfo) > maxNote {
		bad = append(bad, errors.New("AccountingInfo: want 255 characters at most"))
	}
	return errors.Join(bad...)
}

// Contexts are the contexts of a service.
type Contexts struct {
	base   Context
	single map[string]Context
}

// NewContexts returns the contexts: the base, and those of single controllers by id such as `DK:12345678`, where what is empty is taken
// from the base. The error names everything that would break the schema.
func NewContexts(base Context, controllers map[string]Context) (*Contexts, error) {
	bad := []error{base.check()}
	single := make(map[string]Context, len(controllers))
	for id, own := range controllers {
		single[id] = own.over(base)
		if err := single[id].check(); err != nil {
			bad = append(bad, fmt.Errorf("controller %s: %w", id, err))
		}
	}
	if err := errors.Join(bad...); err != nil {
		return nil, err
	}
	return &Contexts{base: base, single: single}, nil
}

// Question is an inquiry in Serviceplatformen's words.
type Question struct {
	PNR             string // ten digits
	Invocation      Invocation
	MunicipalityCVR string // empty for none
}

// Invocation is the InvocationContext of a request.
type Invocation struct {
	ServiceAgreementUUID string `xml:"http://serviceplatformen.dk/xml/schemas/InvocationContext/1/ ServiceAgreementUUID"`
	UserSystemUUID       string `xml:"http://serviceplatformen.dk/xml/schemas/InvocationContext/1/ UserSystemUUID"`
	UserUUID             string `xml:"http://serviceplatformen.dk/xml/schemas/InvocationContext/1/ UserUUID"`
	OnBehalfOfUser       string `xml:"http://serviceplatformen.dk/xml/schemas/InvocationContext/1/ OnBehalfOfUser,omitempty"`
	ServiceUUID          string `xml:"http://serviceplatformen.dk/xml/schemas/InvocationContext/1/ ServiceUUID"`
	AccountingInfo       string `xml:"http://serviceplatformen.dk/xml/schemas/InvocationContext/1/ AccountingInfo,omitempty"`
}

// Ask returns the question, under the context of the controller, or core.ErrRegisterRefused for one that no service would accept.
func (c *Contexts) Ask(ask core.Inquiry) (Question, error) {
	pnr, danish := strings.CutPrefix(ask.Number.Canonical(), "DK:")
	switch {
	case !danish:
		return Question{}, fmt.Errorf("not a CPR number: %w", core.ErrRegisterRefused)
	case utf8.RuneCountInString(ask.EndUser) > maxNote:
		return Question{}, fmt.Errorf("end user: more than 255 characters: %w", core.ErrRegisterRefused)
	}
	own, ok := c.single[ask.Controller]
	if !ok {
		own = c.base
	}
	return Question{
		PNR: pnr, MunicipalityCVR: own.MunicipalityCVR,
		Invocation: Invocation{
			ServiceAgreementUUID: own.ServiceAgreementUUID, UserSystemUUID: own.UserSystemUUID, UserUUID: own.UserUUID,
			OnBehalfOfUser: ask.EndUser, ServiceUUID: own.ServiceUUID, AccountingInfo: own.AccountingInfo,
		},
	}, nil
}
