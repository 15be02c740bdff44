package mtls_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
)

const domain = "samvirke.test"

// listener accepts connections and tells each accepted client who it is; what the server thought of each lies in outcomes.
type listener struct {
	addr     string
	outcomes chan error
}

func listen(t *testing.T, cfg *tls.Config) *listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &listener{addr: l.Addr().String(), outcomes: make(chan error, 64)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { s.outcomes <- greet(tls.Server(c, cfg)) })
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
	return s
}

// settled takes the outcome of a call whose outcome on the server's side says nothing new.
func (l *listener) settled(t *testing.T) {
	t.Helper()
	t.Logf("server said %v", <-l.outcomes)
}

func greet(c *tls.Conn) error {
	defer func() { _ = c.Close() }() // the handshake or the greeting has the say
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if err := c.Handshake(); err != nil {
		return err
	}
	id, err := workload.FromState(c.ConnectionState())
	if err != nil {
		return err
	}
	_, err = io.WriteString(c, id.String())
	return err
}

// call connects and reads the greeting; in TLS 1.3 a refusal by the server reaches the client with the first read.
func call(ctx context.Context, addr string, cfg *tls.Config) (greeting string, cs tls.ConnectionState, err error) {
	d := tls.Dialer{Config: cfg}
	raw, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", cs, err
	}
	defer func() { _ = raw.Close() }() // the read has the say
	conn := raw.(*tls.Conn)
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", cs, err
	}
	all, err := io.ReadAll(conn)
	return string(all), conn.ConnectionState(), err
}

// fixture is a server of a trust domain that takes organisations, and a client source it would take.
type fixture struct {
	ca             *certtest.CA
	server, client *certtest.Source
	serverID       workload.ID
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	ca := certtest.New(t, domain)
	f := &fixture{ca: ca, serverID: ca.Service("identity")}
	f.server = ca.Source(f.serverID)
	f.client = ca.Source(ca.Organisation("DK", "12345678", "caseworker"))
	return f
}

func (f *fixture) serve(t *testing.T) *listener {
	t.Helper()
	cfg, err := mtls.ServerConfig(f.server, mtls.Accept{TrustDomains: []string{domain}, Kinds: []workload.Kind{workload.KindOrganisation}})
	if err != nil {
		t.Fatal(err)
	}
	return listen(t, cfg)
}

func clientConfig(t *testing.T, src mtls.Source, expect ...workload.ID) *tls.Config {
	t.Helper()
	cfg, err := mtls.ClientConfig(src, expect...)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// covers: SEC-01
func TestAccepted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	l := f.serve(t)
	greeting, cs, err := call(t.Context(), l.addr, clientConfig(t, f.client, f.serverID))
	if err != nil {
		t.Fatal(err)
	}
	if greeting != "spiffe://samvirke.test/org/DK/12345678/caseworker" {
		t.Errorf("server saw %q", greeting)
	}
	if cs.Version != tls.VersionTLS13 || cs.NegotiatedProtocol != "h2" {
		t.Errorf("version %x, protocol %q", cs.Version, cs.NegotiatedProtocol)
	}
	if err := <-l.outcomes; err != nil {
		t.Error(err)
	}
}

// bare presents a certificate as it is, with none of our client's own checks in the way.
func bare(certs ...tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: certs, InsecureSkipVerify: true, NextProtos: []string{"h2"}}
}

