package parcel

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/hybrid"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"samvirke.dev/services/transfer/internal/store"
)

// KeyStore keeps the encryption keys of hosted funds; store.Store is one.
type KeyStore interface {
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	PutKey(ctx context.Context, fund string, k store.Key, at time.Time) error
	Keys(ctx context.Context, fund string) ([]store.Key, error)
}

// Keys holds the keys of hosted funds in memory. It is safe for concurrent use.
type Keys struct {
	mu    sync.RWMutex
	funds map[string]held
}

type held struct {
	own    Own
	public []byte
}

// NewKeys returns no keys yet.
func NewKeys() *Keys { return &Keys{funds: map[string]held{}} }

// Own returns the keys of a hosted fund.
func (k *Keys) Own(fund string) (Own, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	h, ok := k.funds[fund]
	return h.own, ok
}

// Encryption returns the public half of a hosted fund's encryption keys, serialised.
func (k *Keys) Encryption(fund string) ([]byte, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	h, ok := k.funds[fund]
	return h.public, ok
}

// Load readies a hosted fund: its encryption keys are made when it has none, and rest sealed.
func (k *Keys) Load(ctx context.Context, s KeyStore, seal tink.AEAD, fund string, signer Signer, now time.Time) error {
	var private *keyset.Handle
	err := s.InTx(ctx, func(ctx context.Context) error {
		have, err := s.Keys(ctx, fund)
		if err != nil {
			return err
		}
		if len(have) > 0 {
			private, err = keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(have[0].Sealed)), seal, []byte("fund-key "+fund))
			return err
		}
		private, err = generate(ctx, s, seal, fund, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("encryption keys of %s: %w", fund, err)
	}
	public, err := publicOf(private)
	if err != nil {
		return fmt.Errorf("encryption keys of %s: %w", fund, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.funds[fund] = held{Own{signer, private}, public}
	return nil
}

func generate(ctx context.Context, s KeyStore, seal tink.AEAD, fund string, now time.Time) (*keyset.Handle, error) {
	private, err := keyset.NewHandle(hybrid.DHKEM_X25519_HKDF_SHA256_HKDF_SHA256_AES_256_GCM_Key_Template())
	if err != nil {
		return nil, err
	}
	var sealed bytes.Buffer
	if err := private.WriteWithAssociatedData(keyset.NewBinaryWriter(&sealed), seal, []byte("fund-key "+fund)); err != nil {
		return nil, err
	}
	public, err := publicOf(private)
	if err != nil {
		return nil, err
	}
	return private, s.PutKey(ctx, fund, store.Key{ID: private.KeysetInfo().GetPrimaryKeyId(), Sealed: sealed.Bytes(), Public: public}, now)
}

func publicOf(private *keyset.Handle) ([]byte, error) {
	handle, err := private.Public()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = handle.WriteWithNoSecrets(keyset.NewBinaryWriter(&out))
	return out.Bytes(), err
}
