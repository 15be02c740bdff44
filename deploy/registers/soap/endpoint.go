package soap

import (
	"context"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// Namespace is that of the SOAP 1.1 envelope.
const Namespace = "http://schemas.xmlsoap.org/soap/envelope/"

// The codes of faults.
const (
	CodeClient          = "Client"
	CodeServer          = "Server"
	CodeVersionMismatch = "VersionMismatch"
	CodeMustUnderstand  = "MustUnderstand"
)

// Fault is a SOAP fault. As an answer it goes out with HTTP status 500, as SOAP 1.1 demands.
type Fault struct { //nolint:errname // SOAP calls it a fault
	Code   string
	Text   string
	Detail func(*Writer) // writes the content of the detail; nil for none
}

// Error is the text.
func (f *Fault) Error() string { return "soap: fault " + f.Code + ": " + f.Text }

// Call is a request that an endpoint has read.
type Call struct {
	Body   *Node             // the one element in the body
	Caller *x509.Certificate // nil without mutual TLS
}

// Answer is what goes back.
type Answer struct {
	Body    []byte // the one element in the body
	Outcome string // what the request came to, for counting
}

// Operation answers calls. An error that is no Fault and no SchemaError becomes a Server fault without details.
type Operation func(ctx context.Context, call Call) (Answer, error)

// Endpoint serves one operation of document style over HTTP.
type Endpoint struct {
	Action    string // the SOAPAction that callers must send
	Operation Operation
	Count     func(outcome string) // gets the outcome of every request
}

// ServeHTTP answers one request.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status := refused(r); status != http.StatusOK {
		e.Count("refused_http")
		http.Error(w, http.StatusText(status), status)
		return
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBytes))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		e.Count("refused_http")
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		e.Count("broken_off")
		return // the caller went away
	}
	answer, err := e.answer(r, data)
	status := http.StatusOK
	if err != nil {
		fault := faultOf(err)
		answer = Answer{Body: fault.write(), Outcome: "fault"}
		status = http.StatusInternalServerError
	}
	e.Count(answer.Outcome)
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(wrap(answer.Body)) // the caller may have gone away
}

// refused is the HTTP status of a request that is no SOAP 1.1 call, else 200.
func refused(r *http.Request) int {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	if err != nil || media != "text/xml" || charset != "" && charset != "utf-8" {
		return http.StatusUnsupportedMediaType
	}
	return http.StatusOK
}

func (e *Endpoint) answer(r *http.Request, data []byte) (Answer, error) {
	if values := r.Header.Values("SOAPAction"); len(values) != 1 || strings.Trim(values[0], `"`) != e.Action {
		return Answer{}, &Fault{Code: CodeClient, Text: "the SOAPAction is not this operation's"}
	}
	root, err := Parse(data)
	if err != nil {
		return Answer{}, err
	}
	body, err := Open(root)
	if err != nil {
		return Answer{}, err
	}
	call := Call{Body: body}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		call.Caller = r.TLS.PeerCertificates[0]
	}
	return e.Operation(r.Context(), call)
}

// Open returns the one element in the body of an envelope.
func Open(root *Node) (*Node, error) {
	if root.Name.Local != "Envelope" || root.Name.Space != Namespace {
		return nil, &Fault{Code: CodeVersionMismatch, Text: "not an envelope of SOAP 1.1"}
	}
	c := &Cursor{parent: root, rest: root.Children}
	if !blank(root.Text) {
		c.Fail("text between elements")
	}
	if header := c.Optional(Namespace, "Header"); header != nil {
		for _, entry := range header.Children {
			for _, a := range entry.Attrs {
				if a.Name == (xml.Name{Space: Namespace, Local: "mustUnderstand"}) && a.Value == "1" {
					return nil, &Fault{Code: CodeMustUnderstand, Text: "a header entry that is not understood"}
				}
			}
		}
	}
	body := c.Required(Namespace, "Body")
	if err := c.End(); err != nil {
		return nil, err
	}
	if len(body.Children) != 1 || !blank(body.Text) {
		return nil, broken(body, "one element expected")
	}
	return body.Children[0], nil
}

func faultOf(err error) *Fault {
	fault, schema := (*Fault)(nil), (*SchemaError)(nil)
	switch {
	case errors.As(err, &fault):
		return fault
	case errors.As(err, &schema):
		return &Fault{Code: CodeClient, Text: fmt.Sprintf("the request breaks the schema: %s: %s", schema.Element, schema.Rule)}
	case errors.Is(err, ErrMalformed):
		return &Fault{Code: CodeClient, Text: "the request is malformed"}
	default:
		return &Fault{Code: CodeServer, Text: "internal error"}
	}
}

// wrap puts an element into the body of an envelope.
func wrap(body []byte) []byte {
	const head = `<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="` + Namespace + `"><soap:Body>`
	const tail = `</soap:Body></soap:Envelope>`
	out := make([]byte, 0, len(head)+len(body)+len(tail))
	return append(append(append(out, head...), body...), tail...)
}

// write writes the fault; its code is qualified and its children are not.
func (f *Fault) write() []byte {
	var w Writer
	w.Open("soap:Fault")
	w.Value("faultcode", "soap:"+f.Code)
	w.Value("faultstring", f.Text)
	if f.Detail != nil {
		w.Open("detail")
		f.Detail(&w)
		w.Close("detail")
	}
	w.Close("soap:Fault")
	return w.Bytes()
}
