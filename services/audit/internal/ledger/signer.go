package ledger

import (
	"context"
	"crypto/ed25519"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"samvirke.dev/certs/signing"
	"samvirke.dev/services/audit/internal/proofs"
)

// Signer signs checkpoints of any log of the ledger.
type Signer interface {
	// For returns the signer of one log.
	For(origin string) note.Signer
	// Keys returns the public keys, the present one first.
	Keys() proofs.Keys
}

// signLimit bounds one signature, so that a Vault that hangs delays a checkpoint and nothing else.
const signLimit = 5 * time.Second

// VaultSigner signs with an Ed25519 key of Vault's transit engine; the private half never leaves Vault.
type VaultSigner struct {
	base   context.Context // the requests' values; never ends
	key    *signing.Key
	origin string
}

// NewVaultSigner returns the signer for the ledger of that name. Which version of the key signs is known when the key is opened or refreshed.
func NewVaultSigner(ctx context.Context, key *signing.Key, origin string) *VaultSigner {
	return &VaultSigner{base: context.WithoutCancel(ctx), key: key, origin: origin}
}

// Keys implements Signer.
func (s *VaultSigner) Keys() proofs.Keys {
	known := s.key.Versions()
	versions := slices.Sorted(maps.Keys(known))
	slices.Reverse(versions)
	out := make(proofs.Keys, 0, len(versions))
	for _, v := range versions {
		out = append(out, proofs.Key{Origin: s.origin, Public: known[v]})
	}
	return out
}

// For implements Signer.
func (s *VaultSigner) For(origin string) note.Signer { return &logSigner{s: s, origin: origin} }

// logSigner signs as one log. A note is signed by asking for the key's hash and then for the signature, so the version is chosen then.
type logSigner struct {
	s       *VaultSigner
	origin  string
	version atomic.Int64
}

// Name implements note.Signer.
func (l *logSigner) Name() string { return l.origin }

// KeyHash implements note.Signer.
func (l *logSigner) KeyHash() uint32 {
	version := l.s.key.Latest()
	public, err := l.s.key.Public(version)
	if err != nil { // the latest is always known
		public = make(ed25519.PublicKey, ed25519.PublicKeySize)
	}
	l.version.Store(int64(version))
	return proofs.Key{Origin: l.s.origin, Public: public}.Verifier(l.origin).KeyHash()
}

// Sign implements note.Signer.
func (l *logSigner) Sign(msg []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(l.s.base, signLimit)
	defer cancel()
	return l.s.key.SignWith(ctx, msg, int(l.version.Load()))
}
