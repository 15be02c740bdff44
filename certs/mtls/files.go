package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"samvirke.dev/certs/internal/clock"
	"samvirke.dev/certs/internal/crl"
)

// crlFileGrace is how long a revocation list from a file is believed after its next update was due.
const crlFileGrace = 24 * time.Hour

var _ Source = (*FileSource)(nil)

// FileSource reads leaf, key, trust anchors and revocation lists from PEM files. It looks at the files' stamps whenever it is
// asked, which costs a few microseconds in a handshake and needs no goroutine. A new set that doesn't fit together (key and
// certificate half-way through being replaced, unreadable anchors) is left aside and the old one served on; see Err.
type FileSource struct {
	cert, key, ca, crl string

	mu     sync.Mutex
	stamps [4]stamp
	now    *material
	err    error
	closed bool
}

type stamp struct {
	modified time.Time
	size     int64
	info     os.FileInfo
}

func (s stamp) same(o stamp) bool {
	if s.info == nil || o.info == nil {
		return s.info == o.info
	}
	return s.size == o.size && s.modified.Equal(o.modified) && os.SameFile(s.info, o.info)
}

type material struct {
	leaf  *tls.Certificate
	roots *x509.CertPool
	lists *crl.Set
}

// Files opens a FileSource. The certificate file holds the leaf and then its intermediates; the authority file holds the
// anchors. An optional fourth file holds revocation lists; the certificates that sign them must be in the authority file or among
// the intermediates, and every issuer must then have a list. Without it nothing counts as revoked: partners that do so rely on
// short-lived server certificates. It fails when the first set can't be read.
func Files(certFile, keyFile, caFile string, crlFile ...string) (*FileSource, error) {
	s := &FileSource{cert: certFile, key: keyFile, ca: caFile}
	switch len(crlFile) {
	case 0:
	case 1:
		s.crl = crlFile[0]
	default:
		return nil, errors.New("certificate files: at most one file of revocation lists")
	}
	s.stamps = s.look()
	m, err := s.load()
	if err != nil {
		return nil, fmt.Errorf("certificate files: %w", err)
	}
	s.now = m
	return s, nil
}

// Certificate is the current leaf; an error once it has expired or the source is closed.
func (s *FileSource) Certificate() (*tls.Certificate, error) {
	m, err := s.current()
	if err != nil {
		return nil, err
	}
	if clock.Now().After(m.leaf.Leaf.NotAfter) {
		return nil, fmt.Errorf("certificate in %s expired at %s", s.cert, m.leaf.Leaf.NotAfter.Format(time.RFC3339))
	}
	return m.leaf, nil
}

// Roots are the current trust anchors, and nil once the source is closed.
func (s *FileSource) Roots() *x509.CertPool {
	m, err := s.current()
	if err != nil {
		return nil
	}
	return m.roots
}

// Revoked judges by the list file; without one nothing is revoked.
func (s *FileSource) Revoked(cert *x509.Certificate) (bool, error) {
	m, err := s.current()
	if err != nil {
		return false, err
	}
	if m.lists == nil {
		return false, nil
	}
	return m.lists.Revoked(cert, clock.Now())
}

// Err tells why the files as they lie now are not in use, and is nil when they are.
func (s *FileSource) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh()
	return s.err
}

// Close ends the source; it then refuses to serve, which fails every later handshake.
func (s *FileSource) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.now = true, nil
	return nil
}

func (s *FileSource) current() (*material, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("certificate files: source is closed")
	}
	s.refresh()
	return s.now, nil
}

// refresh reloads when a stamp changed. Stamps are taken before reading, so a file that changes meanwhile is read again.
func (s *FileSource) refresh() {
	if s.closed {
		return
	}
	seen := s.look()
	same := true
	for i := range seen {
		same = same && seen[i].same(s.stamps[i])
	}
	if same {
		return
	}
	s.stamps = seen
	m, err := s.load()
	s.err = err
	if err == nil {
		s.now = m
	}
}

func (s *FileSource) look() [4]stamp {
	var out [4]stamp
	for i, path := range []string{s.cert, s.key, s.ca, s.crl} {
		if path == "" {
			continue
		}
		if info, err := os.Stat(path); err == nil {
			out[i] = stamp{modified: info.ModTime(), size: info.Size(), info: info}
		}
	}
	return out
}

func (s *FileSource) load() (*material, error) {
	// LoadX509KeyPair checks that key and certificate belong together, which catches a half-written pair.
	leaf, err := tls.LoadX509KeyPair(s.cert, s.key)
	if err != nil {
		return nil, fmt.Errorf("load key pair: %w", err)
	}
	if clock.Now().After(leaf.Leaf.NotAfter) {
		return nil, fmt.Errorf("certificate in %s expired at %s", s.cert, leaf.Leaf.NotAfter.Format(time.RFC3339))
	}
	anchors, err := readCertificates(s.ca)
	if err != nil {
		return nil, err
	}
	m := &material{leaf: &leaf, roots: x509.NewCertPool()}
	for _, c := range anchors {
		m.roots.AddCert(c)
	}
	if s.crl == "" {
		return m, nil
	}
	m.lists, err = s.loadLists(anchors, leaf.Certificate[1:])
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (s *FileSource) loadLists(anchors []*x509.Certificate, intermediates [][]byte) (*crl.Set, error) {
	issuers := anchors
	for _, der := range intermediates {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("parse intermediate in %s: %w", s.cert, err)
		}
		issuers = append(issuers, c)
	}
	raw, err := os.ReadFile(s.crl)
	if err != nil {
		return nil, fmt.Errorf("read revocation lists: %w", err)
	}
	lists, err := crl.ParsePEM(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.crl, err)
	}
	if len(lists) == 0 {
		return nil, fmt.Errorf("%s holds no revocation list", s.crl)
	}
	return crl.New(lists, issuers, crlFileGrace)
}

func readCertificates(path string) ([]*x509.Certificate, error) {
	rest, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read trust anchors: %w", err)
	}
	var out []*x509.Certificate
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("unexpected PEM block %q among trust anchors in %s", block.Type, path)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse trust anchor in %s: %w", path, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no trust anchor in %s", path)
	}
	return out, nil
}
