// Package connect is the check of a partner's first steps: certificate, key, clock, reach, TLS and agreement, one after the other, each with
// what to mend. It sends no personal data: the question about the agreement is a call without a person, which is refused in the one place or
// the other, and leaves a record like any other refusal.
package connect

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"samvirke.dev/certs/workload"
	"samvirke.dev/gateway/internal/problem"
	"samvirke.dev/services/platform/clock"
)

// Config says what to check.
type Config struct {
	URL               string // of the gateway
	Cert, Key, CA     string // PEM files
	Controller, Route string // whose data are asked for, and with which route; the agreement is not checked without a controller
	Clock             clock.Clock
}

// Finding is the outcome of one check.
type Finding struct {
	Name   string
	OK     bool
	Detail string // what was seen
	Mend   string // who must do what; empty when all is well
}

// Times that matter.
const (
	skewLimit = 30 * time.Second // more, and certificates and tokens look expired or not yet valid
	renewSoon = 14 * 24 * time.Hour
	patience  = 10 * time.Second
)

// run is a check in progress; each step stands on those before it.
type run struct {
	cfg    Config
	cert   tls.Certificate
	leaf   *x509.Certificate
	roots  *x509.CertPool
	client *http.Client
}

// Check makes all checks and stops after the first that nothing can follow. The last finding is not OK exactly when something must be mended.
func Check(ctx context.Context, cfg Config) []Finding {
	r := &run{cfg: cfg}
	var out []Finding
	for _, step := range []func(context.Context) Finding{r.files, r.identity, r.validity, r.reach, r.handshake, r.ready, r.agreement} {
		f := step(ctx)
		if f.Name == "" {
			continue
		}
		out = append(out, f)
		if !f.OK {
			break
		}
	}
	if r.client != nil {
		r.client.CloseIdleConnections()
	}
	return out
}

func (r *run) files(context.Context) Finding {
	f := Finding{Name: "certificate and key"}
	var err error
	if r.cert, err = tls.LoadX509KeyPair(r.cfg.Cert, r.cfg.Key); err != nil {
		f.Detail, f.Mend = err.Error(), "Name the files that you got for this system; the key must be the one that the certificate was issued for."
		return f
	}
	anchors, err := os.ReadFile(r.cfg.CA)
	r.roots = x509.NewCertPool()
	if err != nil || !r.roots.AppendCertsFromPEM(anchors) {
		f.Detail, f.Mend = "no trust anchor in the file of --ca", "Name the file with the operator's trust anchors."
		return f
	}
	r.leaf = r.cert.Leaf
	f.OK, f.Detail = true, "they belong together"
	return f
}

func (r *run) identity(context.Context) Finding {
	f := Finding{Name: "identity"}
	id, err := workload.FromCertificate(r.leaf)
	switch {
	case err != nil:
		f.Detail, f.Mend = err.Error(), "Ask the operator for a certificate of this network: its one URI is spiffe://DOMAIN/org/COUNTRY/NUMBER/SYSTEM."
	case id.Kind() != workload.KindOrganisation:
		f.Detail, f.Mend = id.String(), "This is a certificate of one of the operator's own services. Ask for one of your organisation."
	default:
		f.OK, f.Detail = true, fmt.Sprintf("organisation %s, system %s", id.Org(), id.System())
	}
	return f
}

func (r *run) validity(context.Context) Finding {
	f := Finding{Name: "validity"}
	now := r.cfg.Clock.Now()
	left := r.leaf.NotAfter.Sub(now).Round(time.Hour)
	switch {
	case now.Before(r.leaf.NotBefore):
		f.Detail, f.Mend = "valid from "+r.leaf.NotBefore.Format(time.RFC3339), "Set this machine's clock, or wait until then."
	case now.After(r.leaf.NotAfter):
		f.Detail, f.Mend = "expired at "+r.leaf.NotAfter.Format(time.RFC3339), "Have the certificate renewed, or set this machine's clock."
	case left < renewSoon:
		f.OK, f.Detail = true, fmt.Sprintf("valid for %s more: renew it soon", left)
	default:
		f.OK, f.Detail = true, fmt.Sprintf("valid for %d days more", int(left.Hours()/24))
	}
	return f
}

