package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
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
	dane     story.Person
	handle   map[string]string // the member's, by installation
	id       string            // of the move under way
	moves    int
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
func (m *interruption) step(a act) {
	m.t.Helper()
	who, other, call := a.who, a.other, a.call
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
	if a.want != 0 {
		m.awaits(who, a.want)
	}
	must(m.t, m.Start(m.t.Context(), other.at))
	if a.otherWant != 0 {
		m.awaits(other, a.otherWant)
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

// The states that the moves of the test go through.
const (
	requested    = transferv1.TransferState_TRANSFER_STATE_REQUESTED
	acknowledged = transferv1.TransferState_TRANSFER_STATE_ACKNOWLEDGED
	delivered    = transferv1.TransferState_TRANSFER_STATE_DATA_DELIVERED
	confirmed    = transferv1.TransferState_TRANSFER_STATE_EXIT_CONFIRMED
	withdrawn    = transferv1.TransferState_TRANSFER_STATE_WITHDRAWN
	effective    = transferv1.TransferState_TRANSFER_STATE_EFFECTIVE
)

// act is a command of a move: whose it is, what the two records must then be, and the call. 0 is an own record that waits for the other fund's
// word, and another one that is told nothing.
type act struct {
	who, other      side
	want, otherWant transferv1.TransferState
	call            func(context.Context, transferv1.TransferServiceClient) error
}

// TestKillInTransfer kills either party of a move, two processes with stores of their own, with kill -9 during every step: the one that acts
// while it is called, and the one that is told while the other lives. Each move goes to its end with every event once: to the confirmed exit,
// from which the member withdraws and an employee undoes it; to a withdrawal before the exit; and to the day of the move, with the address
// subscriptions of both funds.
//
// covers: DFH-05 SEK-24 SEK-26
func TestKillInTransfer(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]option{"sqlite": sqlite, "postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, database, apart)
			cast := f.scene.Cast
			m := &interruption{fixture: f, t: t, from: side{cast.DanishFund, stack.TransferName}, to: side{cast.OtherDanishFund, stack.ApartName}, dane: cast.Dane}
			m.joined()
			m.undone()
			m.gaveUp()
			m.moved()
		})
	}
}

// undone is a move that is killed at every step, to its confirmed exit, and on to the employee's decision to undo it.
func (m *interruption) undone() {
	inWork := &transferv1.SubmitTransferRequest{WorkSituation: transferv1.WorkSituation_WORK_SITUATION_IN_WORK}
	for _, a := range m.commands(inWork) {
		m.step(a)
	}
	n, o := m.awaits(m.to, confirmed), m.awaits(m.from, confirmed)
	if n.GetVersion() != 7 || o.GetVersion() != 4 || n.GetEffectiveOn().String() != o.GetEffectiveOn().String() || n.GetParts() != 1 {
		m.t.Errorf("events were lost or doubled:\n%v\n%v", n, o)
	}
	m.step(m.withdrawal(confirmed, confirmed))
	for _, who := range []side{m.to, m.from} {
		eventually(m.t, who.Org()+": a person is called in", func() bool { return len(m.awaits(who, confirmed).GetManual()) == 1 })
	}
	m.step(act{m.from, m.to, 0, withdrawn, func(ctx context.Context, c transferv1.TransferServiceClient) error {
		_, err := c.DecideWithdrawal(ctx, &transferv1.DecideWithdrawalRequest{
			Context: transferWhy(m.from.Caller), TransferId: m.id, Decision: transferv1.ExitDecision_EXIT_DECISION_UNDO, RequestId: m.request("decide"),
		})
		return err
	}})
	n, o = m.awaits(m.to, withdrawn), m.awaits(m.from, withdrawn)
	if len(n.GetManual())+len(o.GetManual()) != 0 || n.GetVersion() != 10 || o.GetVersion() != 7 {
		m.t.Errorf("after the decision:\n%v\n%v", n, o)
	}
}