// TestServerRefuses: each of these strangers ends at the handshake, and the server knows why.
// covers: SEC-01
func TestServerRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	foreign := certtest.New(t, domain)
	org := f.ca.Organisation("DK", "12345678", "caseworker")
	elsewhere := func() workload.ID {
		id, err := workload.Organisation("elsewhere.test", "DK", "12345678", "caseworker")
		if err != nil {
			t.Fatal(err)
		}
		return id
	}()
	revoked := f.ca.Issue(org)
	f.ca.Revoke(revoked.Leaf)
	old := bare(*f.ca.Issue(org))
	old.MaxVersion = tls.VersionTLS12
	l := f.serve(t)
	for name, c := range map[string]struct {
		cfg *tls.Config
		why string
	}{
		"no certificate":       {bare(), "didn't provide a certificate"},
		"foreign authority":    {bare(*foreign.Issue(org)), "unknown authority"},
		"expired":              {bare(*f.ca.Issue(org, certtest.Expired())), "expired"},
		"not yet valid":        {bare(*f.ca.Issue(org, certtest.NotYetValid())), "not yet valid"},
		"revoked":              {bare(*revoked), "is revoked"},
		"server's usage only":  {bare(*f.ca.Issue(org, certtest.Usages(x509.ExtKeyUsageServerAuth))), "incompatible key usage"},
		"no usage":             {bare(*f.ca.Issue(org, certtest.Usages())), "lacks the extended key usage"},
		"any usage":            {bare(*f.ca.Issue(org, certtest.Usages(x509.ExtKeyUsageAny))), "lacks the extended key usage"},
		"two URI SANs":         {bare(*f.ca.Issue(org, certtest.AddURIs("spiffe://samvirke.test/svc/audit"))), "want exactly one URI SAN, have 2"},
		"no URI SAN":           {bare(*f.ca.Issue(org, certtest.URIs(), certtest.DNS("caseworker.samvirke.test"))), "want exactly one URI SAN, have 0"},
		"malformed URI SAN":    {bare(*f.ca.Issue(org, certtest.URIs("spiffe://samvirke.test/admin"))), "malformed"},
		"foreign trust domain": {bare(*f.ca.Issue(elsewhere)), `trust domain "elsewhere.test" is not accepted`},
		"wrong kind":           {bare(*f.ca.Issue(f.ca.Service("income"))), "kind service is not accepted"},
		"an authority":         {bare(*f.ca.Issue(org, certtest.Authority())), ""},
		"TLS 1.2":              {old, "unsupported versions"},
	} {
		t.Run(name, func(t *testing.T) { // one after another: the outcome belongs to the call
			greeting, _, err := call(t.Context(), l.addr, c.cfg)
			if err == nil || greeting != "" {
				t.Fatalf("let in as %q", greeting)
			}
			if why := <-l.outcomes; why == nil || !strings.Contains(why.Error(), c.why) {
				t.Errorf("server said %v, want %q", why, c.why)
			}
		})
	}
}

// TestServerRefusesOtherIDs: a listener for named peers takes no other one of the same kind.
func TestServerRefusesOtherIDs(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t, domain)
	audit, gateway := ca.Service("audit"), ca.Service("gateway")
	cfg, err := mtls.ServerConfig(ca.Source(audit), mtls.Accept{
		TrustDomains: []string{domain}, Kinds: []workload.Kind{workload.KindService}, IDs: []workload.ID{gateway},
	})
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, cfg)
	if _, _, err := call(t.Context(), l.addr, clientConfig(t, ca.Source(gateway), audit)); err != nil {
		t.Error(err)
	}
	l.settled(t)
	if _, _, err := call(t.Context(), l.addr, clientConfig(t, ca.Source(ca.Service("income")), audit)); err == nil {
		t.Error("a service outside the list was let in")
	}
	if err := <-l.outcomes; !errors.Is(err, mtls.ErrRefused) {
		t.Errorf("server said %v", err)
	}
}

// TestRevokedOnResumption: a session ticket is no way around a revocation.
// covers: SEC-01
func TestRevokedOnResumption(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	l := f.serve(t)
	cfg := clientConfig(t, f.client, f.serverID)
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	cfg.ServerName = "identity"
	for i := range 2 {
		_, cs, err := call(t.Context(), l.addr, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if cs.DidResume != (i == 1) {
			t.Fatalf("call %d resumed: %v", i, cs.DidResume)
		}
		if err := <-l.outcomes; err != nil {
			t.Fatal(err)
		}
	}
	f.client.Revoke()
	if _, _, err := call(t.Context(), l.addr, cfg); err == nil {
		t.Error("revoked client was let in on a resumed session")
	}
	if err := <-l.outcomes; !errors.Is(err, mtls.ErrRefused) || !strings.Contains(err.Error(), "is revoked") {
		t.Errorf("server said %v", err)
	}
}

// TestServerRevokedOnResumption is the same from the client's side.
func TestServerRevokedOnResumption(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	l := f.serve(t)
	cfg := clientConfig(t, f.client, f.serverID)
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	cfg.ServerName = "identity"
	if _, _, err := call(t.Context(), l.addr, cfg); err != nil {
		t.Fatal(err)
	}
	l.settled(t)
	f.server.Revoke()
	if _, cs, err := call(t.Context(), l.addr, cfg); !errors.Is(err, mtls.ErrRefused) {
		t.Errorf("revoked server was taken (resumed: %v): %v", cs.DidResume, err)
	}
	l.settled(t)
}

// TestUnknownRevocationRefuses: when nobody can tell, the answer is no.
// covers: SEC-01
func TestUnknownRevocationRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	l := f.serve(t)
	f.ca.LoseRevocation(errors.New("list is out of date"))
	if _, _, err := call(t.Context(), l.addr, bare(*f.ca.Issue(f.ca.Organisation("DK", "12345678", "caseworker")))); err == nil {
		t.Error("let in without knowledge of revocation")
	}
	if err := <-l.outcomes; err == nil || !strings.Contains(err.Error(), "revocation unknown") {
		t.Errorf("server said %v", err)
	}
	if _, _, err := call(t.Context(), l.addr, clientConfig(t, f.client, f.serverID)); err == nil || !strings.Contains(err.Error(), "revocation unknown") {
		t.Errorf("client said %v", err)
	}
	l.settled(t)
}

