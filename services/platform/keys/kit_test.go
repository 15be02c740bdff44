package keys_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
	"go.uber.org/goleak"

	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/keys"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	person = "identity/person"
	fundA  = "identity/handle/dk/12345678"
	fundB  = "identity/handle/se/8024001234"
)

func specs() []keys.Spec {
	return []keys.Spec{
		{Name: person, Kind: keys.KindAEAD, KEK: "kek-person"},
		{Name: fundA, Kind: keys.KindPRF, KEK: "kek-handle"},
		{Name: fundB, Kind: keys.KindPRF, KEK: "kek-handle"},
	}
}

// memory is a Store in memory with the contract of the real one.
type memory struct {
	mu    sync.Mutex
	rows  map[string]row
	saves int
	fail  error
}

type row struct {
	wrapped  []byte
	revision int64
}

var _ keys.Store = (*memory)(nil)

func newMemory() *memory { return &memory{rows: map[string]row{}} }

func (m *memory) Load(_ context.Context, name string) ([]byte, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, 0, m.fail
	}
	r, ok := m.rows[name]
	if !ok {
		return nil, 0, keys.ErrNoKeyset
	}
	return r.wrapped, r.revision, nil
}

func (m *memory) Save(_ context.Context, name string, wrapped []byte, expect int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if m.rows[name].revision != expect {
		return keys.ErrConflict
	}
	m.rows[name] = row{wrapped: wrapped, revision: expect + 1}
	m.saves++
	return nil
}

func (m *memory) put(name string, r row) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[name] = r
}

func (m *memory) get(name string) row {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rows[name]
}

// local stands in for Vault's transit engine: real encryption under keys of its own, and a switch to take it away.
type local struct {
	mu    sync.Mutex
	keks  map[string]tink.AEAD
	down  atomic.Bool
	calls atomic.Int64
}

var errDown = fmt.Errorf("%w: switched off by the test", keys.ErrUnreachable)

func newLocal() *local { return &local{keks: map[string]tink.AEAD{}} }

func (l *local) wrap(kek string) (keys.Wrapper, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keks[kek] == nil {
		h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
		if err != nil {
			return nil, err
		}
		if l.keks[kek], err = aead.New(h); err != nil {
			return nil, err
		}
	}
	return &localKEK{l: l, a: l.keks[kek]}, nil
}

type localKEK struct {
	l *local
	a tink.AEAD
}

func (k *localKEK) EncryptWithContext(ctx context.Context, plaintext, ad []byte) ([]byte, error) {
	if err := k.l.use(ctx); err != nil {
		return nil, err
	}
	return k.a.Encrypt(plaintext, ad)
}

func (k *localKEK) DecryptWithContext(ctx context.Context, ciphertext, ad []byte) ([]byte, error) {
	if err := k.l.use(ctx); err != nil {
		return nil, err
	}
	out, err := k.a.Decrypt(ciphertext, ad)
	if err != nil {
		return nil, errors.Join(keys.ErrUnwrap, err)
	}
	return out, nil
}

func (l *local) use(ctx context.Context) error {
	l.calls.Add(1)
	if l.down.Load() {
		return errDown
	}
	return ctx.Err()
}

// kit is one service's surroundings; rings opened from it are replicas or restarts of that service.
type kit struct {
	store *memory
	vault *local
	clock *clock.Fake
	log   slog.Handler
}

func newKit() *kit {
	return &kit{
		store: newMemory(), vault: newLocal(), clock: clock.NewFake(time.Date(2026, 3, 14, 15, 0, 0, 0, time.UTC)),
		log: slog.DiscardHandler,
	}
}

func (k *kit) config() keys.Config {
	return keys.Config{
		Store: k.store, Wrap: k.vault.wrap, MaxAge: time.Hour, RefreshEvery: 10 * time.Minute, Now: k.clock.Now,
		Logger: slog.New(k.log),
	}
}

func (k *kit) open(tb testing.TB, s ...keys.Spec) *keys.Ring {
	tb.Helper()
	if len(s) == 0 {
		s = specs()
	}
	r, err := keys.Open(tb.Context(), k.config(), s...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Error(err)
		}
	})
	return r
}

func aeadOf(tb testing.TB, r *keys.Ring, name string) *keys.AEAD {
	tb.Helper()
	a, err := r.AEAD(name)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func prfOf(tb testing.TB, r *keys.Ring, name string) *keys.PRF {
	tb.Helper()
	p, err := r.PRF(name)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func must[T any](tb testing.TB) func(T, error) T {
	return func(v T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}
