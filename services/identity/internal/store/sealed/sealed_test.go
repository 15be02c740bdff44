package sealed_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
	"go.uber.org/goleak"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/names"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/store"
	"samvirke.dev/services/identity/internal/store/sealed"
	"samvirke.dev/services/identity/internal/store/sqlstore"
	"samvirke.dev/services/identity/synthetic"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// prf is a keyed pseudonym with versions, newest first, in the form of package keys.
type prf struct {
	mu       sync.Mutex
	versions []uint32
	fail     error
}

func (p *prf) All(input string) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, v := range p.versions {
		mac := hmac.New(sha256.New, fmt.Appendf(nil, "test key %d", v))
		mac.Write([]byte(input))
		out = append(out, keys.Pseudonym{Version: v, Sum: [20]byte(mac.Sum(nil)[:20])}.String())
	}
	return out, p.fail
}

func (p *prf) Pseudonym(input string) (string, error) {
	all, err := p.All(input)
	return all[0], err
}

func (p *prf) Version() (uint32, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.versions[0], p.fail
}

func (p *prf) set(versions ...uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.versions = versions
}

// counted counts decryptions.
type counted struct {
	tink.AEAD
	opened int
	fail   error
}

func (c *counted) Decrypt(ciphertext, ad []byte) ([]byte, error) {
	c.opened++
	if c.fail != nil {
		return nil, c.fail
	}
	return c.AEAD.Decrypt(ciphertext, ad)
}

type rig struct {
	db      *sqlkit.DB
	store   store.Store
	index   *prf
	aead    *counted
	persons *sealed.Persons
}

func newRig(tb testing.TB, db *sqlkit.DB) *rig {
	tb.Helper()
	if err := db.Migrate(tb.Context(), sqlstore.Migrations(), sqlstore.Service); err != nil {
		tb.Fatal(err)
	}
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		tb.Fatal(err)
	}
	primitive, err := aead.New(h)
	if err != nil {
		tb.Fatal(err)
	}
	r := &rig{db: db, store: sqlstore.New(db), index: &prf{versions: []uint32{7}}, aead: &counted{AEAD: primitive}}
	r.persons, err = sealed.New(sealed.Deps{Store: r.store, AEAD: r.aead, Index: r.index, Clock: clock.System()})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func number(tb testing.TB, canonical string) nationalid.Number {
	tb.Helper()
	n, err := nationalid.ParseCanonical(canonical, civil.Date{Year: 2026, Month: 11, Day: 23})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func anna(tb testing.TB) *core.Person {
	tb.Helper()
	return &core.Person{
		Number: number(tb, "SE:198503149802"), Earlier: []nationalid.Number{number(tb, "SE:198503149810")},
		Name:  names.Name{Given: "Anna Åse", Middle: "Ø", Family: "Berg", Addressing: "Anna Berg"},
		Birth: civil.Date{Year: 1985, Month: 3, Day: 14}, Death: civil.Date{Year: 2026, Month: 1},
		Address: &core.Address{
			CareOf: "c/o Ek", Lines: []string{"Provgatan 1", "1 tr"}, PostalCode: "00000", City: "Provstad", Country: "SE",
			ValidFrom: civil.Date{Year: 2020, Month: 2, Day: 3},
		},
		Protections:   []core.Protection{{Kind: core.ProtectionAdBlock, Since: civil.Date{Year: 2020}, Ended: civil.Date{Year: 2021, Month: 5}}},
		RegisterState: "AV", Memberships: []core.Membership{{Controller: "SE:8020000017", From: civil.Date{Year: 2020, Month: 1, Day: 1}}},
		RegisterTime: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Source: core.SourceMember,
	}
}

func (r *rig) put(tb testing.TB, persons ...*core.Person) store.Written {
	tb.Helper()
	w, err := r.persons.Put(tb.Context(), persons)
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

func (r *rig) find(tb testing.TB, canonical string) core.Found {
	tb.Helper()
	f, err := r.persons.ByNumber(tb.Context(), number(tb, canonical))
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func TestPersonComesBack(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		t.Helper()
		r := newRig(t, db)
		r.put(t, anna(t))
		for _, n := range []string{"SE:198503149802", "SE:198503149810"} {
			if f := r.find(t, n); !f.Known || !reflect.DeepEqual(f.Person, anna(t)) {
				t.Errorf("%s: %+v", n, f.Person)
			}
		}
		handle, err := r.persons.KeepHandle(t.Context(), "SE:8020000017", "h", r.find(t, "SE:198503149802").Ref)
		if err != nil || handle != "h" {
			t.Fatal(err)
		}
		if f, err := r.persons.ByHandle(t.Context(), "SE:8020000017", "h"); err != nil || !f.Known || f.Person.Name.Given != "Anna Åse" {
			t.Errorf("%v, %v", f, err)
		}
		if f, err := r.persons.ByHandle(t.Context(), "SE:8020000025", "h"); err != nil || f.Known {
			t.Errorf("another controller: %v", err)
		}
		if _, err := r.persons.KeepHandle(t.Context(), "SE:8020000017", "x", 4711); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("a handle of nobody: %v", err)
		}
	})
}

