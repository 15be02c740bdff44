package wssec_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"samvirke.dev/services/income/internal/register/eindkomst/wssec"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/soap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func now() time.Time { return time.Date(2026, 4, 11, 8, 0, 0, 0, time.UTC) }

// ours, theirs and foreign are made once: keys take their time.
var (
	ours    = sync.OnceValue(func() *tls.Certificate { return pair(2048) })
	theirs  = sync.OnceValue(func() *tls.Certificate { return pair(2048) })
	foreign = sync.OnceValue(func() *tls.Certificate { return pair(2048) })
)

func pair(bits int) *tls.Certificate {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: now().Add(-24 * time.Hour), NotAfter: now().Add(24 * time.Hour),
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		panic(err)
	}
	return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

// security signs as one and wants the signature of the other.
func security(tb testing.TB, signer, register *tls.Certificate, bend ...func(*wssec.Deps)) *wssec.Security {
	tb.Helper()
	d := wssec.Deps{
		Certificate: func() (*tls.Certificate, error) { return signer, nil },
		Register:    []*x509.Certificate{register.Leaf}, Clock: clock.NewFake(now()),
	}
	for _, b := range bend {
		b(&d)
	}
	s, err := wssec.New(d)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func sha1Too(d *wssec.Deps) { d.Hash = crypto.SHA1 }

type message struct {
	XMLName struct{} `xml:"http://register.example/ Told"`
	Name    string   `xml:"http://register.example/ Name"`
	Other   string   `xml:"http://other.example/ Other"`
}

func envelope(tb testing.TB, name string) []byte {
	tb.Helper()
	raw, err := soap.Encode(&message{Name: name, Other: "æ & <ø>"})
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// answer is an envelope that the register sealed.
func answer(tb testing.TB, bend ...func(*wssec.Deps)) []byte {
	tb.Helper()
	raw, err := security(tb, theirs(), ours(), bend...).Seal(envelope(tb, "Åse"))
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// xmlsec runs the command-line tool of the XML Security Library, an independent implementation.
func xmlsec(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	binary, err := exec.LookPath("xmlsec1")
	if err != nil {
		if os.Getenv("SAMVIRKE_TEST_STRICT") == "1" {
			t.Fatal("xmlsec1 is not installed")
		}
		t.Skip("xmlsec1 is not installed")
	}
	all := append([]string{args[0]}, "--id-attr:Id", soap.Namespace+":Body", "--id-attr:Id", utility+":Timestamp",
		"--id-attr:Id", extension+":BinarySecurityToken")
	return exec.CommandContext(t.Context(), binary, append(all, args[1:]...)...).CombinedOutput()
}

const (
	utility   = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	extension = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
)

func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func pemFile(t *testing.T, kind string, der []byte) string {
	t.Helper()
	return file(t, "x.pem", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