// gaveUp is a move whose member withdraws before the exit is confirmed.
func (m *interruption) gaveUp() {
	all := m.commands(&transferv1.SubmitTransferRequest{WorkSituation: transferv1.WorkSituation_WORK_SITUATION_IN_WORK})
	for _, a := range all[:len(all)-1] {
		m.plain(a)
	}
	m.step(m.withdrawal(0, withdrawn))
	m.awaits(m.to, withdrawn)
}

// moved is the move of somebody who has just graduated: its day is the first of a month that has come, so it is killed on the day itself.
func (m *interruption) moved() {
	now := time.Now()
	ends := &commonv1.Date{Year: int32(now.Year()), Month: int32(now.Month()), Day: 1}
	for _, a := range m.commands(&transferv1.SubmitTransferRequest{WorkSituation: transferv1.WorkSituation_WORK_SITUATION_GRADUATED, EducationEndedOn: ends}) {
		m.plain(a)
	}
	for _, who := range []side{m.to, m.from} {
		soon()
		m.Kill(who.at)
		must(m.t, m.Start(m.t.Context(), who.at))
	}
	n, o := m.awaits(m.to, effective), m.awaits(m.from, effective)
	if n.GetVersion() != 8 || o.GetVersion() != 5 {
		m.t.Errorf("the day came more than once, or never:\n%v\n%v", n, o)
	}
	eventually(m.t, "the subscription of the fund that the member has left is closed", func() bool {
		return status.Code(m.subscribe(m.from, "o", ends)) == codes.FailedPrecondition
	})
	eventually(m.t, "the subscription of the member's new fund is open", func() bool {
		_, err := m.register(m.to).CloseAddressSubscription(m.t.Context(), &identityv1.CloseAddressSubscriptionRequest{
			Context: transferWhy(m.to.Caller), Handle: m.handle[m.to.at], MembershipReference: "m", LastDay: &commonv1.Date{Year: 2099, Month: 12, Day: 31},
		})
		return err == nil
	})
}

// register is the identity service, as a fund calls it.
func (m *interruption) register(who side) identityv1.IdentityServiceClient {
	conn, err := m.Dial(stack.IdentityName, who.Caller)
	must(m.t, err)
	m.t.Cleanup(func() { hangUp(m.t, conn) })
	return identityv1.NewIdentityServiceClient(conn)
}

func (m *interruption) subscribe(who side, membership string, first *commonv1.Date) error {
	_, err := m.register(who).OpenAddressSubscription(m.t.Context(), &identityv1.OpenAddressSubscriptionRequest{
		Context: transferWhy(who.Caller), Handle: m.handle[who.at], MembershipReference: membership, EffectiveFrom: first,
	})
	return err
}

// joined asks for the handles that both funds have for the member, whom the one fund has followed for years.
func (m *interruption) joined() {
	m.handle = map[string]string{}
	for _, who := range []side{m.to, m.from} {
		found, err := m.register(who).ResolveSubject(m.t.Context(), &identityv1.ResolveSubjectRequest{Context: transferWhy(who.Caller), NationalId: m.number()})
		must(m.t, err)
		m.handle[who.at] = found.GetHandle()
	}
	must(m.t, m.subscribe(m.from, "o", &commonv1.Date{Year: 2019, Month: 3, Day: 1}))
}

func (m *interruption) number() *commonv1.NationalId {
	return &commonv1.NationalId{Country: vocabularyv1.Country_COUNTRY_DK, Value: m.dane.Number}
}

// request is the request id of a command of the move under way.
func (m *interruption) request(command string) string {
	return fmt.Sprintf("%s-%d-0000000000000", command, m.moves)
}

// plain makes a call without killing anybody.
func (m *interruption) plain(a act) {
	m.t.Helper()
	must(m.t, m.call(a.who, a.call))
	m.awaits(a.who, a.want)
	if a.otherWant != 0 {
		m.awaits(a.other, a.otherWant)
	}
}