// Nobody and somebody cost the same: one query, one decryption, a person to go on with.
//
// covers: B.10
func TestNobodyTakesTheSamePath(t *testing.T) {
	t.Parallel()
	r := newRig(t, sqltest.Open(t, sqltest.MemoryConfig(t)))
	r.put(t, anna(t))
	for name, look := range map[string]func() (core.Found, error){
		"number":   func() (core.Found, error) { return r.persons.ByNumber(t.Context(), number(t, "DK:7403851013")) },
		"handle":   func() (core.Found, error) { return r.persons.ByHandle(t.Context(), "SE:8020000017", "nobody's") },
		"somebody": func() (core.Found, error) { return r.persons.ByNumber(t.Context(), number(t, "SE:198503149802")) },
	} {
		before := r.aead.opened
		f, err := look()
		if err != nil || f.Person == nil || f.Known != (name == "somebody") || r.aead.opened != before+1 {
			t.Errorf("%s: %v, %v, %d decryptions", name, f.Known, err, r.aead.opened-before)
		}
	}
	// A decoy whose key was retired is made anew.
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	if r.aead.AEAD, err = aead.New(h); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if f := r.find(t, "DK:7403851013"); f.Known || f.Person == nil {
			t.Error("no decoy under the new key")
		}
	}
}

// The database holds neither numbers nor names, and a sealed person can't be moved to another row.
//
// covers: SEC-03 SEC-04
func TestAtRest(t *testing.T) {
	t.Parallel()
	r := newRig(t, sqltest.Open(t, sqltest.MemoryConfig(t)))
	other := anna(t)
	other.Number, other.Earlier = number(t, "DK:7403851013"), nil
	r.put(t, anna(t), other)
	rows, err := r.store.OldRows(t.Context(), 0, 0, 10)
	if err != nil || len(rows) != 2 {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, secret := range []string{"198503149802", "7403851013", "Anna", "Berg", "Provgatan", "8020000017"} {
			if bytes.Contains(row.Sealed, []byte(secret)) || bytes.Contains(row.Index[:], []byte(secret)) {
				t.Errorf("%s lies open", secret)
			}
		}
	}
	swapped := store.Entry{Index: rows[0].Index, IndexVersion: 7, Sealed: rows[1].Sealed, RegisterTime: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	if _, err := r.store.Put(t.Context(), []store.Entry{swapped}, swapped.RegisterTime); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"SE:198503149802", "DK:7403851013"} {
		f, err := r.persons.ByNumber(t.Context(), number(t, n))
		if err == nil && f.Person.Number.Canonical() != n {
			t.Error("a sealed person opens in another's row")
		}
	}
}

// covers: SEC-10
func TestRotationOfTheIndexKey(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		t.Helper()
		r := newRig(t, db)
		const n = 1_203
		var persons []*core.Person
		for _, m := range synthetic.Members(n) {
			p := anna(t)
			p.Number, p.Earlier, p.Name.Given = number(t, m.Number), nil, m.Number
			persons = append(persons, p)
		}
		persons[5].Earlier = []nationalid.Number{number(t, "SE:198503149810")}
		r.put(t, persons...)
		ref := r.find(t, persons[5].Number.Canonical()).Ref
		if _, err := r.persons.KeepHandle(t.Context(), "SE:8020000017", "h", ref); err != nil {
			t.Fatal(err)
		}
		r.index.set(8, 7) // rotated: both versions are found
		r.mustHave(t, persons)
		newer := *persons[0]
		newer.RegisterTime = newer.RegisterTime.Add(time.Hour)
		if w := r.put(t, &newer); w.Merged != 0 || w.Stored != 1 { // an import meanwhile finds the old row
			t.Errorf("%+v", w)
		}
		total, err := r.persons.Reindex(t.Context())
		if err != nil || total != n-1 {
			t.Fatalf("%d rows written, %v", total, err)
		}
		r.index.set(8) // the old version is retired
		r.mustHave(t, persons)
		if f := r.find(t, "SE:198503149810"); !f.Known || f.Ref != ref {
			t.Error("an earlier number was lost")
		}
		if f, err := r.persons.ByHandle(t.Context(), "SE:8020000017", "h"); err != nil || f.Ref != ref {
			t.Errorf("a handle was lost: %v", err)
		}
		if total, err := r.persons.Reindex(t.Context()); total != 0 || err != nil {
			t.Errorf("again: %d, %v", total, err)
		}
		if count, err := r.store.Count(t.Context()); count != n || err != nil {
			t.Errorf("%d persons, %v", count, err)
		}
	})
}

