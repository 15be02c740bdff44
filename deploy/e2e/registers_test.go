package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
	registered "samvirke.dev/deploy/registers/persons"
	"samvirke.dev/deploy/registers/trouble"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/errs"
)

// asker is a fund that asks about one person of its country.
type asker struct {
	identityv1.IdentityServiceClient

	who    stack.Caller
	person story.Person
}

func (f *fixture) asker(t *testing.T, who stack.Caller, person story.Person) *asker {
	t.Helper()
	conn, err := f.Dial(stack.IdentityName, who)
	must(t, err)
	t.Cleanup(func() { hangUp(t, conn) })
	return &asker{identityv1.NewIdentityServiceClient(conn), who, person}
}

func (a *asker) why(purpose vocabularyv1.Purpose) *commonv1.RequestContext {
	c := &commonv1.RequestContext{
		ControllerId: a.who.Org(), Purpose: purpose, CaseReference: "case-1", ActorId: "caseworker-7",
		LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C, LegalReference: story.LawDK,
	}
	if a.who.Country == "SE" {
		c.LegalBasis, c.LegalReference = vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_E_OFFICIAL_AUTHORITY, story.LawSE
	}
	return c
}

func (a *asker) id() *commonv1.NationalId {
	return &commonv1.NationalId{Country: vocabularyv1.Country(vocabularyv1.Country_value["COUNTRY_"+a.person.Country]), Value: a.person.Number}
}

// verify asks whether the person has the name.
func (a *asker) verify(ctx context.Context) (identityv1.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out, err := a.VerifyIdentity(ctx, &identityv1.VerifyIdentityRequest{
		Context: a.why(vocabularyv1.Purpose_PURPOSE_IDENTIFICATION), NationalId: a.id(), FullName: a.person.Name,
	})
	return out.GetVerdict(), err
}

func (a *asker) handle(t *testing.T) string {
	t.Helper()
	out, err := a.ResolveSubject(t.Context(), &identityv1.ResolveSubjectRequest{
		Context: a.why(vocabularyv1.Purpose_PURPOSE_IDENTIFICATION), NationalId: a.id(),
	})
	must(t, err)
	return out.GetHandle()
}

func (a *asker) address(ctx context.Context, handle string) (*identityv1.GetPostalAddressResponse, error) {
	return a.GetPostalAddress(ctx, &identityv1.GetPostalAddressRequest{Context: a.why(vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE), Handle: handle})
}

// TestRegisterTrouble has SPAR fail in every way that the simulator knows. Of a number nothing is said then, a person behind a handle counts
// as protected, CPR's persons are none the worse, and once SPAR is back all is as before.
//
// covers: REG-01, B.10
func TestRegisterTrouble(t *testing.T) {
	t.Parallel()
	f := start(t, sqlite, withRegisters)
	cast := f.scene.Cast
	swede, dane := f.asker(t, cast.SwedishFund, cast.Swede), f.asker(t, cast.DanishFund, cast.Dane)
	handle := swede.handle(t)
	for _, kind := range []trouble.Kind{
		trouble.Refuse, trouble.Reset, trouble.Cut, trouble.Hang, trouble.Unavailable, trouble.HTML, trouble.Garbage, trouble.GeneralError,
	} {
		must(t, f.registers.SetSPARTrouble(t.Context(), trouble.Trouble{Kind: kind}))
		_, err := swede.verify(t.Context())
		if status.Code(err) != codes.Unavailable || errs.ReasonOf(err) != commonv1.Reason_REASON_REGISTER_UNAVAILABLE {
			t.Errorf("%s: %v", kind, err)
		}
		out, err := swede.address(t.Context(), handle)
		if err != nil || out.GetAddress() != nil || out.GetProtection() != identityv1.ProtectionLevel_PROTECTION_LEVEL_UNKNOWN {
			t.Errorf("%s: address %t, protection %v, %v", kind, out.GetAddress() != nil, out.GetProtection(), err)
		}
		if got, err := dane.verify(t.Context()); err != nil || got != identityv1.Verdict_VERDICT_MATCH {
			t.Errorf("%s: the Dane: %v, %v", kind, got, err)
		}
		must(t, f.registers.SetSPARTrouble(t.Context(), trouble.Trouble{}))
		eventually(t, "SPAR is back after "+string(kind), func() bool {
			got, err := swede.verify(t.Context())
			return err == nil && got == identityv1.Verdict_VERDICT_MATCH
		})
	}
	if out, err := swede.address(t.Context(), handle); err != nil || out.GetAddress() == nil {
		t.Errorf("in the end: %v", err)
	}
}

