package telemetry_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"samvirke.dev/services/platform/telemetry"
	"samvirke.dev/services/platform/telemetry/oteltest"
)

func TestConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := telemetry.Config{ServiceName: "x", LogWriter: io.Discard}
	for name, change := range map[string]func(*telemetry.Config){
		"no name":            func(c *telemetry.Config) { c.ServiceName = "" },
		"no writer":          func(c *telemetry.Config) { c.LogWriter = nil },
		"ratio":              func(c *telemetry.Config) { c.SampleRatio = 1.5 },
		"interval":           func(c *telemetry.Config) { c.MetricInterval = -1 },
		"half a pair":        func(c *telemetry.Config) { c.Endpoint, c.CertFile = "https://c:1", "x" },
		"files, no endpoint": func(c *telemetry.Config) { c.CAFile = notPEM },
		"plaintext far away": func(c *telemetry.Config) { c.Endpoint = "http://collector.example:4317" },
		"plaintext and CA":   func(c *telemetry.Config) { c.Endpoint, c.CAFile = "http://127.0.0.1:4317", notPEM },
		"scheme":             func(c *telemetry.Config) { c.Endpoint = "ftp://127.0.0.1:4317" },
		"no URL":             func(c *telemetry.Config) { c.Endpoint = "collector:4317" },
		"path":               func(c *telemetry.Config) { c.Endpoint = "https://collector:4317/v1/traces" },
		"CA missing":         func(c *telemetry.Config) { c.Endpoint, c.CAFile = "https://127.0.0.1:4317", notPEM+"x" },
		"CA is no PEM":       func(c *telemetry.Config) { c.Endpoint, c.CAFile = "https://127.0.0.1:4317", notPEM },
	} {
		cfg := good
		change(&cfg)
		if tel, err := telemetry.New(t.Context(), cfg); err == nil {
			t.Errorf("%s: accepted", name)
			_ = tel.Shutdown(t.Context())
		}
	}
}

// A collector that is away costs spans, never a start or a stop, and says so once.
func TestCollectorAway(t *testing.T) {
	t.Parallel()
	tel, log := startWith(t, func(c *telemetry.Config) { c.Endpoint = "http://127.0.0.1:1" })
	for range 2 {
		_, span := tel.TracerProvider().Tracer("test").Start(t.Context(), "job")
		span.End()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_ = tel.Flush(ctx)
		cancel()
	}
	if n := strings.Count(log.String(), "telemetry export failed"); n != 1 {
		t.Errorf("%d reports: %s", n, log)
	}
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestTLSEndpoint(t *testing.T) {
	t.Parallel()
	pair, caFile := selfSigned(t)
	col, err := oteltest.New(t.Context(), grpc.Creds(credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert,
	})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // registered first, so it runs after the shutdown of what sends
		if err := col.Close(); err != nil {
			t.Error(err)
		}
	})
	tel, log := startWith(t, func(c *telemetry.Config) {
		c.Endpoint, c.CAFile = "https://"+col.Address(), caFile
		c.CertFile, c.KeyFile = caFile, caFile
	})
	_, span := tel.TracerProvider().Tracer("test").Start(t.Context(), "job")
	span.End()
	flush(t, tel)
	if len(col.Spans()) != 1 {
		t.Errorf("no span arrived: %s", log)
	}
}

// selfSigned returns a certificate for loopback and a file that holds it with its key.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "collector"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})...)
	file := filepath.Join(t.TempDir(), "pair.pem")
	if err := os.WriteFile(file, both, 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}
