package crl_test

import (
	"crypto/x509"
	"errors"
	"math/big"
	"testing"
	"time"

	"samvirke.dev/certs/internal/crl"
	"samvirke.dev/certs/internal/minica"
)

func authority(t *testing.T, name string) *minica.CA {
	t.Helper()
	ca, err := minica.New(name, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func list(t *testing.T, ca *minica.CA, number int64, next time.Time, serials ...*big.Int) *x509.RevocationList {
	t.Helper()
	der, err := ca.RevocationList(number, next, serials...)
	if err != nil {
		t.Fatal(err)
	}
	l, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func leaf(t *testing.T, ca *minica.CA) *x509.Certificate {
	t.Helper()
	c, err := ca.Listener(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

func set(t *testing.T, grace time.Duration, issuers []*x509.Certificate, lists ...*x509.RevocationList) *crl.Set {
	t.Helper()
	s, err := crl.New(lists, issuers, grace)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStale: a list is believed until its next update and the grace are over, and a serial on it for good.
// covers: SEC-01
func TestStale(t *testing.T) {
	t.Parallel()
	ca := authority(t, "one")
	now := time.Now()
	good, bad := leaf(t, ca), leaf(t, ca)
	s := set(t, time.Hour, []*x509.Certificate{ca.Cert}, list(t, ca, 1, now, bad.SerialNumber))
	for name, c := range map[string]struct {
		at      time.Time
		cert    *x509.Certificate
		revoked bool
		err     error
	}{
		"fresh":                  {now.Add(-time.Minute), good, false, nil},
		"within the grace":       {now.Add(59 * time.Minute), good, false, nil},
		"after the grace":        {now.Add(61 * time.Minute), good, false, crl.ErrStale},
		"revoked":                {now.Add(-time.Minute), bad, true, nil},
		"revoked, grace is over": {now.Add(61 * time.Minute), bad, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			revoked, err := s.Revoked(c.cert, c.at)
			if revoked != c.revoked || !errors.Is(err, c.err) {
				t.Errorf("got %v, %v", revoked, err)
			}
		})
	}
	if got := s.Oldest(); got.Sub(now).Abs() > time.Second {
		t.Errorf("oldest next update is %s", got)
	}
}

// TestUnknownIssuer: no list, no answer; an issuer of the same name with another key is another issuer.
func TestUnknownIssuer(t *testing.T) {
	t.Parallel()
	known, twin := authority(t, "same name"), authority(t, "same name")
	next := time.Now().Add(time.Hour)
	s := set(t, 0, []*x509.Certificate{known.Cert, twin.Cert}, list(t, known, 1, next))
	if _, err := s.Revoked(leaf(t, twin), time.Now()); !errors.Is(err, crl.ErrUnknown) {
		t.Errorf("twin: %v", err)
	}
	if _, err := s.Revoked(leaf(t, known), time.Now()); err != nil {
		t.Errorf("known: %v", err)
	}
	both := set(t, 0, []*x509.Certificate{known.Cert, twin.Cert}, list(t, known, 1, next), list(t, twin, 1, next))
	if _, err := both.Revoked(leaf(t, twin), time.Now()); err != nil {
		t.Errorf("twin with its own list: %v", err)
	}
	if !set(t, 0, nil).Oldest().IsZero() {
		t.Error("an empty set has an oldest list")
	}
}

// TestHighestNumberWins: an older list can't take a revocation back, in whatever order they come.
func TestHighestNumberWins(t *testing.T) {
	t.Parallel()
	ca := authority(t, "one")
	cert := leaf(t, ca)
	next := time.Now().Add(time.Hour)
	older, newer := list(t, ca, 1, next), list(t, ca, 2, next, cert.SerialNumber)
	for _, order := range [][]*x509.RevocationList{{older, newer}, {newer, older}} {
		if revoked, err := set(t, 0, []*x509.Certificate{ca.Cert}, order...).Revoked(cert, time.Now()); !revoked || err != nil {
			t.Errorf("got %v, %v", revoked, err)
		}
	}
}

// TestForgedList: a list signed by somebody else under the issuer's name is refused.
func TestForgedList(t *testing.T) {
	t.Parallel()
	ca, forger := authority(t, "one"), authority(t, "one")
	if _, err := crl.New([]*x509.RevocationList{list(t, forger, 9, time.Now().Add(time.Hour))}, []*x509.Certificate{ca.Cert}, 0); err == nil {
		t.Error("forged list was taken")
	}
}

func FuzzParsePEM(f *testing.F) {
	f.Add([]byte("-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, in []byte) {
		lists, err := crl.ParsePEM(in)
		if err != nil && lists != nil {
			t.Error("lists beside an error")
		}
	})
}
