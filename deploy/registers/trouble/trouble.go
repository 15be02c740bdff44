// Package trouble makes a simulator misbehave on request, in the ways in which a register does: slow, gone, cut off, silent, overloaded or
// talking nonsense. It also hosts the listener, because a register that refuses connections has none.
package trouble

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Kind is a way to misbehave.
type Kind string

// The kinds. None answers as always.
const (
	None         Kind = ""
	Refuse       Kind = "refuse"        // no listener: connections are refused, those that stand are closed
	Reset        Kind = "reset"         // the connection is reset when a request has come
	Cut          Kind = "cut"           // half an answer, then the end of the connection
	Hang         Kind = "hang"          // half-open: the request is taken and no answer ever comes
	Unavailable  Kind = "http-503"      // HTTP status 503 with a page for humans
	HTML         Kind = "html"          // HTTP status 200 with a page for humans, as a proxy or a login puts in the way
	Garbage      Kind = "garbage"       // HTTP status 200 with bytes that are no XML
	GeneralError Kind = "general-error" // the register's own message that something went wrong
)

// kinds are all of them.
func kinds() []Kind {
	return []Kind{None, Refuse, Reset, Cut, Hang, Unavailable, HTML, Garbage, GeneralError}
}

// MaxLatency bounds what Set takes.
const MaxLatency = time.Hour

// ErrInvalid means a trouble that does not exist.
var ErrInvalid = errors.New("trouble: unknown kind, or latency or number of requests out of range")

// Trouble says how to misbehave.
type Trouble struct {
	Kind Kind
	// Latency comes before every answer, also without a kind.
	Latency time.Duration
	// Requests is for how many requests the trouble lasts; 0 until another is set. Refuse lasts until another is set.
	Requests int
}

// Counts is what a host has seen since its start.
type Counts struct {
	Requests int64            `json:"requests"`
	Outcomes map[string]int64 `json:"outcomes"`
}

// Deps are what a host needs.
type Deps struct {
	// TLS is the server's configuration; it must demand client certificates.
	TLS *tls.Config
	// Handler answers when nothing is wrong.
	Handler http.Handler
	// General answers in place of Handler during GeneralError.
	General http.Handler
	Logger  *slog.Logger
}

// Host serves a handler over mutual TLS, and misbehaves when told to. It is safe for concurrent use.
type Host struct {
	deps Deps
	done chan struct{} // closed by Close; frees what hangs
	wg   sync.WaitGroup

	setting sync.Mutex // one Open, Set or Close at a time
	addr    string
	server  *http.Server
	closed  bool

	mu       sync.Mutex
	current  Trouble
	requests int64
	outcomes map[string]int64
}

// New returns a host that is not open yet.
func New(d Deps) (*Host, error) {
	if d.TLS == nil || d.Handler == nil || d.General == nil || d.Logger == nil {
		return nil, errors.New("trouble: a dependency is missing")
	}
	if d.TLS.ClientAuth != tls.RequireAndVerifyClientCert || d.TLS.ClientCAs == nil {
		return nil, errors.New("trouble: the TLS configuration does not demand client certificates")
	}
	return &Host{deps: d, done: make(chan struct{}), outcomes: map[string]int64{}}, nil
}

// Open listens on addr, `host:port`; port 0 takes a free one, which is kept when the host comes back from Refuse.
func (h *Host) Open(ctx context.Context, addr string) error {
	h.setting.Lock()
	defer h.setting.Unlock()
	if h.server != nil || h.closed {
		return errors.New("trouble: opened twice")
	}
	h.addr = addr
	return h.listen(ctx)
}

// Addr is the address that is, or was last, listened on.
func (h *Host) Addr() string {
	h.setting.Lock()
	defer h.setting.Unlock()
	return h.addr
}

// Close ends everything at once and waits for it.
func (h *Host) Close() {
	h.setting.Lock()
	defer h.setting.Unlock()
	if h.closed {
		return
	}
	h.closed = true
	h.hangUp() // before what hangs is freed, which would look like an empty answer on a connection that stands
	close(h.done)
	h.wg.Wait()
}

