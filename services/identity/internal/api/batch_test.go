package api

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/page"
)

// batchCases verifies by what the number says.
type batchCases struct {
	UseCases // those that are not asked here

	items []int
}

type itemNumber struct{}

func (b *batchCases) Verify(ctx context.Context, _ core.Caller, claim core.Claim) (core.VerifyAnswer, error) {
	i, _ := ctx.Value(itemNumber{}).(int)
	b.items = append(b.items, i)
	switch claim.Number.Text {
	case "bad":
		return core.VerifyAnswer{Verdict: core.VerdictUnknown}, nationalid.ErrForm
	case "outside":
		return core.VerifyAnswer{Verdict: core.VerdictUnknown}, nationalid.ErrOutsideEnvironment
	case "down":
		return core.VerifyAnswer{Verdict: core.VerdictUnknown}, core.ErrStoreUnavailable
	default:
		return core.VerifyAnswer{Verdict: core.VerdictMatch}, nil
	}
}

func batch(numbers ...string) *identityv1.BatchVerifyRequest {
	in := &identityv1.BatchVerifyRequest{}
	for _, n := range numbers {
		in.Items = append(in.Items, &identityv1.BatchItem{NationalId: &commonv1.NationalId{Country: vocabularyv1.Country_COUNTRY_SE, Value: n}})
	}
	return in
}

func batchServer(t *testing.T) (*Server, *batchCases) {
	t.Helper()
	b := &batchCases{}
	s, err := New(Deps{
		Workers: 1, UseCases: b, Caller: func(context.Context) core.Caller { return core.Caller{} },
		Item:    func(ctx context.Context, i int) context.Context { return context.WithValue(ctx, itemNumber{}, i) },
		EventID: func(context.Context) string { return "event" },
		Tokens:  page.NewCodec[Position](nil, clock.System(), 0), Poll: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, b
}

func TestBadItemsDoNotEndTheBatch(t *testing.T) {
	t.Parallel()
	s, b := batchServer(t)
	out, err := s.verifyAll(t.Context(), batch("good", "bad", "outside", "good"))
	if err != nil || len(out.GetResults()) != 4 || out.GetEventId() != "event" {
		t.Fatalf("%v, %v", out, err)
	}
	for i, want := range []commonv1.Reason{
		commonv1.Reason_REASON_UNSPECIFIED, commonv1.Reason_REASON_NATIONAL_ID_INVALID,
		commonv1.Reason_REASON_NATIONAL_ID_OUTSIDE_ENVIRONMENT, commonv1.Reason_REASON_UNSPECIFIED,
	} {
		r := out.GetResults()[i]
		good := want == commonv1.Reason_REASON_UNSPECIFIED
		if r.GetReason() != want || (r.GetVerdict() == identityv1.Verdict_VERDICT_MATCH) != good {
			t.Errorf("item %d: %v", i, r)
		}
	}
	if !slices.Equal(b.items, []int{0, 1, 2, 3}) {
		t.Errorf("items %v", b.items)
	}
}

func TestAFaultEndsTheBatch(t *testing.T) {
	t.Parallel()
	s, _ := batchServer(t)
	out, err := s.verifyAll(t.Context(), batch("good", "down", "good"))
	if out != nil || errs.ReasonOf(err) != commonv1.Reason_REASON_STORE_UNAVAILABLE || !errors.Is(err, core.ErrStoreUnavailable) {
		t.Errorf("%v, %v", out, err)
	}
}