func (r *run) reach(ctx context.Context) Finding {
	f := Finding{Name: "reach"}
	at, err := url.Parse(r.cfg.URL)
	if err != nil || at.Scheme != "https" || at.Host == "" {
		f.Detail, f.Mend = "--url is no https address", "Name the gateway as the operator gave it, such as https://rest.samvirke.example."
		return f
	}
	host := at.Host
	if at.Port() == "" {
		host = net.JoinHostPort(at.Hostname(), "443")
	}
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", host)
	if err != nil {
		f.Detail, f.Mend = err.Error(), "Have your network let this machine connect to "+host+"."
		return f
	}
	_ = conn.Close()
	f.OK, f.Detail = true, host+" accepts connections"
	return f
}

// handshake makes the first request. With TLS 1.3 the client is done before the gateway has judged its certificate, so only an answer tells.
func (r *run) handshake(ctx context.Context) Finding {
	f := Finding{Name: "TLS and clock"}
	r.client = &http.Client{Timeout: patience, Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: r.roots, Certificates: []tls.Certificate{r.cert},
	}}}
	got, err := r.get(ctx, "/livez")
	if err != nil {
		f.Detail, f.Mend = explain(err)
		return f
	}
	if theirs, err := http.ParseTime(got.date); err == nil {
		if skew := r.cfg.Clock.Now().Sub(theirs).Abs(); skew > skewLimit {
			f.Detail, f.Mend = fmt.Sprintf("this machine's clock differs from the gateway's by %s", skew.Round(time.Second)), "Set the clock by NTP."
			return f
		}
	}
	f.OK, f.Detail = true, "TLS 1.3, the gateway's certificate is trusted, yours was accepted, the clocks agree"
	return f
}

// explain tells the two sides' refusals apart.
func explain(err error) (detail, mend string) {
	detail = err.Error()
	switch text := detail; {
	case is[*tls.CertificateVerificationError](err), is[x509.UnknownAuthorityError](err):
		mend = "The gateway's certificate does not chain to your trust anchors, or names another host: take the operator's current anchors and URL. Nothing between you and the gateway may open the connection."
	case strings.Contains(text, "remote error: tls"):
		mend = "The gateway refused your certificate: it is expired, revoked, or of an authority that is not trusted there. Have it renewed; if it is new, ask the operator."
	case strings.Contains(text, "protocol version"):
		mend = "Something between you and the gateway does not let TLS 1.3 through."
	default:
		mend = "The connection broke before an answer came. Look for a proxy in between, which must pass TLS on unopened."
	}
	return detail, mend
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// seen is what matters of an answer.
type seen struct {
	status int
	date   string
}

func (r *run) get(ctx context.Context, path string) (seen, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.cfg.URL+path, nil)
	if err != nil {
		return seen{}, err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return seen{}, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return seen{resp.StatusCode, resp.Header.Get("Date")}, errors.Join(err, resp.Body.Close())
}

func (r *run) ready(ctx context.Context) Finding {
	f := Finding{Name: "readiness"}
	got, err := r.get(ctx, "/readyz")
	switch {
	case err != nil:
		f.Detail, f.Mend = explain(err)
	case got.status >= http.StatusBadRequest:
		f.Detail, f.Mend = fmt.Sprintf("status %d", got.status), "The gateway or a service behind it is not ready. Try again later; if it lasts, ask the operator."
	default:
		f.OK, f.Detail = true, "the services behind the gateway serve"
	}
	return f
}

// agreement asks without a person and without a purpose: what is missing is told in a fixed order, so the first thing missing says how far
// the agreement carries.
func (r *run) agreement(ctx context.Context) Finding {
	if r.cfg.Controller == "" {
		return Finding{}
	}
	f := Finding{Name: "agreement"}
	body, err := json.Marshal(map[string]any{"context": map[string]string{"controllerId": r.cfg.Controller}})
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.cfg.URL+r.cfg.Route, bytes.NewReader(body))
	if err != nil {
		f.Detail, f.Mend = err.Error(), "Name a route as the documentation shows it, such as /v1/shares:fetch."
		return f
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		f.Detail, f.Mend = explain(err)
		return f
	}
	defer resp.Body.Close() //nolint:errcheck // read as far as needed
	var p problem.Problem
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&p); err != nil || p.Reason == "" {
		f.Detail, f.Mend = resp.Status, "This is no answer of a gateway of Samvirke. Check --url."
		return f
	}
	if p.Reason == "PURPOSE_MISSING" {
		f.OK, f.Detail = true, "in force with "+r.cfg.Controller+", and it grants "+r.cfg.Route
		return f
	}
	f.Detail, f.Mend = p.Reason+": "+p.Title, fmt.Sprintf("%s: %s (trace %s)", p.Actor, p.Action, p.TraceID)
	return f
}
