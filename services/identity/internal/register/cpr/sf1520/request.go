package sf1520

import (
	"encoding/xml"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/register/cpr/serviceplatform"
)

// Context says on which agreement, from which system and for which authority we ask.
type Context = serviceplatform.Context

// request is a PersonLookupRequest. Its own namespace is that of the version.
type request struct {
	XMLName    xml.Name
	Authority  *authorityContext          `xml:"http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/ AuthorityContext,omitempty"`
	Invocation serviceplatform.Invocation `xml:"http://serviceplatformen.dk/xml/schemas/InvocationContext/1/ InvocationContext"`
	PNR        string                     `xml:"http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/ PNR"`
}

type authorityContext struct {
	MunicipalityCVR string `xml:"http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/ MunicipalityCVR"`
}

// request returns the question to the service, or ErrRegisterRefused for one that it would not accept.
func (r *Register) request(ask core.Inquiry) (*request, error) {
	q, err := r.contexts.Ask(ask)
	if err != nil {
		return nil, err
	}
	body := &request{XMLName: xml.Name{Space: r.space, Local: "PersonLookupRequest"}, Invocation: q.Invocation, PNR: q.PNR}
	if q.MunicipalityCVR != "" {
		body.Authority = &authorityContext{MunicipalityCVR: q.MunicipalityCVR}
	}
	return body, nil
}
