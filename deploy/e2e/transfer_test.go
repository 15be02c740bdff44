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

// killed makes a call while the service is killed at some moment, starts it again, and repeats the call until it is answered: a caller's
// ordinary retry, with the same request id.
func (f *fixture) killed(t *testing.T, who stack.Caller, call func(context.Context, transferv1.TransferServiceClient) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	once := func() error {
		conn, err := f.Dial(stack.TransferName, who)
		must(t, err)
		defer conn.Close() //nolint:errcheck // nothing is under way
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return call(ctx, transferv1.NewTransferServiceClient(conn))
	}
	var first sync.WaitGroup
	first.Go(func() { _ = once() }) // answered or not
	pause := time.NewTimer(rand.N(30 * time.Millisecond))
	<-pause.C
	f.Kill(stack.TransferName)
	first.Wait()
	must(t, f.Start(t.Context(), stack.TransferName))
	eventually(t, "the call is answered", func() bool {
		err := once()
		if err != nil && status.Code(err) != codes.Unavailable && status.Code(err) != codes.DeadlineExceeded && status.Code(err) != codes.FailedPrecondition {
			t.Fatal(err)
		}
		return err == nil
	})
}

// TestKillInTransfer kills the service of both parties with kill -9 during every step of a move. Each step is then repeated, and the move
// goes to its end with every event once.
//
// covers: DFH-05
func TestKillInTransfer(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]option{"sqlite": sqlite, "postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, database, whole, withRegisters)
			cast := f.scene.Cast
			from, to, dane := cast.DanishFund, cast.OtherDanishFund, cast.Dane
			conn, err := f.Dial(stack.IdentityName, to)
			must(t, err)
			defer conn.Close() //nolint:errcheck // nothing is under way
			number := &commonv1.NationalId{Country: vocabularyv1.Country_COUNTRY_DK, Value: dane.Number}
			found, err := identityv1.NewIdentityServiceClient(conn).ResolveSubject(t.Context(), &identityv1.ResolveSubjectRequest{Context: transferWhy(to), NationalId: number})
			must(t, err)
			poa, err := cast.PowerOfAttorney("DK:"+dane.Number, to.Org(), from.Org(), "contact_current_fund", "exit", "data")
			must(t, err)
			var id string
			f.killed(t, to, func(ctx context.Context, c transferv1.TransferServiceClient) error {
				out, err := c.CreateTransfer(ctx, &transferv1.CreateTransferRequest{
					Context: transferWhy(to), ReleasingFundId: from.Org(), Handle: found.GetHandle(), MembershipReference: "m", RequestId: "create-0000000000001",
				})
				if err == nil {
					id = out.GetTransfer().GetTransferId()
				}
				return err
			})
			f.killed(t, to, func(ctx context.Context, c transferv1.TransferServiceClient) error {
				_, err := c.SubmitTransfer(ctx, &transferv1.SubmitTransferRequest{
					Context: transferWhy(to), TransferId: id, WorkSituation: transferv1.WorkSituation_WORK_SITUATION_IN_WORK, RequestId: "submit-0000000000001",
					Application: &transferv1.MembershipApplication{Name: dane.Name, Email: "a@example.com", NationalId: number},
				})
				return err
			})
			f.killed(t, to, func(ctx context.Context, c transferv1.TransferServiceClient) error {
				_, err := c.VerifyPowerOfAttorney(ctx, &transferv1.VerifyPowerOfAttorneyRequest{Context: transferWhy(to), TransferId: id, Assertion: poa, RequestId: "verify-0000000000001"})
				return err
			})
			f.killed(t, to, func(ctx context.Context, c transferv1.TransferServiceClient) error {
				_, err := c.SendRequest(ctx, &transferv1.SendRequestRequest{Context: transferWhy(to), TransferId: id, RequestId: "send-000000000000001"})
				return err
			})
			f.awaits(t, from, id, transferv1.TransferState_TRANSFER_STATE_REQUESTED)
			f.killed(t, from, func(ctx context.Context, c transferv1.TransferServiceClient) error {
				_, err := c.AcknowledgeTransfer(ctx, &transferv1.AcknowledgeTransferRequest{Context: transferWhy(from), TransferId: id, MembershipReference: "o", RequestId: "ack-0000000000000001"})
				return err
			})
			f.killed(t, from, func(ctx context.Context, c transferv1.TransferServiceClient) error {
				return deliverOne(ctx, c, from, id)
			})
			f.killed(t, from, func(ctx context.Context, c transferv1.TransferServiceClient) error {
				_, err := c.ConfirmExit(ctx, &transferv1.ConfirmExitRequest{Context: transferWhy(from), TransferId: id, RequestId: "confirm-000000000001"})
				return err
			})
			n := f.awaits(t, to, id, transferv1.TransferState_TRANSFER_STATE_EXIT_CONFIRMED)
			o := f.awaits(t, from, id, transferv1.TransferState_TRANSFER_STATE_EXIT_CONFIRMED)
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

// awaits waits until a fund's record is in a state.
func (f *fixture) awaits(t *testing.T, who stack.Caller, id string, want transferv1.TransferState) (got *transferv1.Transfer) {
	t.Helper()
	conn, err := f.Dial(stack.TransferName, who)
	must(t, err)
	defer conn.Close() //nolint:errcheck // nothing is under way
	eventually(t, who.Org()+" "+want.String(), func() bool {
		out, err := transferv1.NewTransferServiceClient(conn).GetTransfer(t.Context(), &transferv1.GetTransferRequest{Context: transferWhy(who), TransferId: id}, grpc.WaitForReady(true))
		got = out.GetTransfer()
		return err == nil && got.GetState() == want
	})
	return got
}
