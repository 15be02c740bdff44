package income

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	traces "go.opentelemetry.io/otel/trace/noop"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/register/eindkomst/wssec"
	"samvirke.dev/services/platform/clock"
)

// skat is an income register on loopback with an authority of its own; it signs if it has somebody to check.
type skat struct {
	*httptest.Server

	dir                  string
	ca, server, customer *tls.Certificate
}

func leaf(t *testing.T, ca *tls.Certificate) *tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := clock.System().Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "test"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	parent, signer := template, key
	if ca == nil {
		template.IsCA, template.KeyUsage, template.ExtKeyUsage = true, x509.KeyUsageCertSign, nil
	} else {
		own, ok := ca.PrivateKey.(*rsa.PrivateKey)
		if !ok {
			t.Fatal("no RSA key")
		}
		parent, signer = ca.Leaf, own
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: parsed}
}

func (s *skat) file(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// answerTo is an answer without anybody in it.
func answerTo(request []byte) []byte {
	_, transaction, _ := strings.Cut(string(request), "TransaktionIdentifikator")
	_, transaction, _ = strings.Cut(transaction, ">")
	transaction, _, _ = strings.Cut(transaction, "<")
	return []byte(`<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><e:IndkomstOplysningPersonHent_O xmlns:e="http://rep.oio.dk/skat.dk/eindkomst/">` +
		`<k:HovedOplysningerSvar xmlns:k="http://rep.oio.dk/skat.dk/basis/kontekst/xml/schemas/2006/09/01/"><k:TransaktionIdentifikator>` + transaction +
		`</k:TransaktionIdentifikator></k:HovedOplysningerSvar></e:IndkomstOplysningPersonHent_O></S:Body></S:Envelope>`)
}

func startSKAT(t *testing.T, signed bool) *skat {
	t.Helper()
	s := &skat{dir: t.TempDir(), ca: leaf(t, nil)}
	s.server, s.customer = leaf(t, s.ca), leaf(t, s.ca)
	security, err := wssec.New(wssec.Deps{
		Certificate: func() (*tls.Certificate, error) { return s.server, nil }, Register: []*x509.Certificate{s.customer.Leaf}, Clock: clock.System(),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err == nil && signed {
			raw, err = security.Open(raw)
		}
		if err != nil {
			http.Error(w, "not signed", http.StatusForbidden)
			return
		}
		out := answerTo(raw)
		if signed {
			out, err = security.Seal(out)
		}
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "text/xml")
		_, _ = w.Write(out)
	}))
	clients := x509.NewCertPool()
	clients.AddCert(s.ca.Leaf)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*s.server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// config is how an operator would connect to it.
func (s *skat) config(t *testing.T) EIndkomst {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(s.customer.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	e := DefaultEIndkomst()
	e.URL = s.URL + "/service"
	e.CertFile, e.KeyFile = s.file(t, "cert.pem", "CERTIFICATE", s.customer.Certificate[0]), s.file(t, "key.pem", "PRIVATE KEY", key)
	e.CAFile = s.file(t, "ca.pem", "CERTIFICATE", s.ca.Certificate[0])
	e.Subscription = Subscription{AbonnentType: "1", AbonnementType: "2", Formaal: "3", SENumber: "90000000"}
	return e
}

// oneNumber knows everybody under one number.
type oneNumber struct{}

func (oneNumber) Number(context.Context, string, facts.Handle) (string, error) {
	return "DK:7004631298", nil
}

// ask connects as the program does, and asks about one member.
func ask(t *testing.T, e EIndkomst) (facts.Answer, error) {
	t.Helper()
	if err := e.Validate(); err != nil {
		t.Fatal(err)
	}
	register, hangUp, err := e.connect(registerDeps{
		log: slog.New(slog.DiscardHandler), meter: noop.Meter{}, traces: traces.NewTracerProvider(), clock: clock.System(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := hangUp(); err != nil {
			t.Error(err)
		}
	})
	r, err := register(oneNumber{})
	if err != nil {
		t.Fatal(err)
	}
	month, err := civil.NewMonth(2026, 3)
	if err != nil {
		t.Fatal(err)
	}
	return r.Month(t.Context(), core.Question{Controller: "DK:10000009", Handle: "h", Month: month, CaseReference: "case"})
}

// covers: REG-02
func TestEIndkomstIsConnected(t *testing.T) {
	t.Parallel()
	s := startSKAT(t, false)
	if got, err := ask(t, s.config(t)); err != nil || got.Reference == "" {
		t.Errorf("mutual TLS: %+v %v", got, err)
	}
	s = startSKAT(t, true)
	e := s.config(t)
	if _, err := ask(t, e); !errors.Is(err, core.ErrRegisterRefused) {
		t.Errorf("not signed: %v", err)
	}
	e.Signing.RegisterFile = s.file(t, "register.pem", "CERTIFICATE", s.server.Certificate[0])
	if got, err := ask(t, e); err != nil || got.Reference == "" {
		t.Errorf("signed: %+v %v", got, err)
	}
	e.Signing.RegisterFile = s.file(t, "other.pem", "CERTIFICATE", s.customer.Certificate[0])
	if _, err := ask(t, e); !errors.Is(err, core.ErrRegisterRefused) {
		t.Errorf("signed by somebody else: %v", err)
	}
}

func TestEIndkomstConfiguration(t *testing.T) {
	t.Parallel()
	none := DefaultEIndkomst()
	register, hangUp, err := none.connect(registerDeps{})
	if none.Validate() != nil || register != nil || err != nil || hangUp() != nil {
		t.Errorf("without a URL: %v", err)
	}
	bad := none
	bad.URL, bad.Linger, bad.Signing.Hash = "https://127.0.0.1/", 0, "md5"
	bad.Guard.MaxInFlight = 0
	err = bad.Validate()
	for _, want := range []string{"cert_file", "key_file", "ca_file", "signing.hash", "linger", "max_in_flight"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %s: %v", want, err)
		}
	}
	s := startSKAT(t, false)
	for name, bend := range map[string]func(*EIndkomst){
		"no such files":      func(e *EIndkomst) { e.CertFile = filepath.Join(s.dir, "none") },
		"no register's file": func(e *EIndkomst) { e.Signing.RegisterFile = filepath.Join(s.dir, "none") },
		"no certificate in it": func(e *EIndkomst) {
			e.Signing.RegisterFile = s.file(t, "empty.pem", "CERTIFICATE", []byte("x"))
		},
		"nothing in it": func(e *EIndkomst) { e.Signing.RegisterFile = e.KeyFile + ".none" },
		"no https":      func(e *EIndkomst) { e.URL = "http://127.0.0.1/" },
	} {
		e := s.config(t)
		bend(&e)
		if _, _, err := e.connect(registerDeps{traces: traces.NewTracerProvider(), clock: clock.System()}); err == nil {
			t.Errorf("%s: connected", name)
		}
	}
}