// TestClientRefuses: the client talks to the one it means, whatever the address.
// covers: SEC-01
func TestClientRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	foreign := certtest.New(t, domain)
	revoked := f.ca.Issue(f.serverID)
	f.ca.Revoke(revoked.Leaf)
	for name, c := range map[string]struct {
		cert *tls.Certificate
		why  string
	}{
		"foreign authority":   {foreign.Issue(f.serverID), "unknown authority"},
		"another service":     {f.ca.Issue(f.ca.Service("income")), "was not expected"},
		"an organisation":     {f.ca.Issue(f.ca.Organisation("DK", "12345678", "identity")), "was not expected"},
		"expired":             {f.ca.Issue(f.serverID, certtest.Expired()), "expired"},
		"not yet valid":       {f.ca.Issue(f.serverID, certtest.NotYetValid()), "not yet valid"},
		"revoked":             {revoked, "is revoked"},
		"client's usage only": {f.ca.Issue(f.serverID, certtest.Usages(x509.ExtKeyUsageClientAuth)), "incompatible key usage"},
		"no usage":            {f.ca.Issue(f.serverID, certtest.Usages()), "lacks the extended key usage"},
		"two URI SANs":        {f.ca.Issue(f.serverID, certtest.AddURIs("spiffe://samvirke.test/svc/audit")), "want exactly one URI SAN"},
		"host name only":      {f.ca.Issue(f.serverID, certtest.URIs(), certtest.DNS("localhost")), "want exactly one URI SAN"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := listen(t, &tls.Config{Certificates: []tls.Certificate{*c.cert}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13})
			_, _, err := call(t.Context(), l.addr, clientConfig(t, f.client, f.serverID))
			if !errors.Is(err, mtls.ErrRefused) || !strings.Contains(err.Error(), c.why) {
				t.Errorf("client said %v, want %q", err, c.why)
			}
		})
	}
}

func TestClientRefusesTLS12(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	l := listen(t, &tls.Config{Certificates: []tls.Certificate{*f.ca.Issue(f.serverID)}, MaxVersion: tls.VersionTLS12})
	if _, _, err := call(t.Context(), l.addr, clientConfig(t, f.client, f.serverID)); err == nil {
		t.Error("client spoke TLS 1.2")
	}
}

// TestRotation: new connections see the new leaf at once, both ways, with the same configurations.
func TestRotation(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	l := f.serve(t)
	cfg := clientConfig(t, f.client, f.serverID)
	for range 3 {
		want := f.server.Rotate()
		f.client.Rotate()
		_, cs, err := call(t.Context(), l.addr, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got := cs.PeerCertificates[0].SerialNumber; got.Cmp(want.Leaf.SerialNumber) != 0 {
			t.Errorf("served %x, want %x", got, want.Leaf.SerialNumber)
		}
		if err := <-l.outcomes; err != nil {
			t.Error(err)
		}
	}
	f.server.Expire()
	if _, _, err := call(t.Context(), l.addr, cfg); err == nil {
		t.Error("a server without valid certificate still serves")
	}
	l.settled(t)
}

// hollow is a source with parts missing.
type hollow struct {
	mtls.Source

	cert  *tls.Certificate
	err   error
	roots *x509.CertPool
}

func (h hollow) Certificate() (*tls.Certificate, error) { return h.cert, h.err }
func (h hollow) Roots() *x509.CertPool                  { return h.roots }

// TestNothingMissing: whatever is missing keeps a listener from existing; none is ever open by default.
// covers: SEC-01
func TestNothingMissing(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t, domain)
	id := ca.Service("identity")
	src, leaf := ca.Source(id), ca.Issue(id)
	all := mtls.Accept{TrustDomains: []string{domain}, Kinds: []workload.Kind{workload.KindService}}
	for name, c := range map[string]struct {
		src    mtls.Source
		accept mtls.Accept
	}{
		"no source":       {nil, all},
		"no roots":        {hollow{cert: leaf}, all},
		"empty roots":     {hollow{cert: leaf, roots: x509.NewCertPool()}, all},
		"no leaf":         {hollow{roots: ca.Roots()}, all},
		"expired leaf":    {hollow{roots: ca.Roots(), err: errors.New("expired")}, all},
		"leaf, no key":    {hollow{roots: ca.Roots(), cert: &tls.Certificate{Certificate: leaf.Certificate}}, all},
		"no acceptance":   {src, mtls.Accept{}},
		"no trust domain": {src, mtls.Accept{Kinds: all.Kinds}},
		"empty domain":    {src, mtls.Accept{TrustDomains: []string{""}, Kinds: all.Kinds}},
		"no kind":         {src, mtls.Accept{TrustDomains: all.TrustDomains}},
		"unknown kind":    {src, mtls.Accept{TrustDomains: all.TrustDomains, Kinds: []workload.Kind{workload.KindUnknown}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if cfg, err := mtls.ServerConfig(c.src, c.accept); err == nil || cfg != nil {
				t.Errorf("server: %v, %v", cfg, err)
			}
		})
	}
	for name, c := range map[string]struct {
		src    mtls.Source
		expect []workload.ID
	}{
		"no source":      {nil, []workload.ID{id}},
		"empty roots":    {hollow{cert: leaf, roots: x509.NewCertPool()}, []workload.ID{id}},
		"no expectation": {src, nil},
		"expects nobody": {src, []workload.ID{{}}},
	} {
		t.Run("client, "+name, func(t *testing.T) {
			t.Parallel()
			if cfg, err := mtls.ClientConfig(c.src, c.expect...); err == nil || cfg != nil {
				t.Errorf("client: %v, %v", cfg, err)
			}
		})
	}
}

