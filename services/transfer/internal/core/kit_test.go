package core_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/core/rules"
	"samvirke.dev/services/transfer/internal/core/workday"
	"samvirke.dev/services/transfer/internal/store"
	"samvirke.dev/services/transfer/internal/store/sqlstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// The funds of these tests. None of the numbers is anybody's.
const (
	nord, syd, vest = "DK:10000009", "DK:20000018", "DK:30000027"
	ett, tva        = "SE:8020000017", "SE:8020000025"
	union           = "DK:40000036"
)

// tb is what tests and rapid's checks have in common.
type tb interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

func must(t tb, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// directory knows the funds above; hosted says which of them one Samvirke serves.
type directory map[string]bool

func (d directory) Find(id string) (core.Fund, bool) {
	switch id {
	case nord, syd, vest, ett, tva, union:
		return core.Fund{ID: id, Country: id[:2], IsFund: id != union, Hosted: d[id]}, true
	default:
		return core.Fund{}, false
	}
}

func (d directory) Hosted() (out []string) {
	for id := range d {
		out = append(out, id)
	}
	return out
}

// plain does not encrypt, but holds callers to the associated data.
type plain struct{}

func (plain) Encrypt(p, ad []byte) ([]byte, error) {
	sum := sha256.Sum256(ad)
	return append(sum[:], p...), nil
}

func (plain) Decrypt(sealed, ad []byte) ([]byte, error) {
	sum := sha256.Sum256(ad)
	if len(sealed) < len(sum) || string(sealed[:len(sum)]) != string(sum[:]) {
		return nil, errors.New("other associated data")
	}
	return sealed[len(sum):], nil
}

type index struct{}

func (index) Subject(number string) ([]byte, error) {
	sum := sha256.Sum256([]byte(number))
	return sum[:20], nil
}

// assertions read a power of attorney that was written as JSON.
type assertions struct{}

func (assertions) Verify(text string) (cases.PowerOfAttorney, error) {
	var p cases.PowerOfAttorney
	if err := json.Unmarshal([]byte(text), &p); err != nil { //nolint:musttag // a test's own format
		return p, core.ErrAssertion
	}
	sum := sha256.Sum256([]byte(text))
	p.Hash = sum[:]
	return p, nil
}

func poaText(p cases.PowerOfAttorney) string {
	text, _ := json.Marshal(p) //nolint:errchkjson,musttag // a test's own format, of plain values
	return string(text)
}

// parcels carry content as it is, with a signature that can be told from a forged one.
type parcels struct{}

func signed(p core.Parcel, digest []byte) string { return fmt.Sprintf("%+v %x", p, digest) }

func (parcels) Wrap(_ context.Context, p core.Parcel, content []byte) (store.Part, error) {
	sum := sha256.Sum256(content)
	return store.Part{Part: p.Part, Content: content, Digest: sum[:], Signature: signed(p, sum[:])}, nil
}

func (parcels) Check(_ context.Context, p core.Parcel, got store.Part) error {
	sum := sha256.Sum256(got.Content)
	if got.Signature != signed(p, got.Digest) || (got.Content != nil && string(sum[:]) != string(got.Digest)) {
		return core.ErrPart
	}
	return nil
}

func (p parcels) Open(ctx context.Context, parcel core.Parcel, got store.Part) ([]byte, error) {
	return got.Content, p.Check(ctx, parcel, got)
}

type notes struct{}

func (notes) Subject(context.Context, string, bool) {}

// records remember what timers did.
type records struct {
	mu    sync.Mutex
	items map[cases.Event][]core.Timed
}

func (r *records) Timed(_ context.Context, event cases.Event, _ time.Time, items []core.Timed) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.items[event] = append(r.items[event], items...)
	return nil
}

// samvirke is one running service without its transport.
type samvirke struct {
	*core.Service

	db    *sqlkit.DB
	store *sqlstore.Store
	timed *records
}