// TestDeadRegisterSlowsNobodyElse has SPAR take questions and never answer, from many callers at once: meanwhile all look-ups in CPR end.
//
// covers: REG-02
func TestDeadRegisterSlowsNobodyElse(t *testing.T) {
	t.Parallel()
	f := start(t, sqlite, withRegisters)
	cast := f.scene.Cast
	swede, dane := f.asker(t, cast.SwedishFund, cast.Swede), f.asker(t, cast.DanishFund, cast.Dane)
	must(t, f.registers.SetSPARTrouble(t.Context(), trouble.Trouble{Kind: trouble.Hang}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	var refused atomic.Int64
	for range 100 { // more than the bulkhead holds
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := swede.verify(ctx); errs.ReasonOf(err) == commonv1.Reason_REASON_REGISTER_UNAVAILABLE {
					refused.Add(1)
				}
			}
		})
	}
	eventually(t, "SPAR is given up", func() bool { return refused.Load() > 0 })
	for i := range 50 {
		if got, err := dane.verify(t.Context()); err != nil || got != identityv1.Verdict_VERDICT_MATCH {
			t.Fatalf("look-up %d in CPR: %v, %v", i, got, err)
		}
	}
	cancel()
	wg.Wait()
	if n := f.registers.SF1520Counts().Requests; n < 50 {
		t.Errorf("CPR was asked %d times only", n)
	}
}

// TestDeliveries follows a Dane, and lets a delivery of CPR be cut off on its way: it is refused whole, the person stays as they were, and
// once the whole one lies in its place the fund is told.
//
// covers: REG-02, SEK-26
func TestDeliveries(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]option{"sqlite": sqlite, "postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, database, withRegisters)
			dane := f.asker(t, f.scene.Cast.DanishFund, f.scene.Cast.Dane)
			handle := dane.handle(t)
			today := time.Now().In(time.FixedZone("CET", 3600))
			_, err := dane.OpenAddressSubscription(t.Context(), &identityv1.OpenAddressSubscriptionRequest{
				Context: dane.why(vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE), Handle: handle, MembershipReference: "m-1",
				EffectiveFrom: &commonv1.Date{Year: int32(today.Year()), Month: int32(today.Month()), Day: int32(today.Day())},
			})
			must(t, err)
			eventually(t, "the person is on CPR's list", func() bool { return len(f.registers.Subscribed()) > 0 })
			street := func() string {
				out, err := dane.address(t.Context(), handle)
				must(t, err)
				return strings.Join(out.GetAddress().GetLines(), " ")
			}
			const there = "Industrivænget 52"
			must(t, f.registers.SetDanishAddress(f.scene.Cast.Dane.Number, registered.DanishAddress{
				Municipality: "0851", Road: "8512", House: "052", Standard: there, Street: "Industrivænget", PostalCode: "9000", District: "Aalborg",
			}))
			deliver(t, f)
			eventually(t, "the move is known", func() bool { return strings.Contains(street(), there) })
		})
	}
}

// deliver has CPR make a delivery of which at first a half arrives.
func deliver(t *testing.T, f *fixture) {
	t.Helper()
	folder := f.registers.DeliveryDir()
	before, err := os.ReadDir(folder)
	must(t, err)
	if len(before) != 0 {
		t.Fatalf("%d deliveries already", len(before))
	}
	const cut = "D000000" // sorts before any other
	must(t, os.WriteFile(filepath.Join(folder, cut), []byte("00000000000001109012026112320261120\n0010709614126"), 0o600))
	eventually(t, "the cut-off delivery is refused", func() bool { return f.logged(cut) })
	made, err := f.registers.Deliver(t.Context())
	must(t, err)
	must(t, os.Rename(filepath.Join(folder, cut), filepath.Join(folder, ".refused-"+cut)))
	if made.Persons == 0 {
		t.Error("a delivery about nobody")
	}
}
