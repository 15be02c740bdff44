// Package sealed turns persons into rows that a store can't read, and back.
//
// A row is found by a blind index, the keyed pseudonym of the number, and sealed with authenticated encryption whose associated
// data is that index: a sealed person moved to another row can't be opened. Inside is a samvirke.identity.store.v1.Person, so that
// rows outlive releases.
package sealed

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	storev1 "samvirke.dev/proto/gen/go/samvirke/identity/store/v1"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/store"
	"samvirke.dev/services/platform/keys"
)

// AEAD encrypts persons at rest. *keys.AEAD is one.
type AEAD interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// PRF makes keyed pseudonyms. *keys.PRF is one.
type PRF interface {
	// Pseudonym returns the pseudonym under the present key version.
	Pseudonym(input string) (string, error)
	// All returns the pseudonyms under all key versions, the present one first.
	All(input string) ([]string, error)
	// Version returns the present key version.
	Version() (uint32, error)
}

// Deps are what Persons needs. All are required.
type Deps struct {
	Store store.Store
	AEAD  AEAD
	Index PRF // of national numbers
	Clock core.Clock
}

// Persons looks persons up and writes them. It implements core.Persons and keeps nothing in memory about anybody. It is safe for
// concurrent use.
type Persons struct {
	store store.Store
	aead  AEAD
	index PRF
	clock core.Clock
	decoy atomic.Pointer[store.Row]
}

// New returns Persons, after having made the decoy that is opened when nobody is found. Errors: core.ErrKeysUnavailable.
func New(d Deps) (*Persons, error) {
	if d.Store == nil || d.AEAD == nil || d.Index == nil || d.Clock == nil {
		return nil, errors.New("sealed: store, keys and clock are required")
	}
	p := &Persons{store: d.Store, aead: d.AEAD, index: d.Index, clock: d.Clock}
	if _, err := p.newDecoy(); err != nil {
		return nil, err
	}
	return p, nil
}

// ByNumber implements core.Persons.
func (p *Persons) ByNumber(ctx context.Context, n nationalid.Number) (core.Found, error) {
	var space [2]store.Index
	candidates, err := p.indexes(space[:0], n)
	if err != nil {
		return core.Found{}, err
	}
	row, err := p.store.ByIndex(ctx, candidates)
	return p.found(row, err)
}

// ByHandle implements core.Persons.
func (p *Persons) ByHandle(ctx context.Context, controller, handle string) (core.Found, error) {
	row, err := p.store.ByHandle(ctx, controller, handle)
	return p.found(row, err)
}

// ByHandles implements core.Persons.
func (p *Persons) ByHandles(ctx context.Context, controller string, handles []string) ([]core.Found, error) {
	rows, err := p.store.ByHandles(ctx, controller, handles)
	if err != nil {
		return nil, storeError(err)
	}
	out := make([]core.Found, len(rows))
	for i, row := range rows {
		if row == nil {
			out[i], err = p.found(store.Row{}, store.ErrNotFound)
		} else {
			out[i], err = p.found(*row, nil)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// KeepHandle implements core.Persons.
func (p *Persons) KeepHandle(ctx context.Context, controller, handle string, ref int64) (string, error) {
	kept, err := p.store.KeepHandle(ctx, controller, handle, ref, p.clock.Now())
	if errors.Is(err, store.ErrNotFound) { // the person went away in between
		return "", core.ErrNotFound
	}
	return kept, storeError(err)
}

// found opens the row, or a decoy if there is none.
func (p *Persons) found(row store.Row, err error) (core.Found, error) {
	known := err == nil
	switch {
	case known:
	case errors.Is(err, store.ErrNotFound):
		row = *p.decoy.Load()
	default:
		return core.Found{}, storeError(err)
	}
	person, err := p.open(row)
	if err != nil && !known {
		// The key that sealed the decoy may have been retired.
		person, err = p.newDecoy()
	}
	if err != nil {
		return core.Found{}, err
	}
	return core.Found{Person: person, Known: known, Ref: row.ID}, nil
}

func (p *Persons) open(row store.Row) (*core.Person, error) {
	plain, err := p.aead.Decrypt(row.Sealed, row.Index[:])
	if err != nil {
		return nil, keyError(err)
	}
	var m storev1.Person
	if err := proto.Unmarshal(plain, &m); err != nil {
		// The library's text may repeat the content.
		return nil, errors.New("sealed: a stored person can't be read")
	}
	return fromStored(&m)
}

// seal encrypts a person for the row under an index.
func (p *Persons) seal(person *core.Person, index store.Index) ([]byte, error) {
	plain, err := proto.Marshal(toStored(person))
	if err != nil {
		return nil, errors.New("sealed: a person can't be written: text that is not UTF-8")
	}
	out, err := p.aead.Encrypt(plain, index[:])
	if err != nil {
		return nil, keyError(err)
	}
	return out, nil
}

// newDecoy seals a person who does not exist, about as large as a real one.
func (p *Persons) newDecoy() (*core.Person, error) {
	person := decoyPerson(p.clock.Now())
	row := store.Row{}
	var err error
	if row.Sealed, err = p.seal(person, row.Index); err != nil {
		return nil, err
	}
	p.decoy.Store(&row)
	return person, nil
}

// indexes appends the blind indexes of a number under all key versions, the present one first.
func (p *Persons) indexes(to []store.Index, n nationalid.Number) ([]store.Index, error) {
	texts, err := p.index.All(n.Canonical())
	if err != nil {
		return nil, keyError(err)
	}
	for _, text := range texts {
		ps, err := keys.ParsePseudonym(text)
		if err != nil {
			return nil, fmt.Errorf("sealed: blind index: %w", err)
		}
		to = append(to, store.Index(ps.Sum))
	}
	return to, nil
}

// keyError sorts an error of the keys: those that pass with time, and those that don't.
func keyError(err error) error {
	for _, away := range [...]error{keys.ErrExpired, keys.ErrUnknownVersion, keys.ErrUnreachable, keys.ErrUnwrap} {
		if errors.Is(err, away) {
			return fmt.Errorf("%w: %w", core.ErrKeysUnavailable, err)
		}
	}
	return fmt.Errorf("sealed: %w", err)
}

func storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrUnavailable):
		return fmt.Errorf("%w: %w", core.ErrStoreUnavailable, err)
	default:
		return fmt.Errorf("sealed: %w", err)
	}
}

// decoyPerson returns a person with a number that is nobody's.
func decoyPerson(now time.Time) *core.Person {
	d := &storev1.Person{
		Number: "SE:198503149802", GivenNames: "Anna Maria", FamilyName: "Provsson", AddressingName: "Anna Provsson",
		Address:     &storev1.Address{Lines: []string{"Provgatan 1"}, PostalCode: "00000", City: "Provstad", Country: "SE"},
		Memberships: []*storev1.Membership{{ControllerId: "SE:0000000000"}},
	}
	p, err := fromStored(d)
	if err != nil { // can't be: the text above is constant
		return &core.Person{}
	}
	p.RegisterTime = now
	return p
}
