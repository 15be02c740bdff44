package e2e_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"samvirke.dev/deploy/internal/stack"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// transferWhy is the context in which a Danish fund acts about a transfer.
func transferWhy(c stack.Caller) *commonv1.RequestContext {
	return &commonv1.RequestContext{
		ControllerId: c.Org(), Purpose: vocabularyv1.Purpose_PURPOSE_FUND_TRANSFER, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C,
		LegalReference: "DK:ALF§41", CaseReference: "kill-1", ActorId: "caseworker-7",
	}
}

// side is one party of a move: its fund, and the installation that serves it.
type side struct {
	stack.Caller

	at string
}

// apart gives each party an installation of its own, beside the identity service.
func apart(_ *testing.T, c *setup) { c.only, c.apart = []string{stack.IdentityName}, true }

// interruption is a move under way between two installations that are killed.
type interruption struct {
	*fixture

	t        *testing.T
	from, to side
	id       string
}

// call makes a call once.
func (m *interruption) call(who side, call func(context.Context, transferv1.TransferServiceClient) error) error {
	conn, err := m.Dial(who.at, who.Caller)
	must(m.t, err)
	defer conn.Close() //nolint:errcheck // nothing is under way
	ctx, cancel := context.WithTimeout(m.t.Context(), 10*time.Second)
	defer cancel()
	return call(ctx, transferv1.NewTransferServiceClient(conn))
}

// soon is some moment of a call.
func soon() { <-time.NewTimer(rand.N(30 * time.Millisecond)).C }

// step makes a call while the party that makes it is killed at some moment, starts it again, and repeats the call until it is answered: a
// caller's ordinary retry, with the same request id. Then the other party, which is being told, is killed at some moment while this one
// lives, answers, and goes on telling. At last both records are where they must be.
func (m *interruption) step(who, other side, want, otherWant transferv1.TransferState, call func(context.Context, transferv1.TransferServiceClient) error) {
	m.t.Helper()
	var first sync.WaitGroup
	first.Go(func() { _ = m.call(who, call) }) // answered or not
	soon()
	m.Kill(who.at)
	first.Wait()
	must(m.t, m.Start(m.t.Context(), who.at))
	eventually(m.t, "the call is answered", func() bool {
		err := m.call(who, call)
		if err != nil && status.Code(err) != codes.Unavailable && status.Code(err) != codes.DeadlineExceeded && status.Code(err) != codes.FailedPrecondition {
			m.t.Fatal(err)
		}
		return err == nil
	})
	soon()
	m.Kill(other.at)
	m.awaits(who, want)
	must(m.t, m.Start(m.t.Context(), other.at))
	if otherWant != 0 {
		m.awaits(other, otherWant)
	}
}

// awaits waits until a party's record is in a state.
func (m *interruption) awaits(who side, want transferv1.TransferState) (got *transferv1.Transfer) {
	m.t.Helper()
	eventually(m.t, who.Org()+" "+want.String(), func() bool {
		return m.call(who, func(ctx context.Context, c transferv1.TransferServiceClient) error {
			out, err := c.GetTransfer(ctx, &transferv1.GetTransferRequest{Context: transferWhy(who.Caller), TransferId: m.id}, grpc.WaitForReady(true))
			got = out.GetTransfer()
			return err
		}) == nil && got.GetState() == want
	})
	return got
}

