package story

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"

	"samvirke.dev/deploy/generate/members"
	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/registers/eindkomst/upload"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// Names as they stand in records and agreements.
const (
	incomeService = "samvirke.income.v1.IncomeService/"
	paymentCheck  = vocabularyv1.Purpose_PURPOSE_PAYMENT_CONTROL
	lawMatching   = "DK:ALF§46"
)

// incomeMembers is how many members live through the month; every second of them is Danish.
const incomeMembers = 3000

// incomeBatch is how many persons one message of an upload holds.
const incomeBatch = 100

// month is the chapter about the income service: what it must come to is known beforehand, from the table that the members are made of.
type month struct {
	t       *teller
	fund    stack.Caller
	members []members.Member           // Danish ones
	handle  map[string]*members.Member // by handle
	run     string
	decided map[string]string // the first decision about each member, by handle
}

// incomeChapter tells of a month of many members: cards, the register, the decisions, and what members can do about them.
func incomeChapter(ctx context.Context, t *teller) error {
	if t.cast.Employers == nil {
		say.F(t.out, "\n    There is no income register here, so there is nothing to match.\n")
		return nil
	}
	m := &month{t: t, fund: t.cast.DanishFund, handle: map[string]*members.Member{}, decided: map[string]string{}}
	for _, one := range members.First(incomeMembers) {
		if one.Country == members.Denmark {
			m.members = append(m.members, one)
		}
	}
	for i := range m.members {
		m.handle[m.handleOf(i)] = &m.members[i]
	}
	if err := m.report(members.Uploads(m.members)); err != nil {
		return err
	}
	return errors.Join(
		t.run(ctx, append(m.prepare(), m.match()...)),
		m.told(ctx, "Every decision is read and compared with what the table says it must be", m.compare),
		m.told(ctx, "Waiting days (§ 56a) of every seventh member, each living through a row of the table", m.waitingDays),
		m.told(ctx, "Shortened benefit periods (§ 56b) of every eleventh member, from ledgers of eight years", m.shortenings),
		t.run(ctx, m.people()),
		m.told(ctx, "Employers correct what they reported; the months are matched again, and the difference is regulated", m.correct),
	)
}

// told is a step of many calls, which shows no single answer.
func (m *month) told(ctx context.Context, title string, do func(context.Context, incomev1.IncomeServiceClient) error) error {
	m.t.number++
	m.t.unrecorded++
	say.F(m.t.out, "\n%2d  %s\n", m.t.number, title)
	conn, err := m.t.conn(stack.IncomeName, m.fund)
	if err == nil {
		err = do(ctx, incomev1.NewIncomeServiceClient(conn))
	}
	return m.t.failed(title, err)
}

// handleOf is the fund's handle for a member. The identity service gives handles for persons whom CPR knows; these are in no register but
// eIndkomst's, so their handles are of the same form and made here.
func (m *month) handleOf(i int) string {
	return fmt.Sprintf("k00000001.month%022d", m.members[i].Index)
}

// report lets employers report to the register.
func (m *month) report(reports []upload.Report) error {
	var file bytes.Buffer
	if err := upload.WriteReports(&file, "20260405120000", reports); err != nil {
		return err
	}
	n, err := m.t.cast.Employers(&file)
	if err == nil {
		say.F(m.t.out, "\n    Employers send the register %d reports about March 2026, in a file of the form that eIndkomst takes.\n", n)
	}
	return err
}

func (m *month) why(caseReference string) *commonv1.RequestContext {
	return m.by("caseworker-7", caseReference)
}

func (m *month) by(person, caseReference string) *commonv1.RequestContext {
	w := because(m.fund, paymentCheck, caseReference)
	w.LegalReference, w.ActorId = lawMatching, person
	return w
}

// step is a call of the income service.
func (m *month) step(title, rpc string, why *commonv1.RequestContext,
	call func(ctx context.Context, cl incomev1.IncomeServiceClient, trailer grpc.CallOption) (answer, event string, err error),
) step {
	return step{
		title: title, who: m.fund, why: why, rpc: incomeService + rpc, service: stack.IncomeName,
		call: func(ctx context.Context, conn grpc.ClientConnInterface, trailer grpc.CallOption) (string, string, error) {
			return call(ctx, incomev1.NewIncomeServiceClient(conn), trailer)
		},
	}
}

