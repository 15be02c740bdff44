// Package edge is the HTTP side of the gateway: what a request must be before it is passed on, and what an answer carries. All checks are
// made before a service hears of the call; every refusal is a problem of package problem.
package edge

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"samvirke.dev/certs/workload"
	"samvirke.dev/gateway/internal/caller"
	"samvirke.dev/gateway/internal/problem"
	"samvirke.dev/gateway/internal/token"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/errs"
)

// Limits bound what one caller can take.
type Limits struct {
	Body     int64 // bytes of a request's body
	InFlight int   // calls under way of one organisation; more are told to come again
}

// Tokens checks bearer tokens; *token.Issuer does.
type Tokens interface {
	Check(raw string, id workload.ID, cert *x509.Certificate) (scope []string, err error)
}

// Deps is what an edge is made of. Tokens may be nil: then a bearer token is refused.
type Deps struct {
	Log         *slog.Logger
	Clock       clock.Clock
	Tracer      trace.Tracer
	Propagator  propagation.TextMapPropagator
	Instruments *Instruments
	Tokens      Tokens
	Limits      Limits
	Retirements []Retirement
	Workers     *Workers
}

// Edge wraps the routes.
type Edge struct {
	Deps
	flights *flights
	spents  *spents
}

// New returns an edge.
func New(d Deps) *Edge {
	return &Edge{Deps: d, flights: newFlights(d.Limits.InFlight), spents: newSpents(d.Clock)}
}

// step is one part of the way in; it answers itself, or goes on.
type step func(next http.Handler) http.Handler

// API is the way to the RPCs: outermost first. Whatever is refused is refused before the next step.
func (e *Edge) API(routes http.Handler) http.Handler {
	steps := []step{
		safe, e.observed, e.recovered, e.dated, e.shaped, e.identified, e.fair, e.readable, e.frugal,
		e.Workers.serve, e.recovered, e.keyed, bare, // from here on a call is worth a worker
	}
	for _, s := range slices.Backward(steps) {
		routes = s(routes)
	}
	return routes
}

// Page is the way to what needs no caller: documentation, health, tokens.
func (e *Edge) Page(h http.Handler) http.Handler { return safe(e.observed(e.recovered(h))) }

// safe sets the headers that every answer carries. Nothing is ever kept by a cache: answers hold personal data, errors say who calls.
func safe(next http.Handler) http.Handler {
	noStore, transport, noSniff, noReferrer := []string{"no-store"}, []string{"max-age=63072000"}, []string{"nosniff"}, []string{"no-referrer"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header() // these names are canonical, and whoever adds to one of these values gets a copy
		h["Cache-Control"], h["Strict-Transport-Security"], h["X-Content-Type-Options"], h["Referrer-Policy"] = noStore, transport, noSniff, noReferrer
		next.ServeHTTP(w, r)
	})
}