// TestKillInTransfer kills either party of a move, two processes with stores of their own, with kill -9 during every step: the one that acts
// while it is called, and the one that is told while the other lives. The move goes to its end with every event once.
//
// covers: DFH-05
func TestKillInTransfer(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]option{"sqlite": sqlite, "postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, database, apart)
			cast := f.scene.Cast
			m := &interruption{fixture: f, t: t, from: side{cast.DanishFund, stack.TransferName}, to: side{cast.OtherDanishFund, stack.ApartName}}
			from, to, dane := m.from, m.to, cast.Dane
			conn, err := f.Dial(stack.IdentityName, to.Caller)
			must(t, err)
			defer conn.Close() //nolint:errcheck // nothing is under way
			number := &commonv1.NationalId{Country: vocabularyv1.Country_COUNTRY_DK, Value: dane.Number}
			found, err := identityv1.NewIdentityServiceClient(conn).ResolveSubject(t.Context(), &identityv1.ResolveSubjectRequest{Context: transferWhy(to.Caller), NationalId: number})
			must(t, err)
			poa, err := cast.PowerOfAttorney("DK:"+dane.Number, to.Org(), from.Org(), "contact_current_fund", "exit", "data")
			must(t, err)
			whyN, whyO := transferWhy(to.Caller), transferWhy(from.Caller)
			m.step(to, from, transferv1.TransferState_TRANSFER_STATE_DRAFT, 0, func(ctx context.Context, c transferv1.TransferServiceClient) error {
				out, err := c.CreateTransfer(ctx, &transferv1.CreateTransferRequest{
					Context: whyN, ReleasingFundId: from.Org(), Handle: found.GetHandle(), MembershipReference: "m", RequestId: "create-0000000000001",
				})
				if err == nil {
					m.id = out.GetTransfer().GetTransferId()
				}
				return err
			})
			m.step(to, from, transferv1.TransferState_TRANSFER_STATE_SUBMITTED, 0, func(ctx context.Context, c transferv1.TransferServiceClient) error {
				_, err := c.SubmitTransfer(ctx, &transferv1.SubmitTransferRequest{
					Context: whyN, TransferId: m.id, WorkSituation: transferv1.WorkSituation_WORK_SITUATION_IN_WORK, RequestId: "submit-0000000000001",
					Application: &transferv1.MembershipApplication{Name: dane.Name, Email: "a@example.com", NationalId: number},
				})
				return err
			})
			m.step(to, from, transferv1.TransferState_TRANSFER_STATE_POA_VERIFIED, 0, func(ctx context.Context, c transferv1.TransferServiceClient) error {
				_, err := c.VerifyPowerOfAttorney(ctx, &transferv1.VerifyPowerOfAttorneyRequest{Context: whyN, TransferId: m.id, Assertion: poa, RequestId: "verify-0000000000001"})
				return err
			})
			m.step(to, from, transferv1.TransferState_TRANSFER_STATE_REQUESTED, transferv1.TransferState_TRANSFER_STATE_REQUESTED, func(ctx context.Context, c transferv1.TransferServiceClient) error {
				_, err := c.SendRequest(ctx, &transferv1.SendRequestRequest{Context: whyN, TransferId: m.id, RequestId: "send-000000000000001"})
				return err
			})
			m.step(from, to, transferv1.TransferState_TRANSFER_STATE_ACKNOWLEDGED, transferv1.TransferState_TRANSFER_STATE_ACKNOWLEDGED, func(ctx context.Context, c transferv1.TransferServiceClient) error {
				_, err := c.AcknowledgeTransfer(ctx, &transferv1.AcknowledgeTransferRequest{Context: whyO, TransferId: m.id, MembershipReference: "o", RequestId: "ack-0000000000000001"})
				return err
			})
			m.step(from, to, transferv1.TransferState_TRANSFER_STATE_DATA_DELIVERED, transferv1.TransferState_TRANSFER_STATE_DATA_DELIVERED, func(ctx context.Context, c transferv1.TransferServiceClient) error {
				return deliverOne(ctx, c, from.Caller, m.id)
			})
			m.step(from, to, transferv1.TransferState_TRANSFER_STATE_EXIT_CONFIRMED, transferv1.TransferState_TRANSFER_STATE_EXIT_CONFIRMED, func(ctx context.Context, c transferv1.TransferServiceClient) error {
				_, err := c.ConfirmExit(ctx, &transferv1.ConfirmExitRequest{Context: whyO, TransferId: m.id, RequestId: "confirm-000000000001"})
				return err
			})
			n := m.awaits(to, transferv1.TransferState_TRANSFER_STATE_EXIT_CONFIRMED)
			o := m.awaits(from, transferv1.TransferState_TRANSFER_STATE_EXIT_CONFIRMED)
			if n.GetVersion() != 7 || o.GetVersion() != 4 || n.GetEffectiveOn().String() != o.GetEffectiveOn().String() || n.GetParts() != 1 {
				t.Errorf("events were lost or doubled:\n%v\n%v", n, o)
			}
		})
	}
}

// deliverOne delivers the only part.
func deliverOne(ctx context.Context, c transferv1.TransferServiceClient, who stack.Caller, id string) error {
	stream, err := c.DeliverPackage(ctx)
	if err != nil {
		return err
	}
	err = stream.Send(&transferv1.DeliverPackageRequest{
		Context: transferWhy(who), TransferId: id, Part: 1, Last: true, RequestId: "deliver-000000000001",
		Package: &transferv1.DataPackage{Content: &transferv1.DataPackage_Membership{Membership: &transferv1.MembershipPackage{
			Insurance: []*transferv1.InsurancePeriod{{
				Period: &transferv1.Period{FirstDay: &commonv1.Date{Year: 2019, Month: 3, Day: 1}}, Category: transferv1.InsuranceCategory_INSURANCE_CATEGORY_FULL_TIME,
			}},
		}}},
	})
	if err != nil {
		return status.Error(codes.Unavailable, "the stream broke")
	}
	_, err = stream.Recv()
	return err
}