// newSamvirke serves the funds from one database.
func newSamvirke(t testing.TB, clk clock.Clock, cfg sqlkit.Config, hosted ...string) *samvirke {
	t.Helper()
	db := sqltest.Open(t, cfg)
	must(t, db.Migrate(t.Context(), sqlstore.Migrations(), sqlstore.Service))
	d := directory{}
	for _, id := range hosted {
		d[id] = true
	}
	var count atomic.Int64
	zone, err := time.LoadLocation("Europe/Copenhagen")
	must(t, err)
	st := sqlstore.New(db)
	timed := &records{items: map[cases.Event][]core.Timed{}}
	s, err := core.New(core.Deps{
		Store: st, Machine: cases.NewMachine(cases.DefaultTerms(), workday.New()), Directory: d, Sealer: plain{}, Index: index{},
		Assertions: assertions{}, Parcels: parcels{}, Clock: clk, Zone: zone, Notes: notes{}, Records: timed, Wake: func() {},
		NewID:      func() string { return fmt.Sprintf("%s-%08d", hosted[0], count.Add(1)) },
		Membership: core.MembershipRules{Pension: rules.DanishPensionTable(), Deletion: rules.DefaultDeletionTerms(), AdmissionArea: true, DeletionArea: true},
	})
	must(t, err)
	return &samvirke{s, db, st, timed}
}

// carry sends everything that waits in from to the other one, in order, until nothing is left or it is refused. It says how many were
// applied.
func carry(ctx context.Context, t tb, from, to *samvirke) int {
	t.Helper()
	n := 0
	lanes, err := from.store.Lanes(ctx)
	must(t, err)
	for _, lane := range lanes {
		if own, _ := to.Directory.Find(lane.Other); !own.Hosted {
			continue
		}
		waiting, err := from.store.Unsent(ctx, lane.Fund, lane.Other, lane.Lane, from.Clock.Now(), 1000)
		must(t, err)
		for _, m := range waiting {
			e, err := from.Read(ctx, m)
			must(t, err)
			out, err := to.Receive(ctx, m.Fund, e)
			must(t, err)
			if out == core.Applied || out == core.Duplicate {
				must(t, from.store.Sent(ctx, m.ID))
				n++
			}
		}
	}
	return n
}

// settle carries both ways until nothing moves.
func settle(ctx context.Context, t tb, a, b *samvirke) {
	t.Helper()
	for carry(ctx, t, a, b)+carry(ctx, t, b, a) > 0 {
	}
}

// person is a member who moves.
type person struct {
	number string
	poa    cases.PowerOfAttorney
}

func newPerson(i int, from, to string, today civil.Date) person {
	p := person{number: fmt.Sprintf("%s:%010d", from[:2], i)}
	p.poa = cases.PowerOfAttorney{
		Issuer: "https://issuer.example", ID: fmt.Sprintf("poa-%s-%d", from, i), Level: cases.Substantial, Scope: cases.NeededScope, Subject: p.number, Fund: to,
		Current: from, ValidFrom: today, ValidTo: today + 89,
	}
	return p
}

func application(p person) core.Application {
	a := core.Application{Number: p.number, Name: "Test Person", Phone: "+4500000000", Work: rules.InWork}
	if p.number[:2] == rules.Sweden {
		a.Work = 0
	}
	return a
}

func caller(fund string) core.Caller { return core.Caller{Fund: fund, Actor: "emp-1"} }

// part is the n-th part of the data.
func part(ctx context.Context, s *samvirke, fund, id string, n int, kind cases.PackageKind, last bool) (store.Part, error) {
	return s.Wrap(ctx, caller(fund), id, cases.Part{Number: n, Kind: kind, Last: last}, []byte("content of the part"))
}

// How a member withdrew.
const (
	phone  cases.Channel = 2
	letter cases.Channel = 3
)

// day is a date that is written rightly.
func day(text string) civil.Date {
	d, _ := civil.Parse(text)
	return d
}