func (r *rig) mustHave(t *testing.T, persons []*core.Person) {
	t.Helper()
	for i := 0; i < len(persons); i += 7 {
		if f := r.find(t, persons[i].Number.Canonical()); !f.Known || f.Person.Number != persons[i].Number {
			t.Fatalf("person %d is lost", i)
		}
	}
}

// An address that was known before a protection is gone afterwards, and the handles still work (domain rule B.10, 4).
//
// covers: B.10
func TestProtectionPurgesTheAddress(t *testing.T) {
	t.Parallel()
	r := newRig(t, sqltest.Open(t, sqltest.FileConfig(t)))
	r.put(t, anna(t))
	before := r.find(t, "SE:198503149802")
	if _, err := r.persons.KeepHandle(t.Context(), "SE:8020000017", "h", before.Ref); err != nil {
		t.Fatal(err)
	}
	protected := anna(t)
	protected.RegisterTime = protected.RegisterTime.Add(time.Hour)
	protected.Protections = append(protected.Protections, core.Protection{Kind: core.ProtectionSESecrecyMark})
	protected.Withhold(civil.Date{Year: 2026, Month: 11, Day: 23}, false)
	r.put(t, protected)
	f, err := r.persons.ByHandle(t.Context(), "SE:8020000017", "h")
	if err != nil || !f.Known || f.Person.Address != nil || !f.Person.Name.IsZero() || len(f.Person.Protections) != 2 {
		t.Errorf("%+v, %v", f, err)
	}
	// An older file does not bring the address back.
	if w := r.put(t, anna(t)); w.Stale != 1 || r.find(t, "SE:198503149802").Person.Address != nil {
		t.Errorf("%+v", w)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	db, err := sqlkit.Open(t.Context(), sqltest.MemoryConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, db)
	r.put(t, anna(t))
	n := number(t, "SE:198503149802")
	r.aead.fail = keys.ErrExpired
	if _, err := r.persons.ByNumber(t.Context(), n); !errors.Is(err, core.ErrKeysUnavailable) {
		t.Errorf("%v", err)
	}
	r.aead.fail = keys.ErrDecrypt // tampered with: no outage that passes
	if _, err := r.persons.ByNumber(t.Context(), n); err == nil || errors.Is(err, core.ErrKeysUnavailable) {
		t.Errorf("%v", err)
	}
	r.aead.fail, r.index.fail = nil, keys.ErrExpired
	_, byNumber := r.persons.ByNumber(t.Context(), n)
	_, put := r.persons.Put(t.Context(), []*core.Person{anna(t)})
	_, reindex := r.persons.Reindex(t.Context())
	for _, err := range []error{byNumber, put, reindex} {
		if !errors.Is(err, core.ErrKeysUnavailable) {
			t.Errorf("%v", err)
		}
	}
	r.index.fail = nil
	if _, err := r.persons.Put(t.Context(), []*core.Person{anna(t), anna(t)}); !errors.Is(err, store.ErrDuplicate) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.persons.ByNumber(ctx, n); !errors.Is(err, context.Canceled) || errors.Is(err, core.ErrStoreUnavailable) {
		t.Errorf("%v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, byNumber = r.persons.ByNumber(t.Context(), n)
	_, byHandle := r.persons.ByHandle(t.Context(), "c", "h")
	_, put = r.persons.Put(t.Context(), []*core.Person{anna(t)})
	_, keep := r.persons.KeepHandle(t.Context(), "c", "h", 1)
	for i, err := range []error{byNumber, byHandle, put, keep} {
		if !errors.Is(err, core.ErrStoreUnavailable) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if _, err := sealed.New(sealed.Deps{}); err == nil {
		t.Error("made of nothing")
	}
}

func BenchmarkPersons(b *testing.B) {
	const n = 100_000
	r := newRig(b, sqltest.Open(b, sqlkit.DefaultConfig("sqlite:"+filepath.Join(b.TempDir(), "bench.db"))))
	g, numbers := synthetic.NewGenerator(), make([]nationalid.Number, 0, n)
	for len(numbers) < n {
		batch := make([]*core.Person, 0, 1000)
		for range 1000 {
			m, p := g.Next(), anna(b)
			p.Number, p.Earlier = number(b, m.Number), nil
			batch, numbers = append(batch, p), append(numbers, p.Number)
		}
		r.put(b, batch...)
	}
	for name, known := range map[string]bool{"known": true, "unknown": false} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i, nobody := uint64(0), number(b, "SE:202401012386")
			for b.Loop() {
				i = i*6364136223846793005 + 1442695040888963407
				look := nobody
				if known {
					look = numbers[(i>>33)%n]
				}
				if f, err := r.persons.ByNumber(b.Context(), look); err != nil || f.Known != known {
					b.Fatal(err)
				}
			}
		})
	}
}
