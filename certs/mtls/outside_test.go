package mtls_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/certs/mtls"
)

// outside starts a server as a register runs one: known by its host name, with its clients verified by the library alone.
func outside(t *testing.T, leaf *tls.Certificate, clients *x509.CertPool) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.TLS.PeerCertificates[0].SerialNumber.Text(16))) // the client's read has the say
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{*leaf}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "https://")
}

// covers: SEC-01
func TestOutside(t *testing.T) {
	t.Parallel()
	ca, foreign := certtest.New(t, domain), certtest.New(t, domain)
	org := ca.Organisation("DK", "12345678", "caseworker")
	service := ca.Service("spar")
	src := ca.Source(org)
	cfg, err := mtls.OutsideConfig(src)
	if err != nil {
		t.Fatal(err)
	}
	good := ca.Issue(service, certtest.DNS("register.test"))
	revoked := ca.Issue(service, certtest.DNS("register.test"))
	ca.Revoke(revoked.Leaf)
	for name, c := range map[string]struct {
		leaf *tls.Certificate
		host string
		why  string // empty if let through
	}{
		"right":          {good, "register.test", ""},
		"other host":     {good, "other.test", "not other.test"},
		"foreign":        {foreign.Issue(service, certtest.DNS("register.test")), "register.test", "unknown authority"},
		"expired":        {ca.Issue(service, certtest.DNS("register.test"), certtest.Expired()), "register.test", "expired"},
		"revoked":        {revoked, "register.test", "is revoked"},
		"no host at all": {ca.Issue(service), "register.test", "not valid for any names"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := cfg.Clone()
			own.ServerName = c.host
			_, err := reach(t, outside(t, c.leaf, ca.Roots()), own)
			if c.why == "" && err != nil || c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why)) {
				t.Errorf("got %v, want %q", err, c.why)
			}
		})
	}
}

// A replaced certificate is shown on the next connection.
func TestOutsideRotation(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t, domain)
	src := ca.Source(ca.Organisation("DK", "12345678", "caseworker"))
	cfg, err := mtls.OutsideConfig(src)
	if err != nil {
		t.Fatal(err)
	}
	cfg.ServerName = "register.test"
	addr := outside(t, ca.Issue(ca.Service("spar"), certtest.DNS("register.test")), ca.Roots())
	first, err1 := reach(t, addr, cfg)
	next := src.Rotate().Leaf.SerialNumber.Text(16)
	second, err2 := reach(t, addr, cfg)
	if err1 != nil || err2 != nil || first == next || second != next {
		t.Errorf("the server saw %q and then %q, want %q: %v, %v", first, second, next, err1, err2)
	}
	src.Expire()
	if _, err := reach(t, addr, cfg); err == nil {
		t.Error("reached with an expired certificate")
	}
}

func TestOutsideRefusesAtConstruction(t *testing.T) {
	t.Parallel()
	if _, err := mtls.OutsideConfig(nil); err == nil {
		t.Error("a configuration without a source")
	}
	if _, err := mtls.OutsideConfig(hollow{}); err == nil {
		t.Error("a configuration without anchors")
	}
}

// reach calls the server on a connection of its own and returns the serial number that the server saw, in hexadecimal.
func reach(t *testing.T, addr string, cfg *tls.Config) (string, error) {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: cfg}
	defer tr.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := tr.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }() // the read has the say
	seen, err := io.ReadAll(response.Body)
	return string(seen), err
}
