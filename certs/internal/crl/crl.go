// Package crl answers one question for every certificate source of this module: has this certificate been revoked, as far as
// lists that we verified and that are still fresh can tell? Where they can't, the answer is an error, never "no".
package crl

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// ErrUnknown is wrapped when no list of the certificate's issuer is at hand.
var ErrUnknown = errors.New("no revocation list from this issuer")

// ErrStale is wrapped when the issuer's list is older than its next update plus the grace.
var ErrStale = errors.New("revocation list is out of date")

// Set holds verified revocation lists by issuer. It is immutable after New and safe for concurrent use.
type Set struct {
	grace  time.Duration
	lists  map[string]*x509.RevocationList
	serial map[string]map[string]struct{}
}

// New verifies each list against the issuers and keeps, per issuer, the one with the highest number. A list that no issuer
// signed is an error. Grace is how long after its next update a list is still believed.
func New(lists []*x509.RevocationList, issuers []*x509.Certificate, grace time.Duration) (*Set, error) {
	s := &Set{grace: grace, lists: map[string]*x509.RevocationList{}, serial: map[string]map[string]struct{}{}}
	for _, l := range lists {
		issuer := signer(l, issuers)
		if issuer == nil {
			return nil, fmt.Errorf("revocation list of %q is signed by none of the %d known issuers", l.Issuer, len(issuers))
		}
		k := key(issuer.RawSubject, issuer.SubjectKeyId)
		if old, ok := s.lists[k]; ok && !newer(l, old) {
			continue
		}
		s.lists[k] = l
		revoked := make(map[string]struct{}, len(l.RevokedCertificateEntries))
		for _, e := range l.RevokedCertificateEntries {
			revoked[string(e.SerialNumber.Bytes())] = struct{}{}
		}
		s.serial[k] = revoked
	}
	return s, nil
}

// Revoked reports whether the certificate is on its issuer's list at time now. Errors wrap ErrUnknown or ErrStale, and the
// caller must then refuse the certificate.
func (s *Set) Revoked(cert *x509.Certificate, now time.Time) (bool, error) {
	k := key(cert.RawIssuer, cert.AuthorityKeyId)
	l, ok := s.lists[k]
	if !ok {
		return false, fmt.Errorf("%w: %q", ErrUnknown, cert.Issuer)
	}
	if _, hit := s.serial[k][string(cert.SerialNumber.Bytes())]; hit {
		return true, nil
	}
	if now.After(l.NextUpdate.Add(s.grace)) {
		return false, fmt.Errorf("%w: %q, next update was due %s", ErrStale, cert.Issuer, l.NextUpdate.Format(time.RFC3339))
	}
	return false, nil
}

// Oldest is the earliest next update over all lists, and the zero time where there is none.
func (s *Set) Oldest() time.Time {
	var t time.Time
	for _, l := range s.lists {
		if t.IsZero() || l.NextUpdate.Before(t) {
			t = l.NextUpdate
		}
	}
	return t
}

// ParsePEM reads every "X509 CRL" block of the bundle; other blocks are an error.
func ParsePEM(bundle []byte) ([]*x509.RevocationList, error) {
	var lists []*x509.RevocationList
	for rest := bundle; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return lists, nil
		}
		if block.Type != "X509 CRL" {
			return nil, fmt.Errorf("unexpected PEM block %q among revocation lists", block.Type)
		}
		l, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse revocation list: %w", err)
		}
		lists = append(lists, l)
	}
}

func signer(l *x509.RevocationList, issuers []*x509.Certificate) *x509.Certificate {
	for _, c := range issuers {
		if bytes.Equal(c.RawSubject, l.RawIssuer) && l.CheckSignatureFrom(c) == nil {
			return c
		}
	}
	return nil
}

func newer(a, b *x509.RevocationList) bool {
	if a.Number == nil || b.Number == nil {
		return a.ThisUpdate.After(b.ThisUpdate)
	}
	return a.Number.Cmp(b.Number) > 0
}

// key joins name and key id: after an issuer's key was replaced under the same name, both lists live side by side.
func key(name, keyID []byte) string { return string(name) + "\x00" + string(keyID) }
