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
	// Larger is by how much a request may exceed the limits, for operations that take many things at once; 0 for not at all.
	Larger int
	// Security opens requests and seals answers, for services that want signed messages; nil for none.
	Security Security
}

// Security protects messages.
type Security interface {
	// Open checks a request and returns the envelope without what protects it. Its error becomes a Client fault.
	Open(envelope []byte) ([]byte, error)
	// Seal returns an answer with its protection.
	Seal(envelope []byte) ([]byte, error)
}

// limits are how many bytes and elements a request may have.
func (e *Endpoint) limits() (bytes, nodes int) {
	more := max(e.Larger, 1)
	return MaxBytes * more, MaxNodes * more
}

// ServeHTTP answers one request.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status := refused(r); status != http.StatusOK {
		e.Count("refused_http")
		http.Error(w, http.StatusText(status), status)
		return
	}
	most, _ := e.limits()
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(most)))
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
	out := wrap(answer.Body)
	if e.Security != nil {
		if out, err = e.Security.Seal(out); err != nil {
			e.Count("internal")
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
			return
		}
	}
	e.Count(answer.Outcome)
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out) // the caller may have gone away
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
	most, nodes := e.limits()
	root, err := parse(data, most, nodes)
	if err == nil && e.Security != nil {
		// The message is known to be harmless XML by now; what was signed is read again, alone.
		if data, err = e.Security.Open(data); err != nil {
			return Answer{}, &Fault{Code: CodeClient, Text: "the request is not signed as it must be"}
		}
		root, err = parse(data, 2*most, nodes)
	}
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
