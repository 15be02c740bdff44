// Package keys is the hot path's cryptography without Vault on the hot path.
//
// A service owns a handful of named Tink keysets (authenticated encryption or keyed pseudonyms). They rest in the
// service's own database, wrapped by a key-encryption key that only Vault's transit engine holds; they are unwrapped
// when the process starts and again at intervals, and live in memory only. When Vault is away the service goes on
// with what it has until Config.MaxAge has passed since the last successful unwrap; from then on every operation
// fails closed with ErrExpired, and recovers unaided once Vault answers again.
//
// All keys are Tink's, and so is all cryptography but one: HMAC-SHA-256 is computed with the standard library, to Tink's very result
// (a test compares them). Nothing here invents a construction: the package names keys, frames inputs and decides
// when a key may still be used.
package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"
	"go.opentelemetry.io/otel/metric"
)

// Errors that callers tell apart with errors.Is. None of them, nor any error of this package, carries key material,
// plaintext or the input of a pseudonym.
var (
	// ErrExpired means: the last successful unwrap is older than Config.MaxAge, or the ring is closed. Nothing may be
	// encrypted, decrypted or looked up; answer UNAVAILABLE and try later.
	ErrExpired = errors.New("keys: not confirmed by the key service within the allowed time")
	// ErrUnknownName means: the ring has no keyset of this name.
	ErrUnknownName = errors.New("keys: no such keyset in the ring")
	// ErrKind means: the keyset exists but serves the other purpose, or was declared before with another key-encryption key.
	ErrKind = errors.New("keys: keyset declared differently")
	// ErrDecrypt means: wrong key, wrong associated data or altered ciphertext. Deliberately no finer distinction.
	ErrDecrypt = errors.New("keys: decryption refused")
	// ErrUnknownVersion means: a ciphertext or pseudonym names a key version that this ring has not loaded (yet). A refresh
	// is requested when it happens, so a retry after a moment may succeed.
	ErrUnknownVersion = errors.New("keys: key version not loaded")
	// ErrUnwrap means: the key service answered and refused (wrong key-encryption key, wrong associated data, no permission).
	ErrUnwrap = errors.New("keys: wrapping key refused")
	// ErrUnreachable means: the key service did not answer, is sealed, or answered with a server-side fault.
	ErrUnreachable = errors.New("keys: key service unreachable")
	// ErrRolledBack means: the store holds an older revision than this process has already seen.
	ErrRolledBack = errors.New("keys: stored keyset is older than the one in use")
	// ErrEmptyInput means: a pseudonym of nothing was asked for; it would be the same for everybody.
	ErrEmptyInput = errors.New("keys: empty input")
)

// Kind says what a keyset is for. The kind is part of the associated data of the wrapped keyset, so a keyset of one
// kind can't be passed off as another.
type Kind int

// The kinds of keyset.
const (
	// KindAEAD encrypts fields at rest: AES-256-GCM, ciphertext prefixed by Tink with the key version.
	KindAEAD Kind = iota + 1
	// KindPRF makes pseudonyms, blind indexes and keyed digests: HMAC-SHA-256 with a 32-byte key.
	KindPRF
)

// String returns the kind's name as it appears in the associated data and in logs.
func (k Kind) String() string {
	switch k {
	case KindAEAD:
		return "aead"
	case KindPRF:
		return "prf"
	default:
		return "unknown"
	}
}

// Spec declares one keyset.
type Spec struct {
	// Name is the keyset's name in the store, unique in the service, for example "identity/person" or
	// "identity/handle/dk/12345678". Letters a-z, digits and "._-/", at most 128 bytes. Never a person's identifier.
	Name string
	// Kind says what the keyset is for.
	Kind Kind
	// KEK is the name of the key-encryption key in Vault's transit engine, one per controller and data class
	// (SEC-03). Letters, digits and "._-", at most 128 bytes.
	KEK string
}

// Wrapper encrypts and decrypts a keyset under one key-encryption key. Associated data binds the keyset's name and
// kind; a Wrapper that ignores it is broken.
type Wrapper = tink.AEADWithContext

// WrapFunc returns the Wrapper of a key-encryption key. It must not touch the network; TransitWrapper makes one.
type WrapFunc func(kek string) (Wrapper, error)

// Config is what a Ring needs. Store, Wrap, MaxAge, RefreshEvery and Now are required.
type Config struct {
	// Store keeps the wrapped keysets.
	Store Store
	// Wrap reaches the key-encryption keys.
	Wrap WrapFunc
	// MaxAge is how long an unwrapped keyset may be used after its last successful unwrap. It bounds how long a
	// process outlives the withdrawal of its access to Vault.
	MaxAge time.Duration
	// RefreshEvery is how often Run unwraps again. Must be below MaxAge; a third or less gives room for outages.
	RefreshEvery time.Duration
	// Now is the clock. It is read on every operation.
	Now func() time.Time
	// Meter receives the gauge samvirke.keys.age; nil means no metric.
	Meter metric.Meter
	// Logger receives refresh failures and recoveries; nil means silence.
	Logger *slog.Logger
}

