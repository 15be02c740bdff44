// Package serviceplatform is what the simulated services of Serviceplatformen have in common: the context that says under which
// agreement a request comes, and the faults.
package serviceplatform

import (
	"errors"

	"samvirke.dev/deploy/registers/soap"
)

// The namespaces that the services share. That of numbers and that of contexts are the same in the contracts of 2012 and of today.
const (
	NamespacePNR = "http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/"

	nsCall       = "http://serviceplatformen.dk/xml/schemas/CallContext/1/"
	nsAuthority  = "http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/"
	nsInvocation = "http://serviceplatformen.dk/xml/schemas/InvocationContext/1/"
	nsFault      = "http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/"
)

// The error codes of a ServiceplatformFault, from CPR's general list.
const (
	CodeInvalid  = "52"
	CodeNotFound = "172"
	CodeAccess   = "184"
)

// Invocation is the part of a request that says under which agreement it comes: four UUIDs in lower case.
type Invocation struct {
	ServiceAgreement string
	UserSystem       string
	User             string
	Service          string
}

// Access is a set of contexts that may call a service.
type Access map[Invocation]bool

// NewAccess makes the set; without a context nobody could call.
func NewAccess(invocations []Invocation) (Access, error) {
	if len(invocations) == 0 {
		return nil, errors.New("serviceplatform: no invocation context has access")
	}
	a := Access{}
	for _, i := range invocations {
		a[i] = true
	}
	return a, nil
}

// Reader reads the shared parts of requests. It holds the checks, made once.
type Reader struct {
	uuid, text, cvr, number soap.Check
}

// NewReader makes a reader.
func NewReader() *Reader {
	return &Reader{
		uuid:   soap.Pattern(`[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}`),
		text:   soap.Length(0, 255),
		cvr:    soap.Pattern(`[0-9]{8}`),
		number: soap.Length(0, 10),
	}
}

// PNR reads the number, which the schema only limits to ten characters.
func (r *Reader) PNR(c *soap.Cursor) string { return c.Value(NamespacePNR, "PNR", r.number) }

// Contexts reads what SF1520 allows before the number: each context at most once, and none required. The invocation is nil when absent.
func (r *Reader) Contexts(c *soap.Cursor) *Invocation {
	if call := c.Optional(nsCall, "CallContext"); call != nil {
		_, err := r.all(call, nsCall, nil, []string{"OnBehalfOfUser", "CallersServiceCallIdentifier", "AccountingInfo"}, r.text)
		c.Join(err)
	}
	if authority := c.Optional(nsAuthority, "AuthorityContext"); authority != nil {
		_, err := r.all(authority, nsAuthority, []string{"MunicipalityCVR"}, nil, r.cvr)
		c.Join(err)
	}
	return r.invocation(c, c.Optional(nsInvocation, "InvocationContext"))
}

// Invocation reads an invocation context that must be there; nil after a breach of the schema.
func (r *Reader) Invocation(c *soap.Cursor) *Invocation {
	return r.invocation(c, c.Required(nsInvocation, "InvocationContext"))
}

func (r *Reader) invocation(c *soap.Cursor, n *soap.Node) *Invocation {
	if n == nil {
		return nil
	}
	texts, err := r.all(n, nsInvocation, []string{"ServiceAgreementUUID", "UserSystemUUID", "UserUUID", "ServiceUUID"},
		[]string{"OnBehalfOfUser", "CallersServiceCallIdentifier", "AccountingInfo"}, r.uuid)
	if err != nil {
		c.Join(err)
		return nil
	}
	return &Invocation{
		ServiceAgreement: texts["ServiceAgreementUUID"], UserSystem: texts["UserSystemUUID"], User: texts["UserUUID"],
		Service: texts["ServiceUUID"],
	}
}

// all reads an xsd:all: any order, each element at most once. The required ones obey check, the others are short texts.
func (r *Reader) all(n *soap.Node, space string, required, optional []string, check soap.Check) (map[string]string, error) {
	rules := make(map[string]soap.Check, len(required)+len(optional))
	for _, name := range required {
		rules[name] = check
	}
	for _, name := range optional {
		rules[name] = r.text
	}
	texts := map[string]string{}
	c := soap.Sequence(n)
	for _, child := range n.Children {
		rule, known := rules[child.Name.Local]
		if _, twice := texts[child.Name.Local]; !known || twice {
			c.Fail("an element that is unknown or occurs twice")
			break
		}
		texts[child.Name.Local] = c.Value(space, child.Name.Local, rule)
	}
	for _, name := range required {
		if _, found := texts[name]; !found {
			c.Fail("expected " + name)
		}
	}
	return texts, c.End()
}

// Fault is a fault as Serviceplatformen writes it: a Server fault with one error in the detail. The text must not be personal.
func Fault(code, text string) *soap.Fault {
	return &soap.Fault{Code: soap.CodeServer, Text: text, Detail: func(w *soap.Writer) {
		w.Open("sp:ServiceplatformFault", "xmlns:sp", nsFault)
		w.Open("sp:ErrorList")
		w.Open("sp:Error")
		w.Value("sp:ErrorCode", code)
		w.Value("sp:ErrorText", text)
		w.Close("sp:Error")
		w.Close("sp:ErrorList")
		w.Close("sp:ServiceplatformFault")
	}}
}

// General is the fault of a platform that is broken itself: nothing in it tells what is wrong.
func General() *soap.Fault { return &soap.Fault{Code: soap.CodeServer, Text: "general error"} }
