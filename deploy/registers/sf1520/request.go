package sf1520

import (
	"samvirke.dev/deploy/registers/serviceplatform"
	"samvirke.dev/deploy/registers/soap"
)

// Versions of the contract. Version 5 differs from 4 in its namespace.
const (
	Version4 = "4"
	Version5 = "5"
)

// space is the namespace of a version.
func space(version string) string {
	return "http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/" + version + "/"
}

// Action is the SOAPAction of the operation in a version.
func Action(version string) string { return space(version) + "PersonLookup" }

// Path is where Serviceplatformen serves the operation in a version.
func Path(version string) string { return "/service/CPR/PersonBaseDataExtended/" + version }

// request is a PersonLookupRequest that obeys the schema.
type request struct {
	invocation *serviceplatform.Invocation // nil where the element is absent, which the schema allows
	number     string
}

// read checks a request against the schema.
func (s *Service) read(n *soap.Node) (request, error) {
	if n.Name.Space != s.space || n.Name.Local != "PersonLookupRequest" {
		return request{}, &soap.SchemaError{Element: "Body", Rule: "expected PersonLookupRequest"}
	}
	c := soap.Sequence(n)
	q := request{invocation: s.reader.Contexts(c)}
	q.number = s.reader.PNR(c)
	return q, c.End()
}
