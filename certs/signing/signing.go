// Package signing signs with Ed25519 keys that never leave Vault's transit engine. Signing asks Vault; checking a signature needs the
// public key alone, which is fetched once and again when a newer version turns up, so that it works while Vault is away.
package signing

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/vault/api"

	"samvirke.dev/certs/vault"
)

// Transit is the part of Vault's client that signing needs; *api.Logical has it.
type Transit interface {
	ReadWithContext(ctx context.Context, path string) (*api.Secret, error)
	WriteWithContext(ctx context.Context, path string, data map[string]any) (*api.Secret, error)
}

var _ Transit = (*api.Logical)(nil)

// ErrUnknownVersion means that the key has no such version, or none that Vault still uses.
var ErrUnknownVersion = errors.New("signing: no such version of the key")

// Key is a signing key in Vault, of type ed25519. It is safe for concurrent use.
type Key struct {
	transit     Transit
	mount, name string

	mu       sync.RWMutex
	versions map[int]ed25519.PublicKey
	latest   int
}

// Open fetches the public half of a key; the service's policy must grant read on keys/<name> and update on sign/<name>. It fails when
// there is no such key or it is of another type.
func Open(ctx context.Context, t Transit, mount, name string) (*Key, error) {
	k := &Key{transit: t, mount: strings.Trim(mount, "/"), name: name}
	if k.mount == "" || name == "" || strings.Contains(name, "/") {
		return nil, errors.New("signing: malformed transit mount or key name")
	}
	return k, k.Refresh(ctx)
}

// Name is the key's name in Vault.
func (k *Key) Name() string { return k.name }

// Refresh fetches the public keys of all versions, as after a rotation. What is known stays when it fails.
func (k *Key) Refresh(ctx context.Context) error {
	secret, err := k.transit.ReadWithContext(ctx, k.mount+"/keys/"+k.name)
	if err != nil {
		return fmt.Errorf("signing key %s: %w", k.name, vault.Explain(err))
	}
	if secret == nil {
		return fmt.Errorf("signing key %s: Vault has no such key", k.name)
	}
	if kind, _ := secret.Data["type"].(string); kind != "ed25519" {
		return fmt.Errorf("signing key %s: of type %q, want ed25519", k.name, kind)
	}
	listed, _ := secret.Data["keys"].(map[string]any)
	versions := make(map[int]ed25519.PublicKey, len(listed))
	for number, about := range listed {
		version, err := strconv.Atoi(number)
		entry, _ := about.(map[string]any)
		text, _ := entry["public_key"].(string)
		public, err2 := base64.StdEncoding.DecodeString(text)
		if err := errors.Join(err, err2); err != nil || len(public) != ed25519.PublicKeySize {
			return fmt.Errorf("signing key %s: version %s has no public key", k.name, number)
		}
		versions[version] = public
	}
	if len(versions) == 0 {
		return fmt.Errorf("signing key %s: no version", k.name)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.versions, k.latest = versions, slices.Max(slices.Collect(maps.Keys(versions)))
	return nil
}

// Sign returns the signature of a message by the key's latest version in Vault, and that version.
func (k *Key) Sign(ctx context.Context, message []byte) (signature []byte, version int, err error) {
	return k.sign(ctx, message, 0)
}

// SignWith is Sign with a given version, for whoever wrote the version into the message.
func (k *Key) SignWith(ctx context.Context, message []byte, version int) ([]byte, error) {
	signature, signed, err := k.sign(ctx, message, version)
	if err == nil && signed != version {
		return nil, ErrUnknownVersion
	}
	return signature, err
}

func (k *Key) sign(ctx context.Context, message []byte, version int) ([]byte, int, error) {
	in := map[string]any{"input": base64.StdEncoding.EncodeToString(message)}
	if version > 0 {
		in["key_version"] = version
	}
	secret, err := k.transit.WriteWithContext(ctx, k.mount+"/sign/"+k.name, in)
	if err != nil {
		return nil, 0, fmt.Errorf("sign with %s: %w", k.name, vault.Explain(err))
	}
	if secret == nil {
		return nil, 0, fmt.Errorf("sign with %s: Vault answered nothing", k.name)
	}
	text, _ := secret.Data["signature"].(string)
	signed, signature, err := parse(text)
	if err != nil {
		return nil, 0, fmt.Errorf("sign with %s: %w", k.name, err)
	}
	if _, err := k.Public(signed); err != nil {
		// Rotated since we last looked: who checks the signature needs the new public key.
		if err := k.Refresh(ctx); err != nil {
			return nil, 0, err
		}
	}
	return signature, signed, nil
}

// parse reads vault:v<version>:<base64>.
func parse(text string) (version int, signature []byte, err error) {
	rest, ok := strings.CutPrefix(text, "vault:v")
	number, encoded, cut := strings.Cut(rest, ":")
	if !ok || !cut {
		return 0, nil, errors.New("signature of an unknown form")
	}
	if version, err = strconv.Atoi(number); err != nil {
		return 0, nil, errors.New("signature of an unknown form")
	}
	if signature, err = base64.StdEncoding.DecodeString(encoded); err != nil || len(signature) != ed25519.SignatureSize {
		return 0, nil, errors.New("signature of an unknown form")
	}
	return version, signature, nil
}

// Latest is the newest version known here.
func (k *Key) Latest() int {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.latest
}

// Public returns the public key of a version, or ErrUnknownVersion.
func (k *Key) Public(version int) (ed25519.PublicKey, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	public, ok := k.versions[version]
	if !ok {
		return nil, ErrUnknownVersion
	}
	return slices.Clone(public), nil
}

// Versions returns the public keys of all versions known here.
func (k *Key) Versions() map[int]ed25519.PublicKey {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return maps.Clone(k.versions)
}

// Verify reports whether a signature is that of the message by a version of the key. It never asks Vault.
func (k *Key) Verify(message, signature []byte, version int) bool {
	public, err := k.Public(version)
	return err == nil && len(signature) == ed25519.SignatureSize && ed25519.Verify(public, message, signature)
}