func (c Config) validate() error {
	var errs []error
	if c.Store == nil {
		errs = append(errs, errors.New("the Store is missing"))
	}
	if c.Wrap == nil {
		errs = append(errs, errors.New("the Wrap function is missing"))
	}
	if c.Now == nil {
		errs = append(errs, errors.New("the clock Now is missing"))
	}
	if c.RefreshEvery <= 0 {
		errs = append(errs, errors.New("RefreshEvery must be positive"))
	}
	if c.MaxAge <= c.RefreshEvery {
		errs = append(errs, errors.New("MaxAge must exceed RefreshEvery"))
	}
	return errors.Join(errs...)
}

// Ring holds the unwrapped keysets of one process. All methods are safe for concurrent use.
type Ring struct {
	cfg    Config
	names  sync.RWMutex // guards byName only; key operations never take it
	byName map[string]*entry
	// nudge asks Run for an early refresh; capacity one, so asking never blocks.
	nudge      chan struct{}
	unregister func() error
}

// Open loads, or generates and saves, every keyset of specs and unwraps it. It fails if any of them can't be
// unwrapped: a process without its keys must not start. Replicas that start together end up with one keyset.
func Open(ctx context.Context, cfg Config, specs ...Spec) (*Ring, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("keys: configuration: %w", err)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Ring{cfg: cfg, byName: make(map[string]*entry, len(specs)), nudge: make(chan struct{}, 1)}
	for _, s := range specs {
		if err := r.Ensure(ctx, s); err != nil {
			return nil, err
		}
	}
	if err := r.registerGauge(); err != nil {
		return nil, err
	}
	return r, nil
}

// Ensure adds a keyset that appears at run time (a new controller), generating it if the store has none. It is
// idempotent; the same name with another kind or key-encryption key is ErrKind.
func (r *Ring) Ensure(ctx context.Context, spec Spec) error {
	if err := spec.validate(); err != nil {
		return err
	}
	if e, err := r.entry(spec.Name); err == nil {
		return e.sameAs(spec)
	}
	e, err := r.newEntry(spec)
	if err != nil {
		return err
	}
	st, err := e.loadOrCreate(ctx)
	if err != nil {
		return fmt.Errorf("keyset %s: %w", spec.Name, err)
	}
	e.state.Store(st)
	r.names.Lock()
	defer r.names.Unlock()
	if first, ok := r.byName[spec.Name]; ok {
		// A concurrent Ensure was quicker; handles to its entry may be out already, so that one stays.
		return first.sameAs(spec)
	}
	r.byName[spec.Name] = e
	return nil
}

// AEAD returns the encryption of the named keyset. Look it up once and keep it: it follows rotation and refresh.
func (r *Ring) AEAD(name string) (*AEAD, error) {
	e, err := r.entryOf(name, KindAEAD)
	if err != nil {
		return nil, err
	}
	return &AEAD{e: e}, nil
}

// PRF returns the pseudonym function of the named keyset. Look it up once and keep it: it follows rotation and refresh.
func (r *Ring) PRF(name string) (*PRF, error) {
	e, err := r.entryOf(name, KindPRF)
	if err != nil {
		return nil, err
	}
	return &PRF{e: e}, nil
}

// Close drops every unwrapped keyset; later operations fail with ErrExpired. It does not stop Run, whose context
// does that and which must have returned before.
func (r *Ring) Close() error {
	r.names.Lock()
	defer r.names.Unlock()
	for _, e := range r.byName {
		e.state.Store(nil)
	}
	clear(r.byName)
	if r.unregister == nil {
		return nil
	}
	return r.unregister()
}

func (r *Ring) entry(name string) (*entry, error) {
	r.names.RLock()
	defer r.names.RUnlock()
	e, ok := r.byName[name]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknownName, name)
	}
	return e, nil
}

func (r *Ring) entryOf(name string, k Kind) (*entry, error) {
	e, err := r.entry(name)
	if err != nil {
		return nil, err
	}
	if e.spec.Kind != k {
		return nil, fmt.Errorf("%w: %s is %s, not %s", ErrKind, name, e.spec.Kind, k)
	}
	return e, nil
}

func (r *Ring) entries() []*entry {
	r.names.RLock()
	defer r.names.RUnlock()
	out := make([]*entry, 0, len(r.byName))
	for _, e := range r.byName {
		out = append(out, e)
	}
	return out
}

// A name ends up in associated data, a KEK in a Vault path: both grammars exclude separators that could be confused.
var (
	nameGrammar = regexp.MustCompile(`^[a-z0-9][a-z0-9._/-]{0,127}$`)
	kekGrammar  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
)

func (s Spec) validate() error {
	if !nameGrammar.MatchString(s.Name) {
		return fmt.Errorf("keys: malformed keyset name %q", s.Name)
	}
	if !kekGrammar.MatchString(s.KEK) {
		return fmt.Errorf("keys: keyset %s: malformed key-encryption key name %q", s.Name, s.KEK)
	}
	if s.Kind != KindAEAD && s.Kind != KindPRF {
		return fmt.Errorf("keys: keyset %s: unknown kind %d", s.Name, int(s.Kind))
	}
	return nil
}
