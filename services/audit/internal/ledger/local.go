package ledger

import (
	"crypto/ed25519"
	"sync/atomic"

	"golang.org/x/mod/sumdb/note"

	"samvirke.dev/services/audit/internal/proofs"
)

// LocalSigner signs with a key in memory. It is for tests: no configuration leads to it.
type LocalSigner struct {
	key  ed25519.PrivateKey
	keys proofs.Keys
	fail atomic.Pointer[error]
}

// SetFail makes every later signature fail with err; nil mends it.
func (s *LocalSigner) SetFail(err error) {
	if err == nil {
		s.fail.Store(nil)
		return
	}
	s.fail.Store(&err)
}

// NewLocalSigner returns a signer for the ledger of that name.
func NewLocalSigner(origin string, key ed25519.PrivateKey) *LocalSigner {
	public, _ := key.Public().(ed25519.PublicKey)
	return &LocalSigner{key: key, keys: proofs.Keys{{Origin: origin, Public: public}}}
}

// Keys implements Signer.
func (s *LocalSigner) Keys() proofs.Keys { return s.keys }

// For implements Signer.
func (s *LocalSigner) For(origin string) note.Signer { return localLog{s, origin} }

type localLog struct {
	s      *LocalSigner
	origin string
}

// Name implements note.Signer.
func (l localLog) Name() string { return l.origin }

// KeyHash implements note.Signer.
func (l localLog) KeyHash() uint32 { return l.s.keys[0].Verifier(l.origin).KeyHash() }

// Sign implements note.Signer.
func (l localLog) Sign(msg []byte) ([]byte, error) {
	if err := l.s.fail.Load(); err != nil {
		return nil, *err
	}
	return ed25519.Sign(l.s.key, msg), nil
}