// recovered turns a panic into a problem.
func (e *Edge) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { //nolint:contextcheck // it is the request's
			if p := recover(); p != nil {
				// What it said may repeat the request; only the stack is told.
				e.Log.ErrorContext(r.Context(), "a request panicked", "stack", string(debug.Stack()))
				e.refuse(w, r, errs.New(commonv1.Reason_REASON_INTERNAL))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// shaped refuses what no call of ours looks like: other methods than POST, paths that can be read in two ways, queries, and protocols
// that want to be upgraded. Personal data in a URL can't come in this way (SEC-06).
func (e *Edge) shaped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
			// Where such a body ends is what parsers have disagreed about; nothing that follows it is taken for a request.
			w.Header().Set("Connection", "close")
		}
		switch {
		case r.URL.RawPath != "" || strings.Contains(r.URL.Path, "//") || strings.Contains(r.URL.Path, "/.") || strings.ContainsAny(r.URL.Path, "\\;%\x00"):
			problem.Of(e.traced(r, errs.New(commonv1.Reason_REASON_UNIMPLEMENTED, errs.Detail("Write the path as it is published.")))).As(http.StatusNotFound).Write(w)
		case r.URL.RawQuery != "" || r.URL.ForceQuery:
			e.refuse(w, r, errs.New(commonv1.Reason_REASON_INVALID_REQUEST, errs.Detail("Routes take no query: everything stands in the body.")))
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", http.MethodPost)
			problem.Of(e.traced(r, errs.New(commonv1.Reason_REASON_UNIMPLEMENTED, errs.Detail("Routes are called with POST.")))).As(http.StatusMethodNotAllowed).Write(w)
		case len(r.Header.Values("X-HTTP-Method-Override")) > 0 || r.Header.Get("Upgrade") != "":
			e.refuse(w, r, errs.New(commonv1.Reason_REASON_INVALID_REQUEST, errs.Detail("Method overrides and upgrades are not taken.")))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// peer is who is at the other end of a connection. Its certificate is read once.
type peer struct {
	once sync.Once
	who  caller.Caller
	err  error
}

type peerKey struct{}

// Connected gives a connection a place for who is at its other end; it is http.Server's ConnContext.
func Connected(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, new(peer))
}

// peerOf returns who is at the other end of a request's connection.
func peerOf(r *http.Request) (caller.Caller, error) {
	p, ok := r.Context().Value(peerKey{}).(*peer)
	if !ok {
		p = new(peer)
	}
	p.once.Do(func() {
		id, err := workload.FromState(*r.TLS)
		if err == nil && id.Kind() != workload.KindOrganisation {
			err = errors.New("the certificate is no organisation's")
		}
		if p.err = err; err == nil {
			p.who = caller.New(id)
		}
	})
	return p.who, p.err
}

// identified reads who calls from the verified certificate, and narrows it to a token where one is shown.
func (e *Edge) identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		place, _ := caller.From(r.Context())
		if r.TLS == nil || place == nil {
			e.refuse(w, r, errs.New(commonv1.Reason_REASON_CALLER_UNKNOWN))
			return
		}
		who, err := peerOf(r)
		if err != nil {
			e.refuse(w, r, errs.New(commonv1.Reason_REASON_CALLER_UNKNOWN, errs.Cause(err)))
			return
		}
		raw, ok := token.Bearer(r)
		if ok && raw != "" {
			who.Scope, err = e.check(raw, who.ID, r.TLS.VerifiedChains[0][0])
			ok = err == nil
		}
		if !ok {
			// RFC 6750 section 3. Why exactly is for the log: the holder of a stolen token learns nothing.
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			e.refuse(w, r, errs.New(commonv1.Reason_REASON_CALLER_UNKNOWN, errs.Cause(err),
				errs.Detail("The token is not valid over this connection: fetch a new one with the certificate in use, or call without.")))
			return
		}
		*place = who
		next.ServeHTTP(w, r)
	})
}

func (e *Edge) check(raw string, id workload.ID, cert *x509.Certificate) ([]string, error) {
	if e.Tokens == nil {
		return nil, token.ErrInvalid
	}
	scope, err := e.Tokens.Check(raw, id, cert)
	if err == nil && scope == nil {
		scope = []string{} // a token without scope opens nothing
	}
	return scope, err
}

// keyed takes the idempotency key from its header (draft-ietf-httpapi-idempotency-key-header): a plain or quoted key of the form that
// request_id takes.
func (e *Edge) keyed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		values := r.Header.Values("Idempotency-Key")
		if len(values) == 0 {
			next.ServeHTTP(w, r)
			return
		}
		key := strings.TrimSuffix(strings.TrimPrefix(values[0], `"`), `"`)
		if len(values) > 1 || !isKey(key) {
			e.refuse(w, r, errs.New(commonv1.Reason_REASON_INVALID_REQUEST,
				errs.Detail("Idempotency-Key must stand once and hold 16 to 64 characters of A-Z, a-z, 0-9, _ and -.")))
			return
		}
		who, _ := caller.From(r.Context())
		who.RequestID = key
		next.ServeHTTP(w, r)
	})
}

