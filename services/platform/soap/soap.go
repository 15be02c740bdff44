// Package soap calls registers that speak SOAP 1.1 over mutual TLS. It knows no register: body and answer are the caller's own
// types with the names of encoding/xml.
//
// What comes back is read with suspicion (scan.go): no document type, no entities but XML's own five, no processing instructions,
// bounded in bytes, elements, attributes and depth. Inside the answer's root element unknown elements are passed over, so that a
// register may add to its schema. No error, span or address of this package holds anything of a request or an answer, because
// registers repeat their input.
//
// Sources: SOAP 1.1 (W3C note of 8 May 2000), sections 4 (envelope, fault) and 6 (HTTP binding).
package soap

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"samvirke.dev/services/platform/telemetry"
)

// SpanName is the name of the one span that a call leaves; telemetry must have it declared.
const SpanName = "samvirke.register/Call"

// Defaults of Deps.
const (
	DefaultMaxAnswer = 4 << 20
	DefaultTimeout   = 15 * time.Second
)

// Deps are what a client needs. URL and TLS are required.
type Deps struct {
	// URL is where the register listens: https, without user, query or fragment.
	URL string
	// TLS holds the client certificate, as Certificates or GetClientCertificate, and the authorities that the register's own
	// certificate may come from. Verification can't be switched off; versions below 1.2 are not spoken.
	TLS *tls.Config
	// Register names the register in spans, `SPAR`.
	Register string
	// MaxAnswer is the largest answer in bytes that is read; 0 for DefaultMaxAnswer.
	MaxAnswer int64
	// Timeout ends a call whose context has no earlier deadline; 0 for DefaultTimeout.
	Timeout time.Duration
	// Repeatable says that the register's operations only read. A call that meets a connection which the register just closed as
	// idle is then sent again on a new one instead of failing.
	Repeatable bool
	// Security protects the messages themselves, besides TLS; nil for none.
	Security Security
	// Transport tunes the connections (pool sizes, idle time); nil for sound defaults. It is copied. Its proxies, TLS and dialling
	// functions are not used.
	Transport *http.Transport
	// TracerProvider makes the span; nil for none.
	TracerProvider trace.TracerProvider
}

// Client calls one register. It keeps connections open between calls and is safe for concurrent use.
type Client struct {
	url       string
	http      *http.Client
	maxAnswer int64
	timeout   time.Duration
	repeat    bool
	tracer    trace.Tracer
	register  string
	memories  sync.Pool // of *memory
	security  Security
}

// New returns a client, or an error that says what is wrong with d.
func New(d Deps) (*Client, error) {
	u, err := url.Parse(d.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("soap: URL: want https://host/path without user, query or fragment")
	}
	transport, err := newTransport(d)
	if err != nil {
		return nil, err
	}
	if d.MaxAnswer < 0 || d.Timeout < 0 {
		return nil, errors.New("soap: a limit below zero")
	}
	c := &Client{
		url: u.String(), maxAnswer: d.MaxAnswer, timeout: d.Timeout, repeat: d.Repeatable, register: d.Register, security: d.Security,
		http: &http.Client{
			Transport: transport,
			// A redirect would send a person's data to an address that nobody configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if c.maxAnswer == 0 {
		c.maxAnswer = DefaultMaxAnswer
	}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	provider := d.TracerProvider
	if provider == nil {
		provider = noop.NewTracerProvider()
	}
	c.tracer = provider.Tracer("samvirke.dev/services/platform/soap")
	return c, nil
}

// Close closes the connections that nobody uses. The client may be used after it.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Call sends body, which encoding/xml must be able to marshal into one element with its namespace, and decodes the one child of
// the answer's body into answer. answer must be a pointer to a struct that says which element it wants: by an XMLName field tagged
// `namespace name`, or as a Rooted. action goes into the SOAPAction header and holds no quotation marks.
//
// Errors: *Fault; ErrUnreachable; ErrRefused; *HTTPError for a status that is none of these; ErrMalformed for an answer that is
// not SOAP 1.1 or has another root; ErrTooLarge; ErrUntrusted. If the context ended, its error is in the chain as well.
func (c *Client) Call(ctx context.Context, action string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	ctx, span := c.tracer.Start(ctx, SpanName, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(telemetry.KeyRegister.String(c.register)))
	defer span.End()
	status, err := c.call(ctx, action, body, answer)
	if status != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
	}
	if err != nil {
		span.SetAttributes(attribute.String("error.type", kindOf(err)))
		span.SetStatus(codes.Error, "")
	}
	return err
}

func (c *Client) call(ctx context.Context, action string, body, answer any) (status int, err error) {
	envelope, err := Encode(body)
	if err != nil {
		return 0, err
	}
	if c.security != nil {
		if envelope, err = c.security.Seal(envelope); err != nil {
			return 0, fmt.Errorf("soap: seal: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(envelope))
	if err != nil {
		return 0, fmt.Errorf("soap: request: %w", err)
	}
	if strings.ContainsFunc(action, func(r rune) bool { return r == '"' || r <= ' ' || r > '~' }) {
		return 0, errors.New("soap: action: want a URI")
	}
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	req.Header.Set("Accept", "text/xml")
	req.Header.Set("User-Agent", "samvirke")
	req.Header["SOAPAction"] = []string{`"` + action + `"`} // in the spelling of the standard: some servers insist
	if c.repeat {
		// An empty list tells net/http that it may send again, and puts no header on the wire.
		req.Header["Idempotency-Key"] = nil
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, transportError(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode, c.read(ctx, resp, answer)
}

// read turns a response into the answer or an error.
func (c *Client) read(ctx context.Context, resp *http.Response, answer any) error {
	bad := &HTTPError{Status: resp.StatusCode}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusInternalServerError:
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: %w", ErrRefused, bad)
	default:
		return bad
	}
	m := c.memory()
	defer c.keep(m)
	raw, err := readAll(&m.raw, resp.Body, c.maxAnswer, resp.ContentLength)
	switch {
	case errors.Is(err, ErrTooLarge):
		return err
	case err != nil:
		return transportError(ctx, err)
	}
	charset, err := charsetOf(resp.Header.Get("Content-Type"))
	if err == nil && c.security != nil {
		raw, charset, err = c.open(raw, charset, resp.StatusCode != http.StatusOK)
	}
	if err == nil {
		err = decode(raw, c.maxAnswer, charset, m, answer)
	}
	if _, isFault := errors.AsType[*Fault](err); !isFault && resp.StatusCode != http.StatusOK {
		return bad // whatever stands there, status 500 is no answer
	}
	return err
}

// charsetOf checks the type of the content and returns the character set that it names, in lower case, or "".
func charsetOf(contentType string) (string, error) {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || media != "text/xml" {
		return "", malformed("content type is not text/xml")
	}
	return strings.ToLower(params["charset"]), nil
}

// readAll reads up to limit bytes into buf and returns what stands there; hint is how many are announced, or -1. Errors: ErrTooLarge and those of r.
func readAll(buf *bytes.Buffer, r io.Reader, limit, hint int64) ([]byte, error) {
	if hint > limit {
		return nil, ErrTooLarge
	}
	if hint < 0 {
		hint = usualAnswer
	}
	buf.Grow(int(min(hint, limit, maxHint)) + bytes.MinRead)
	n, err := buf.ReadFrom(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, err
	case n > limit:
		return nil, ErrTooLarge
	}
	return buf.Bytes(), nil
}

// usualAnswer is room for most registers' answers about a person, in bytes.
const usualAnswer = 8 << 10

// maxHint is how much memory an announced length alone is worth, in bytes.
const maxHint = 256 << 10