// fading loses its roots after the configuration was made.
type fading struct {
	*certtest.Source

	mu   sync.Mutex
	gone bool
}

func (f *fading) Roots() *x509.CertPool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return nil
	}
	return f.Source.Roots()
}

// TestRootsLostLater: losing the anchors closes the door; a nil pool must not become the system's roots.
// covers: SEC-01
func TestRootsLostLater(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	src := &fading{Source: f.server}
	cfg, err := mtls.ServerConfig(src, mtls.Accept{TrustDomains: []string{domain}, Kinds: []workload.Kind{workload.KindOrganisation}})
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, cfg)
	src.mu.Lock()
	src.gone = true
	src.mu.Unlock()
	if _, _, err := call(t.Context(), l.addr, clientConfig(t, f.client, f.serverID)); err == nil {
		t.Error("let in without trust anchors")
	}
	if err := <-l.outcomes; err == nil {
		t.Error("server has no complaint")
	}
}

// TestAcceptIsCopied: a list changed afterwards lets nobody new in.
func TestAcceptIsCopied(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	kinds := []workload.Kind{workload.KindService}
	cfg, err := mtls.ServerConfig(f.server, mtls.Accept{TrustDomains: []string{domain}, Kinds: kinds})
	if err != nil {
		t.Fatal(err)
	}
	kinds[0] = workload.KindOrganisation
	l := listen(t, cfg)
	if _, _, err := call(t.Context(), l.addr, clientConfig(t, f.client, f.serverID)); err == nil {
		t.Error("the caller's slice still steers the listener")
	}
	l.settled(t)
}

func BenchmarkHandshake(b *testing.B) {
	ca := certtest.New(b, domain)
	id := ca.Service("identity")
	server, err := mtls.ServerConfig(ca.Source(id), mtls.Accept{TrustDomains: []string{domain}, Kinds: []workload.Kind{workload.KindService}})
	if err != nil {
		b.Fatal(err)
	}
	client, err := mtls.ClientConfig(ca.Source(ca.Service("gateway")), id)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		here, there := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- tls.Server(there, server).HandshakeContext(b.Context()) }()
		conn := tls.Client(here, client)
		if err := conn.HandshakeContext(b.Context()); err != nil {
			b.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, conn) }() // takes the session ticket, which the pipe does not buffer
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		if err := errors.Join(here.Close(), there.Close()); err != nil {
			b.Fatal(err)
		}
	}
}

// jealous vouches for nobody.
type jealous struct{ *certtest.Source }

func (jealous) Vouches(id workload.ID, _ *x509.Certificate) error {
	return fmt.Errorf("no word for %s", id)
}

// TestVoucher: a source that knows which authority speaks for whom has the last word, on both sides.
// covers: SEC-01
func TestVoucher(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	accept := mtls.Accept{TrustDomains: []string{domain}, Kinds: []workload.Kind{workload.KindOrganisation}}
	cfg, err := mtls.ServerConfig(jealous{f.server}, accept)
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, cfg)
	if _, _, err := call(t.Context(), l.addr, clientConfig(t, f.client, f.serverID)); err == nil {
		t.Error("let in without a voucher")
	}
	if err := <-l.outcomes; !errors.Is(err, mtls.ErrRefused) || !strings.Contains(err.Error(), "no word for") {
		t.Errorf("server said %v", err)
	}
	if _, _, err := call(t.Context(), f.serve(t).addr, clientConfig(t, jealous{f.client}, f.serverID)); !errors.Is(err, mtls.ErrRefused) {
		t.Errorf("client said %v", err)
	}
}
