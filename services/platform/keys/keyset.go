package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/key"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf/hmacprf"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// state is one unwrapped keyset. It is immutable, so readers need no more than one atomic load.
type state struct {
	revision int64
	// confirmed is when Vault last unwrapped it, read before the request went out: an answer that took long must not
	// lengthen the life of the key.
	confirmed time.Time
	versions  map[uint32]struct{}
	aead      tink.AEAD    // KindAEAD only
	prfs      []versionPRF // KindPRF only, primary first
}

// entry is one named keyset of a ring. Handles (AEAD, PRF) point at it, so they follow every change of state.
type entry struct {
	spec   Spec
	cfg    *Config
	wrap   Wrapper
	nudge  chan<- struct{}
	change sync.Mutex // serialises rotation and refresh of this keyset in this process
	state  atomic.Pointer[state]
}

func (r *Ring) newEntry(spec Spec) (*entry, error) {
	w, err := r.cfg.Wrap(spec.KEK)
	if err != nil {
		return nil, fmt.Errorf("keyset %s: key-encryption key %s: %w", spec.Name, spec.KEK, err)
	}
	return &entry{spec: spec, cfg: &r.cfg, wrap: w, nudge: r.nudge}, nil
}

func (e *entry) sameAs(s Spec) error {
	if e.spec != s {
		return fmt.Errorf("%w: %s", ErrKind, s.Name)
	}
	return nil
}

// live returns the state if it may still be used.
func (e *entry) live() (*state, error) {
	st := e.state.Load()
	if st == nil || e.cfg.Now().Sub(st.confirmed) > e.cfg.MaxAge {
		return nil, ErrExpired
	}
	return st, nil
}

// askRefresh asks Run, without waiting, to look for key versions that another replica may have added.
func (e *entry) askRefresh() {
	select {
	case e.nudge <- struct{}{}:
	default:
	}
}

// associatedData binds a wrapped keyset to its name and kind, so that rows of the store can't be swapped.
func (e *entry) associatedData() []byte {
	return []byte("samvirke/keyset/v1\x00" + e.spec.Kind.String() + "\x00" + e.spec.Name)
}

