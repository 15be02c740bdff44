// Package console is the web page of the audit service: exchanges as they happen and by search, one exchange as a waterfall across services
// drawn from the audit records, its receipt checked in the page, refusals and anomalies, the state of services and ledger.
//
// It shows what a platform team may know: organisations, purposes, bases, names of fields, decisions, times. The person, the caller's
// employee and the digests of bodies stay withheld, whoever looks; for those there are the auditor's RPCs. Each look is noted in the audit itself.
//
// Nothing is fetched from elsewhere, no script or style stands in a page, everything shown is escaped by html/template or set as text.
// Without a configured viewer or sign-in there is no console.
package console

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/platform/clock"
)

//go:embed templates static
var files embed.FS

// Records is the part of the store that the console reads.
type Records interface {
	// Search is store.Store's.
	Search(ctx context.Context, q store.Query) (store.Found, error)
	// Get is store.Store's.
	Get(ctx context.Context, event [16]byte, item uint32) (store.Row, error)
	// Counts is store.Store's.
	Counts(ctx context.Context, from, until time.Time) ([]store.Bucket, error)
}

// Reading is one look into the audit, to be noted in the audit.
type Reading struct {
	Viewer Viewer
	What   string // one of the constants below
	Event  string // the event looked at, or ""
	Count  int    // records shown
	Began  time.Time
}

// What can be looked at, as names of RPCs in records.
const (
	ReadSearch  = "samvirke.audit.Console/Search"
	ReadLive    = "samvirke.audit.Console/Live"
	ReadEvent   = "samvirke.audit.Console/Exchange"
	ReadReceipt = "samvirke.audit.Console/Receipt"
	ReadRefused = "samvirke.audit.Console/Refusals"
)

// Member is an instance of a service as the audit service sees it.
type Member struct {
	Service, Instance string
	// CertificateExpires is of the certificate with which it last shipped; KeysExpire, where known, when its keys stop working without Vault.
	CertificateExpires, KeysExpire time.Time
	// LastShipped is when its last batch came.
	LastShipped time.Time
}

// Log is the state of the ledger's present log.
type Log struct {
	Origin     string
	Size       uint64    // records in the log
	Signed     uint64    // records under the last signed checkpoint
	SignedAt   time.Time // when it was signed
	Checkpoint string
	Problem    string // what an operator must know, or ""
}

// Deps is what the console needs; all but Names, Fleet and Log are required.
type Deps struct {
	Records Records
	// Exchange opens the part of a record that both parties may see. ErrErased when only the leaf is left.
	Exchange func(ctx context.Context, row store.Row) (*auditv1.Record, error)
	// Receipt returns the proof of a record, the person, the staff and the bodies withheld.
	Receipt func(ctx context.Context, event string, item uint32) (*auditv1.Receipt, error)
	// Keys returns the ledger's public keys as text, the present one first.
	Keys func() []string
	// Note makes a reading durable in the audit; if it fails nothing is shown (SEC-07).
	Note func(ctx context.Context, r Reading) error
	// Names returns an organisation's name, or "".
	Names func(organisation string) string
	// Fleet lists what shipped lately.
	Fleet func() []Member
	// Log returns the ledger's state.
	Log    func(ctx context.Context) (Log, error)
	Clock  clock.Clock
	Logger *slog.Logger
	// Gate says who may look.
	Gate *Gate
}

// ErrErased says that a record was erased, so that nothing of it can be shown.
var ErrErased = errors.New("the record was erased")

// Console is the HTTP handler.
type Console struct {
	deps   Deps
	pages  map[string]*template.Template
	mux    *http.ServeMux
	lives  chan struct{} // a token for each live view under way
	period time.Duration // between two looks of a live view
}

// maxLives bounds the live views that run at once.
const maxLives = 64

// New builds the handler. It refuses to come up without anybody who may look.
func New(d Deps) (*Console, error) {
	if d.Records == nil || d.Exchange == nil || d.Receipt == nil || d.Note == nil || d.Clock == nil || d.Logger == nil || d.Keys == nil {
		return nil, errors.New("console: a part is missing")
	}
	if d.Gate == nil || d.Gate.closed() {
		return nil, errors.New("console: nobody may look: name viewers, or a sign-in")
	}
	if d.Names == nil {
		d.Names = func(string) string { return "" }
	}
	c := &Console{deps: d, mux: http.NewServeMux(), lives: make(chan struct{}, maxLives), period: time.Second}
	if err := c.parse(); err != nil {
		return nil, err
	}
	static, err := fs.Sub(files, "static")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	c.mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(static)))
	c.mux.HandleFunc("GET /sign-in", c.signInPage)
	c.mux.HandleFunc("POST /sign-in", c.signIn)
	c.mux.HandleFunc("POST /sign-out", c.signOut)
	for pattern, page := range map[string]func(http.ResponseWriter, *http.Request, Viewer) error{
		"GET /{$}": c.exchanges, "GET /live": c.live, "GET /exchange/{event}/{item}": c.exchange, "GET /receipt/{event}/{item}": c.receipt,
		"GET /refusals": c.refusals, "GET /services": c.services,
	} {
		c.mux.HandleFunc(pattern, c.guarded(page))
	}
	return c, nil
}

// headers go with every answer. No source but this one, nothing inline, no frame around it, nothing kept.
func headers() map[string]string {
	return map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
			"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY",
		"Permissions-Policy": "camera=(), microphone=(), geolocation=()",
	}
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for k, v := range headers() {
		w.Header().Set(k, v)
	}
	c.mux.ServeHTTP(w, r)
}

// guarded lets only viewers in and turns errors into pages.
func (c *Console) guarded(page func(http.ResponseWriter, *http.Request, Viewer) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		viewer, ok := c.deps.Gate.viewer(r, c.deps.Clock.Now())
		if !ok {
			c.refuse(w, r)
			return
		}
		err := page(w, r, viewer)
		switch bad, isWrong := errors.AsType[*requestError](err); {
		case err == nil, r.Context().Err() != nil:
		case isWrong:
			c.problem(w, r, http.StatusBadRequest, bad.text)
		case errors.Is(err, store.ErrNotFound):
			c.problem(w, r, http.StatusNotFound, "There is no such record.")
		default:
			c.deps.Logger.ErrorContext(r.Context(), "console page failed", "route", r.Pattern, "error", err)
			c.problem(w, r, http.StatusServiceUnavailable, "The page could not be made. The service's log tells why; try again in a moment.")
		}
	}
}

// requestError is a request that can't be answered; its text is for the viewer and holds nothing of the request.
type requestError struct{ text string }

// Error implements error.
func (b *requestError) Error() string { return b.text }

func (c *Console) note(ctx context.Context, began time.Time, v Viewer, what, event string, count int) error {
	err := c.deps.Note(context.WithoutCancel(ctx), Reading{Viewer: v, What: what, Event: event, Count: count, Began: began})
	if err != nil {
		return fmt.Errorf("console: note the reading: %w", err)
	}
	return nil
}