// prepare tells the service who the members are and what they wrote on their cards.
func (m *month) prepare() []step {
	enrol := m.step("The fund enrols its members: only eIndkomst's adapter ever sees the numbers again", "EnrolMembers", m.why("2026-03"),
		func(ctx context.Context, cl incomev1.IncomeServiceClient, _ grpc.CallOption) (string, string, error) {
			items := make([]*incomev1.Enrolment, 0, len(m.members))
			for i := range m.members {
				items = append(items, &incomev1.Enrolment{Handle: m.handleOf(i), NationalId: Person{Country: "DK", Number: m.members[i].Number}.id()})
			}
			stream, err := cl.EnrolMembers(ctx)
			if err != nil {
				return "", "", err
			}
			n, event := int32(0), ""
			for batch := range slices.Chunk(items, incomeBatch) {
				got, err := exchange(stream, &incomev1.EnrolMembersRequest{Context: m.why("2026-03"), Items: batch})
				if err != nil {
					return "", "", err
				}
				n, event = n+got.GetEnrolled(), got.GetEventId()
			}
			return fmt.Sprintf("%d members", n), event, errors.Join(expect("enrolled", int(n), len(m.members)), stream.CloseSend())
		})
	enrol.records, enrol.plain = incomeBatch, true
	cards := m.step("It uploads their benefit cards for March 2026", "UploadMonths", m.why("2026-03"),
		func(ctx context.Context, cl incomev1.IncomeServiceClient, _ grpc.CallOption) (string, string, error) {
			items := make([]*incomev1.MemberMonth, 0, len(m.members))
			for i := range m.members {
				items = append(items, m.card(i))
			}
			stream, err := cl.UploadMonths(ctx)
			if err != nil {
				return "", "", err
			}
			n, event := int32(0), ""
			for batch := range slices.Chunk(items, incomeBatch) {
				got, err := exchange(stream, &incomev1.UploadMonthsRequest{Context: m.why("2026-03"), Month: members.Month, Items: batch})
				if err != nil {
					return "", "", err
				}
				n, event = n+got.GetStored(), got.GetEventId()
			}
			return fmt.Sprintf("%d cards", n), event, errors.Join(expect("stored", int(n), len(m.members)), stream.CloseSend())
		})
	cards.records, cards.plain = incomeBatch, true
	return []step{enrol, cards}
}

// exchange sends one message and reads its answer.
func exchange[Q, R any](stream grpc.BidiStreamingClient[Q, R], q *Q) (*R, error) {
	if err := stream.Send(q); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return stream.Recv() // which also tells why sending failed
}

func expect[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s: %v, want %v", what, got, want)
	}
	return nil
}

// card is what a member wrote.
func (m *month) card(i int) *incomev1.MemberMonth {
	one := &m.members[i]
	s := one.Scenario
	out := &incomev1.MemberMonth{
		Handle: m.handleOf(i), Status: incomev1.InsuranceStatus_INSURANCE_STATUS_FULL_TIME, MonthlyRate: one.Rate(), Protected: one.Protected(),
		PlacementMonth: s.Placement,
		Card: &incomev1.BenefitCard{
			DeclaredHours: s.Declared, DeclaredIncome: one.DeclaredIncome(), EntryCount: int32(s.Count), PrecisionMinutes: int32(s.Precision), //nolint:gosec // small
			DocumentKind: incomev1.DocumentKind_DOCUMENT_KIND_BENEFIT_CARD,
		},
	}
	if one.PartTime {
		out.Status = incomev1.InsuranceStatus_INSURANCE_STATUS_PART_TIME
	}
	if s.Ended {
		for _, r := range one.Reports() {
			out.EndedEmployers = append(out.EndedEmployers, r.Employer)
		}
	}
	return out
}

// match runs the month and compares every outcome with the table.
func (m *month) match() []step {
	why := m.why("2026-03-run")
	start := m.step("One run matches the month of all members; the register is asked for fifty at a time", "StartMatchingRun", why,
		func(ctx context.Context, cl incomev1.IncomeServiceClient, trailer grpc.CallOption) (string, string, error) {
			got, err := cl.StartMatchingRun(ctx, &incomev1.StartMatchingRunRequest{Context: why, Month: members.Month}, trailer)
			m.run = got.GetRun().GetRunId()
			return "run " + m.run, "", err
		})
	watch := m.step("The fund watches it", "WatchMatchingRun", why, m.watch)
	start.plain, start.nobody, watch.plain, watch.nobody = true, true, true, true
	return []step{start, watch}
}

// runLimit is how long the run may take on a slow machine.
const runLimit = 5 * time.Minute

func (m *month) watch(ctx context.Context, cl incomev1.IncomeServiceClient, _ grpc.CallOption) (string, string, error) {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	stream, err := cl.WatchMatchingRun(ctx, &incomev1.WatchMatchingRunRequest{Context: m.why("2026-03-run"), RunId: m.run})
	if err != nil {
		return "", "", err
	}
	var last *incomev1.WatchMatchingRunResponse
	for {
		got, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", "", err
		}
		last = got
	}
	run := last.GetRun()
	took := run.GetEndedAt().AsTime().Sub(run.GetStartedAt().AsTime())
	answer := fmt.Sprintf("%d of %d members in %.1f s", run.GetDone(), run.GetTotal(), took.Seconds())
	return answer, last.GetEventId(), errors.Join(
		expect("state", run.GetState(), incomev1.RunState_RUN_STATE_DONE), expect("members", run.GetTotal(), int64(len(m.members))),
		expect("done", run.GetDone(), run.GetTotal()),
	)
}
