package ledger

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/mod/sumdb/note"

	"samvirke.dev/certs/vault"
	"samvirke.dev/services/audit/internal/proofs"
)

// Signer signs checkpoints of any log of the ledger.
type Signer interface {
	// For returns the signer of one log. It signs with the key that was the latest when Keys was last asked.
	For(origin string) note.Signer
	// Keys returns the public keys, the present one first.
	Keys() proofs.Keys
}

// signLimit bounds one signature, so that a Vault that hangs delays a checkpoint and nothing else.
const signLimit = 5 * time.Second

// VaultSigner signs with an Ed25519 key of Vault's transit engine; the private half never leaves Vault.
type VaultSigner struct {
	base   context.Context // the requests' values; never ends
	vault  *api.Logical
	mount  string
	key    string
	origin string

	mu     sync.RWMutex
	latest int
	public map[int]ed25519.PublicKey // by key version
}

// NewVaultSigner reads the public keys. origin is the ledger's name. The service's policy must grant update on sign/<key> and read on
// keys/<key> of the mount.
func NewVaultSigner(ctx context.Context, client *api.Logical, mount, key, origin string) (*VaultSigner, error) {
	s := &VaultSigner{base: context.WithoutCancel(ctx), vault: client, mount: strings.Trim(mount, "/"), key: key, origin: origin}
	return s, s.Refresh(ctx)
}

// Refresh reads the public keys anew, so that a key rotated in Vault comes into use.
func (s *VaultSigner) Refresh(ctx context.Context) error {
	secret, err := s.vault.ReadWithContext(ctx, s.mount+"/keys/"+s.key)
	switch {
	case err != nil:
		return fmt.Errorf("ledger key: %w", vault.Explain(err))
	case secret == nil:
		return fmt.Errorf("ledger key: Vault has no key %s in %s: an operator must create it, of type ed25519", s.key, s.mount)
	case secret.Data["type"] != "ed25519":
		return fmt.Errorf("ledger key: key %s is not of type ed25519", s.key)
	}
	versions, _ := secret.Data["keys"].(map[string]any)
	public, latest := map[int]ed25519.PublicKey{}, 0
	for version, entry := range versions {
		n, err := strconv.Atoi(version)
		fields, _ := entry.(map[string]any)
		text, _ := fields["public_key"].(string)
		raw, err2 := base64.StdEncoding.DecodeString(text)
		if err != nil || err2 != nil || len(raw) != ed25519.PublicKeySize {
			return errors.New("ledger key: Vault's description of the key can't be read")
		}
		public[n], latest = raw, max(latest, n)
	}
	if latest == 0 {
		return errors.New("ledger key: it has no version")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.public, s.latest = public, latest
	return nil
}

// Keys implements Signer.
func (s *VaultSigner) Keys() proofs.Keys {
	s.mu.RLock()
	defer s.mu.RUnlock()
	versions := slices.Sorted(maps.Keys(s.public))
	slices.Reverse(versions)
	out := make(proofs.Keys, 0, len(versions))
	for _, v := range versions {
		out = append(out, proofs.Key{Origin: s.origin, Public: s.public[v]})
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
	l.s.mu.RLock()
	defer l.s.mu.RUnlock()
	l.version.Store(int64(l.s.latest))
	return proofs.Key{Origin: l.s.origin, Public: l.s.public[l.s.latest]}.Verifier(l.origin).KeyHash()
}

// Sign implements note.Signer.
func (l *logSigner) Sign(msg []byte) ([]byte, error) {
	version := int(l.version.Load())
	ctx, cancel := context.WithTimeout(l.s.base, signLimit)
	defer cancel()
	secret, err := l.s.vault.WriteWithContext(ctx, l.s.mount+"/sign/"+l.s.key, map[string]any{
		"input": base64.StdEncoding.EncodeToString(msg), "key_version": json.Number(strconv.Itoa(version)),
	})
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", vault.Explain(err))
	}
	if secret == nil {
		return nil, errors.New("sign checkpoint: Vault gave an empty answer")
	}
	text, _ := secret.Data["signature"].(string)
	encoded, ok := strings.CutPrefix(text, "vault:v"+strconv.Itoa(version)+":")
	if !ok {
		return nil, errors.New("sign checkpoint: Vault signed with another version of the key")
	}
	return base64.StdEncoding.DecodeString(encoded)
}