// Set changes the trouble; the zero value ends it.
func (h *Host) Set(ctx context.Context, t Trouble) error {
	if !slices.Contains(kinds(), t.Kind) || t.Latency < 0 || t.Latency > MaxLatency || t.Requests < 0 {
		return ErrInvalid
	}
	h.setting.Lock()
	defer h.setting.Unlock()
	if h.closed {
		return errors.New("trouble: closed")
	}
	h.mu.Lock()
	h.current = t
	h.mu.Unlock()
	switch {
	case t.Kind == Refuse:
		h.hangUp()
		return nil
	case h.server == nil && h.addr != "":
		return h.listen(ctx)
	default:
		return nil
	}
}

// Counts returns a copy.
func (h *Host) Counts() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Counts{Requests: h.requests, Outcomes: maps.Clone(h.outcomes)}
}

// Count notes what a request came to.
func (h *Host) Count(outcome string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.outcomes[outcome]++
}

// Timeouts and sizes of the HTTP server.
const (
	readTimeout   = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeaderSize = 16 << 10
)

func (h *Host) listen(ctx context.Context) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", h.addr)
	if err != nil {
		return fmt.Errorf("trouble: listen: %w", err)
	}
	h.addr = ln.Addr().String()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // SOAP 1.1 speaks it, and a connection of its own is what Reset and Cut break
	server := &http.Server{
		Handler: h, TLSConfig: h.deps.TLS.Clone(), Protocols: protocols, ReadTimeout: readTimeout, ReadHeaderTimeout: readTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderSize, ErrorLog: slog.NewLogLogger(h.deps.Logger.Handler(), slog.LevelDebug),
	}
	h.server = server
	h.wg.Go(func() {
		if err := server.ServeTLS(ln, "", ""); !errors.Is(err, http.ErrServerClosed) {
			h.deps.Logger.ErrorContext(ctx, "the simulator's listener failed", "error", err)
		}
	})
	return nil
}

func (h *Host) hangUp() {
	if h.server != nil {
		_ = h.server.Close() // connections that are gone already are no trouble
		h.server = nil
	}
}

// take counts a request and returns the trouble that it meets.
func (h *Host) take() Trouble {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests++
	t := h.current
	if t.Requests > 0 {
		if h.current.Requests--; h.current.Requests == 0 {
			h.current = Trouble{}
		}
	}
	if t.Kind != None {
		h.outcomes["trouble_"+string(t.Kind)]++
	}
	return t
}

// ServeHTTP answers a request as the trouble of the moment says.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := h.take()
	if !h.pause(r.Context(), t.Latency) {
		drop(w)
		return
	}
	switch t.Kind {
	case Reset, Cut:
		h.breakOff(w, r, t.Kind)
	case Hang, Refuse:
		h.hang(w, r)
	case Unavailable:
		w.Header().Set("Retry-After", "1")
		page(w, http.StatusServiceUnavailable)
	case HTML:
		page(w, http.StatusOK)
	case Garbage:
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		_, _ = io.WriteString(w, "\x00\xff<soap:Envelope><not <xml") // the caller may have gone away
	case GeneralError:
		h.deps.General.ServeHTTP(w, r)
	default:
		h.deps.Handler.ServeHTTP(w, r)
	}
}

// page answers with a page for humans.
func page(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<!DOCTYPE html><html><body><p>Service unavailable<br></body></html>") // the caller may have gone away
}

// pause waits, and reports whether anybody is still there afterwards.
func (h *Host) pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-h.done:
	}
	return false
}

// hang takes the request and leaves the connection open until the caller gives up.
func (h *Host) hang(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxHeaderSize)) // only then does the server notice that the caller left
	select {
	case <-r.Context().Done():
	case <-h.done:
	}
	drop(w)
}

// drop ends the connection without a word. A handler that just returns would send an empty answer, which a caller who is leaving may
// still see.
func drop(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close() // whoever is there sees the end
	}
}

// breakOff ends the connection below TLS: with a reset, or after half an answer.
func (h *Host) breakOff(w http.ResponseWriter, r *http.Request, kind Kind) {
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxHeaderSize)) // a caller that is still writing would see that fail first
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		h.deps.Logger.ErrorContext(r.Context(), "the connection can't be taken over", "error", err)
		return
	}
	if kind == Cut {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: 4096\r\n\r\n<?xml version=\"1.0\"")
		_ = conn.Close()
		return
	}
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // makes Close a reset
	}
	_ = conn.Close()
}
