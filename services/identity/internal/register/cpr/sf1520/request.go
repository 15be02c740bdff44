package sf1520

import (
	"encoding/xml"
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
	MunicipalityCVR      string // 8 digits: the authority that is responsible; empty to leave it out
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
			bad = append(bad, fmt.Errorf("cpr sf1520: %s: want a UUID in lower case", f.name))
		}
	}
	if c.MunicipalityCVR != "" && (len(c.MunicipalityCVR) != cvrDigits || strings.Trim(c.MunicipalityCVR, "0123456789") != "") {
		bad = append(bad, errors.New("cpr sf1520: MunicipalityCVR: want 8 digits"))
	}
	if utf8.RuneCountInString(c.AccountingInfo) > maxNote {
		bad = append(bad, errors.New("cpr sf1520: AccountingInfo: want 255 characters at most"))
	}
	return errors.Join(bad...)
}

// request is a PersonLookupRequest. Its own namespace is that of the version.
type request struct {
	XMLName    xml.Name
	Authority  *authorityContext `xml:"http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/ AuthorityContext,omitempty"`
	Invocation invocationContext `xml:"http://serviceplatformen.dk/xml/schemas/InvocationContext/1/ InvocationContext"`
	PNR        string            `xml:"http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/ PNR"`
}

type authorityContext struct {
	MunicipalityCVR string `xml:"http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/ MunicipalityCVR"`
}

type invocationContext struct {
	ServiceAgreementUUID string `xml:"http://serviceplatformen.dk/xml/schemas/InvocationContext/1/ ServiceAgreementUUID"`
	UserSystemUUID       string `xml:"http://serviceplatformen.dk/xml/schemas/InvocationContext/1/ UserSystemUUID"`
	UserUUID             string `xml:"http://serviceplatformen.dk/xml/schemas/InvocationContext/1/ UserUUID"`
	OnBehalfOfUser       string `xml:"http://serviceplatformen.dk/xml/schemas/InvocationContext/1/ OnBehalfOfUser,omitempty"`
	ServiceUUID          string `xml:"http://serviceplatformen.dk/xml/schemas/InvocationContext/1/ ServiceUUID"`
	AccountingInfo       string `xml:"http://serviceplatformen.dk/xml/schemas/InvocationContext/1/ AccountingInfo,omitempty"`
}

// request returns the question to the service, or ErrRegisterRefused for one that it would not accept.
func (r *Register) request(ask core.Inquiry) (*request, error) {
	pnr, danish := strings.CutPrefix(ask.Number.Canonical(), "DK:")
	switch {
	case !danish:
		return nil, fmt.Errorf("cpr sf1520: not a CPR number: %w", core.ErrRegisterRefused)
	case utf8.RuneCountInString(ask.EndUser) > maxNote:
		return nil, fmt.Errorf("cpr sf1520: end user: more than 255 characters: %w", core.ErrRegisterRefused)
	}
	c, ok := r.controllers[ask.Controller]
	if !ok {
		c = r.context
	}
	body := &request{
		XMLName: xml.Name{Space: r.space, Local: "PersonLookupRequest"},
		Invocation: invocationContext{
			ServiceAgreementUUID: c.ServiceAgreementUUID, UserSystemUUID: c.UserSystemUUID, UserUUID: c.UserUUID,
			OnBehalfOfUser: ask.EndUser, ServiceUUID: c.ServiceUUID, AccountingInfo: c.AccountingInfo,
		},
		PNR: pnr,
	}
	if c.MunicipalityCVR != "" {
		body.Authority = &authorityContext{MunicipalityCVR: c.MunicipalityCVR}
	}
	return body, nil
}