func (m *interruption) withdrawal(want, otherWant transferv1.TransferState) act {
	return act{m.to, m.from, want, otherWant, func(ctx context.Context, c transferv1.TransferServiceClient) error {
		_, err := c.WithdrawPowerOfAttorney(ctx, &transferv1.WithdrawPowerOfAttorneyRequest{
			Context: transferWhy(m.to.Caller), TransferId: m.id, Channel: transferv1.WithdrawalChannel_WITHDRAWAL_CHANNEL_PHONE, RequestId: m.request("withdraw"),
		})
		return err
	}}
}

// commands are those of both funds, from the creation of a move to its confirmed exit.
func (m *interruption) commands(application *transferv1.SubmitTransferRequest) []act {
	m.moves++
	from, to := m.from, m.to
	poa, err := m.scene.Cast.PowerOfAttorney("DK:"+m.dane.Number, to.Org(), from.Org(), "contact_current_fund", "exit", "data")
	must(m.t, err)
	whyN, whyO := transferWhy(to.Caller), transferWhy(from.Caller)
	return []act{
		{to, from, transferv1.TransferState_TRANSFER_STATE_DRAFT, 0, func(ctx context.Context, c transferv1.TransferServiceClient) error {
			out, err := c.CreateTransfer(ctx, &transferv1.CreateTransferRequest{
				Context: whyN, ReleasingFundId: from.Org(), Handle: m.handle[to.at], MembershipReference: "m", RequestId: m.request("create"),
			})
			if err == nil {
				m.id = out.GetTransfer().GetTransferId()
			}
			return err
		}},
		{to, from, transferv1.TransferState_TRANSFER_STATE_SUBMITTED, 0, func(ctx context.Context, c transferv1.TransferServiceClient) error {
			_, err := c.SubmitTransfer(ctx, &transferv1.SubmitTransferRequest{
				Context: whyN, TransferId: m.id, WorkSituation: application.GetWorkSituation(), EducationEndedOn: application.GetEducationEndedOn(),
				Application: &transferv1.MembershipApplication{Name: m.dane.Name, Email: "a@example.com", NationalId: m.number()}, RequestId: m.request("submit"),
			})
			return err
		}},
		{to, from, transferv1.TransferState_TRANSFER_STATE_POA_VERIFIED, 0, func(ctx context.Context, c transferv1.TransferServiceClient) error {
			_, err := c.VerifyPowerOfAttorney(ctx, &transferv1.VerifyPowerOfAttorneyRequest{Context: whyN, TransferId: m.id, Assertion: poa, RequestId: m.request("verify")})
			return err
		}},
		{to, from, requested, requested, func(ctx context.Context, c transferv1.TransferServiceClient) error {
			_, err := c.SendRequest(ctx, &transferv1.SendRequestRequest{Context: whyN, TransferId: m.id, RequestId: m.request("send")})
			return err
		}},
		{from, to, acknowledged, acknowledged, func(ctx context.Context, c transferv1.TransferServiceClient) error {
			_, err := c.AcknowledgeTransfer(ctx, &transferv1.AcknowledgeTransferRequest{Context: whyO, TransferId: m.id, MembershipReference: "o", RequestId: m.request("acknowledge")})
			return err
		}},
		{from, to, delivered, delivered, func(ctx context.Context, c transferv1.TransferServiceClient) error {
			return deliverOne(ctx, c, from.Caller, m.id, m.request("deliver"))
		}},
		{from, to, confirmed, confirmed, func(ctx context.Context, c transferv1.TransferServiceClient) error {
			_, err := c.ConfirmExit(ctx, &transferv1.ConfirmExitRequest{Context: whyO, TransferId: m.id, RequestId: m.request("confirm")})
			return err
		}},
	}
}

// deliverOne delivers the only part.
func deliverOne(ctx context.Context, c transferv1.TransferServiceClient, who stack.Caller, id, request string) error {
	stream, err := c.DeliverPackage(ctx)
	if err != nil {
		return err
	}
	err = stream.Send(&transferv1.DeliverPackageRequest{
		Context: transferWhy(who), TransferId: id, Part: 1, Last: true, RequestId: request,
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