// bare takes from the request what has been read of it: no service hears of it, and grpc-gateway would look at each header anew.
func bare(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header, r.Host, r.RemoteAddr = nil, "", "" // of the copy that observed has made
		next.ServeHTTP(w, r)
	})
}

func isKey(s string) bool {
	if len(s) < 16 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// refuse answers with a problem that names the trace.
func (e *Edge) refuse(w http.ResponseWriter, r *http.Request, err *errs.Error) {
	e.Log.InfoContext(r.Context(), "request refused", "reason", errs.Name(err.Reason()), "error", err.Error())
	problem.Write(w, e.traced(r, err))
}

// turnAway is refuse for callers who call more than they may: it leaves the counting to the metrics, since a line each would be theirs to
// fill the log with.
func (e *Edge) turnAway(w http.ResponseWriter, r *http.Request, err *errs.Error) {
	if s, ok := w.(*seen); ok {
		s.quiet = true
	}
	problem.Write(w, e.traced(r, err))
}

func (e *Edge) traced(r *http.Request, err *errs.Error) error {
	return err.WithTrace(traceID(r.Context()), "")
}

func traceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}

// Refused is the mux's handler of errors: of services, of decoding, of routing.
func (e *Edge) Refused(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	reason := errs.ReasonOf(err)
	e.answered(ctx, w, reason == commonv1.Reason_REASON_QUOTA_EXCEEDED)
	if reason == commonv1.Reason_REASON_UNSPECIFIED {
		err = e.traced(r, unreadable(err))
	} else if own, ok := err.(*errs.Error); ok { //nolint:errorlint // made here, by the backends
		err = e.traced(r, own)
	}
	problem.Write(w, err)
}

// unreadable is what the mux says of a body that is no message of the RPC. Its text repeats the body; the place in it does not.
func unreadable(err error) *errs.Error {
	return errs.New(commonv1.Reason_REASON_MESSAGE_UNREADABLE, errs.Detail(place(err.Error())))
}

// place finds "line 3:14" in the text of the JSON decoder.
func place(text string) string {
	const mark = "(line "
	at := strings.Index(text, mark)
	if at < 0 {
		return "The body must be one JSON object of the route's fields, and of no others."
	}
	where := text[at+len(mark):]
	end := strings.IndexByte(where, ')')
	if end < 0 || end > 16 || strings.Trim(where[:end], "0123456789:") != "" {
		return "The body must be one JSON object of the route's fields, and of no others."
	}
	return "See line and column " + where[:end] + " of the body: a field that the route does not have, or a value of another kind."
}

// Lost is the mux's handler of paths that no route has.
func (e *Edge) Lost(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, status int) {
	if status != http.StatusMethodNotAllowed && status != http.StatusBadRequest {
		status = http.StatusNotFound
	}
	problem.Of(e.traced(r, errs.New(commonv1.Reason_REASON_UNIMPLEMENTED))).As(status).Write(w)
}

// Retirement is a version of the API that will end.
type Retirement struct {
	// Prefix begins the paths of the version, such as /v1/.
	Prefix string
	// Deprecated is since when its use is discouraged, Sunset when it ends.
	Deprecated, Sunset time.Time
	// Link leads to what replaces it; empty for none.
	Link string
}

// dated tells the callers of a version that will end (RFC 9745, RFC 8594).
func (e *Edge) dated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, v := range e.Retirements {
			if !strings.HasPrefix(r.URL.Path, v.Prefix) {
				continue
			}
			h := w.Header()
			h.Set("Deprecation", "@"+unix(v.Deprecated))
			if !v.Sunset.IsZero() {
				h.Set("Sunset", v.Sunset.UTC().Format(http.TimeFormat))
			}
			if v.Link != "" {
				h.Add("Link", "<"+v.Link+`>; rel="deprecation"`)
			}
		}
		next.ServeHTTP(w, r)
	})
}