// loadOrCreate always ends with a load and an unwrap, also after creating: it settles the race between replicas and
// proves that what was wrapped can be unwrapped before anything is encrypted with it.
func (e *entry) loadOrCreate(ctx context.Context) (*state, error) {
	st, err := e.load(ctx)
	if !errors.Is(err, ErrNoKeyset) {
		return st, err
	}
	wrapped, err := e.generate(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.cfg.Store.Save(ctx, e.spec.Name, wrapped, 0); err != nil && !errors.Is(err, ErrConflict) {
		return nil, fmt.Errorf("save: %w", err)
	}
	return e.load(ctx)
}

func (e *entry) load(ctx context.Context) (*state, error) {
	st, _, err := e.loadHandle(ctx)
	return st, err
}

func (e *entry) loadHandle(ctx context.Context) (*state, *keyset.Handle, error) {
	wrapped, revision, err := e.cfg.Store.Load(ctx, e.spec.Name)
	if err != nil {
		return nil, nil, fmt.Errorf("load: %w", err)
	}
	asked := e.cfg.Now()
	h, err := e.unwrapKeyset(ctx, wrapped)
	if err != nil {
		return nil, nil, err
	}
	st, err := newState(e.spec.Kind, h, revision, asked)
	return st, h, err
}

func (e *entry) generate(ctx context.Context) ([]byte, error) {
	m := keyset.NewManager()
	if err := addPrimary(m, e.spec.Kind); err != nil {
		return nil, err
	}
	return e.wrapKeyset(ctx, m)
}

func (e *entry) wrapKeyset(ctx context.Context, m *keyset.Manager) ([]byte, error) {
	h, err := m.Handle()
	if err != nil {
		return nil, fmt.Errorf("assemble keyset: %w", err)
	}
	var buf bytes.Buffer
	kek := &recordingWrapper{Wrapper: e.wrap}
	if err := h.WriteWithContext(ctx, keyset.NewBinaryWriter(&buf), kek, e.associatedData()); err != nil {
		return nil, fmt.Errorf("wrap with %s: %w", e.spec.KEK, kek.cause(err))
	}
	return buf.Bytes(), nil
}

func (e *entry) unwrapKeyset(ctx context.Context, wrapped []byte) (*keyset.Handle, error) {
	kek := &recordingWrapper{Wrapper: e.wrap}
	h, err := keyset.ReadWithContext(ctx, keyset.NewBinaryReader(bytes.NewReader(wrapped)), kek, e.associatedData())
	if err != nil {
		return nil, fmt.Errorf("unwrap with %s: %w", e.spec.KEK, kek.cause(err))
	}
	return h, nil
}

// install makes st the current state unless a newer revision is in use already.
func (e *entry) install(st *state) error {
	for {
		cur := e.state.Load()
		if cur != nil && st.revision < cur.revision {
			return fmt.Errorf("%w: revision %d, in use %d", ErrRolledBack, st.revision, cur.revision)
		}
		if e.state.CompareAndSwap(cur, st) {
			return nil
		}
	}
}

func newState(k Kind, h *keyset.Handle, revision int64, confirmed time.Time) (*state, error) {
	st := &state{revision: revision, confirmed: confirmed, versions: map[uint32]struct{}{}}
	for i := range h.Len() {
		en, err := h.Entry(i)
		if err != nil {
			return nil, fmt.Errorf("read keyset: %w", err)
		}
		if en.KeyStatus() == keyset.Enabled {
			st.versions[en.KeyID()] = struct{}{}
		}
	}
	var err error
	switch k {
	case KindAEAD:
		st.aead, err = aead.New(h)
	case KindPRF:
		st.prfs, err = newPRFs(h)
	default:
		err = ErrKind
	}
	if err != nil {
		return nil, fmt.Errorf("keyset unusable as %s: %w", k, err)
	}
	return st, nil
}

// parameters are fixed by kind: one algorithm each, nothing to negotiate.
func parameters(k Kind) (key.Parameters, error) {
	if k == KindAEAD {
		return aesgcm.NewParameters(aesgcm.ParametersOpts{
			KeySizeInBytes: 32, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: aesgcm.VariantTink,
		})
	}
	return hmacprf.NewParameters(32, hmacprf.SHA256)
}

func addPrimary(m *keyset.Manager, k Kind) error {
	id, err := addKey(m, k)
	if err != nil {
		return err
	}
	if err := m.SetPrimary(id); err != nil {
		return fmt.Errorf("make key primary: %w", err)
	}
	return nil
}

func addKey(m *keyset.Manager, k Kind) (uint32, error) {
	p, err := parameters(k)
	if err != nil {
		return 0, fmt.Errorf("key parameters: %w", err)
	}
	id, err := m.AddNewKeyFromParameters(p)
	if err != nil {
		return 0, fmt.Errorf("generate key: %w", err)
	}
	return id, nil
}

// recordingWrapper remembers the Wrapper's own error: Tink flattens it to text, and callers need errors.Is.
type recordingWrapper struct {
	Wrapper
	err error
}

func (w *recordingWrapper) EncryptWithContext(ctx context.Context, plaintext, ad []byte) ([]byte, error) {
	out, err := w.Wrapper.EncryptWithContext(ctx, plaintext, ad)
	w.err = err
	return out, err
}

func (w *recordingWrapper) DecryptWithContext(ctx context.Context, ciphertext, ad []byte) ([]byte, error) {
	out, err := w.Wrapper.DecryptWithContext(ctx, ciphertext, ad)
	w.err = err
	return out, err
}

func (w *recordingWrapper) cause(fallback error) error {
	if w.err != nil {
		return w.err
	}
	return fallback
}
