package income_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"samvirke.dev/certs/workload"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/income"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/store/sqlstore"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/suitetest"
)

// -update rewrites the golden files.
var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) {
	if os.Getenv(crashFile) != "" {
		crash()
		return
	}
	goleak.VerifyTestMain(m)
}

// The organisations of these tests. None of the numbers is anybody's.
const (
	fund      = "DK:10000009"
	otherFund = "DK:20000018"
	agency    = "DK:30000027"
	nobody    = "DK:50000045"
)

const service = "samvirke.income.v1.IncomeService/"

// fields are what the agreements of these tests release of each RPC's answer.
func fields() map[string][]string {
	return map[string][]string{
		"EnrolMembers": {"enrolled"}, "UploadMonths": {"stored"}, "UploadRegisterMonths": {"stored"}, "MatchMonth": {"decision"},
		"StartMatchingRun": {"run"}, "CancelMatchingRun": {"run"}, "GetMatchingRun": {"run"}, "WatchMatchingRun": {"run"},
		"ListDecisions": {"decisions"}, "RecordPosting": {"decision"}, "GetDecision": {"decision", "explanation"}, "SubmitRemark": {"decision"},
		"RequestManualReview": {"decision"}, "FileComplaint": {"decision"}, "DecideHuman": {"decision"}, "AssessWaitingDay": {"decisions"},
		"RecordConsumption": {"recorded"}, "AssessShortening": {"decision"}, "AssessIncomeCondition": {"decision"},
	}
}

// deal writes an agreement between the organisation as controller and itself as caller. JSON is YAML.
func deal(org, role string) (file, text string) {
	type m = map[string]any
	var grants []m
	for rpc, released := range fields() {
		grants = append(grants, m{"rpc": service + rpc, "fields": released, "purposes": []m{
			{"purpose": "PURPOSE_PAYMENT_CONTROL", "legal_bases": []string{"LEGAL_BASIS_A6_1_C"}},
			{"purpose": "PURPOSE_BENEFIT_ASSESSMENT", "legal_bases": []string{"LEGAL_BASIS_A6_1_C"}},
		}})
		if rpc == "AssessIncomeCondition" {
			grants[len(grants)-1]["purposes"] = []m{{"purpose": "PURPOSE_BENEFIT_ASSESSMENT", "legal_bases": []string{"LEGAL_BASIS_A6_1_C"}}}
		}
	}
	if role != "ROLE_FUND" { // an agreement about another service
		grants = []m{{"rpc": "samvirke.identity.v1.IdentityService/VerifyIdentity", "fields": []string{"verdict"}, "purposes": []m{
			{"purpose": "PURPOSE_IDENTIFICATION", "legal_bases": []string{"LEGAL_BASIS_A6_1_C"}},
		}}}
	}
	id := strings.ToLower(strings.ReplaceAll(org, ":", "-"))
	party := m{"id": org, "name": "Organisation " + org}
	raw, err := json.Marshal(m{
		"id": id, "version": 1, "controller": party, "recipient": party, "role": role,
		"valid_from": "2020-01-01T00:00:00Z", "valid_until": "2100-01-01T00:00:00Z", "grants": grants,
	})
	if err != nil {
		return "", err.Error()
	}
	return id + ".yaml", string(raw)
}

// world is a running income service.
type world struct {
	*suitetest.Server

	parts *income.Parts
	clock *shifted
	t     testing.TB
}

// setup is how a world starts.
type setup struct {
	suitetest.Options

	cfg      income.Config
	register func(core.Numbers) (core.Register, error)
	idle     bool // no jobs are done
}

func start(t testing.TB, edits ...func(*setup)) *world {
	t.Helper()
	w := &world{t: t, clock: at("2026-04-11T10:00:00Z")}
	s := &setup{cfg: income.DefaultConfig()}
	s.cfg.Environment, s.cfg.Run.Watch, s.cfg.Run.Chunk = "test", 5*time.Millisecond, 7
	s.cfg.Jobs.Poll, s.cfg.Jobs.FetchPause, s.cfg.Jobs.RetryFirst = 20*time.Millisecond, 2*time.Millisecond, 10*time.Millisecond
	s.Options = suitetest.Options{Migrations: sqlstore.Migrations(), Keysets: income.Keysets(), Agreements: map[string]string{}}
	for org, role := range map[string]string{fund: "ROLE_FUND", otherFund: "ROLE_FUND", agency: "ROLE_AGENCY"} {
		file, text := deal(org, role)
		s.Agreements[file] = text
	}
	for _, e := range edits {
		e(s)
	}
	s.Register = func(server *suitetest.Server, _ grpc.ServiceRegistrar) {
		w.Server = server
		w.parts = w.build(s)
		w.parts.Register(server.RPC)
	}
	w.Server = suitetest.Start(t, s.Options)
	return w
}

// build makes the parts of a replica and has them do jobs until the test ends.
func (w *world) build(s *setup) *income.Parts {
	w.t.Helper()
	parts, err := income.NewParts(w.t.Context(), s.cfg, income.Deps{
		DB: w.DB, Keys: w.Keys, Recorder: w.Recorder(), Clock: w.clock, Log: slog.New(slog.NewJSONHandler(w.Logs, nil)),
		Meter: noop.Meter{}, Tracer: trace.NewTracerProvider().Tracer("test"), Register: s.register,
	})
	must(w.t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(w.t.Context()))
	var work sync.WaitGroup
	if !s.idle {
		work.Go(func() {
			if err := parts.Work(ctx); err != nil {
				w.t.Error(err)
			}
		})
	}
	w.t.Cleanup(func() {
		stop()
		work.Wait()
		must(w.t, parts.Close())
	})
	return parts
}

// shifted is the system's clock with an offset. A clock that stands still would not do: deadlines are measured in real time.
type shifted struct {
	mu     sync.Mutex
	offset time.Duration
}

func at(moment string) *shifted {
	s := &shifted{}
	s.Set(moment)
	return s
}

// Now implements clock.Clock.
func (s *shifted) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return clock.System().Now().Add(s.offset)
}

// Set makes it a certain moment.
func (s *shifted) Set(moment string) {
	want, err := time.Parse(time.RFC3339, moment)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset = want.Sub(clock.System().Now())
}

// Advance makes it so much later, and returns the moment that it is then.
func (s *shifted) Advance(by time.Duration) time.Time {
	s.mu.Lock()
	s.offset += by
	s.mu.Unlock()
	return s.Now()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// workloadOf is the system of an organisation that calls in these tests.
func (w *world) workloadOf(org string) workload.ID {
	country, number, _ := strings.Cut(org, ":")
	return w.CA.Organisation(country, number, "caseworker")
}

// client is one organisation's system; employee is who stands behind its calls.
type client struct {
	w        *world
	org      string
	employee string
	rpc      incomev1.IncomeServiceClient
}

func (w *world) as(org, employee string) *client {
	w.t.Helper()
	return &client{w: w, org: org, employee: employee, rpc: incomev1.NewIncomeServiceClient(w.Dial(w.workloadOf(org)))}
}

func (c *client) why() *commonv1.RequestContext {
	return &commonv1.RequestContext{
		ControllerId: c.org, Purpose: vocabularyv1.Purpose_PURPOSE_BENEFIT_ASSESSMENT, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C,
		LegalReference: "DK:ALF§46", CaseReference: "case-1", ActorId: c.employee,
	}
}

// handleOf is a made-up handle.
func handleOf(i int) string { return fmt.Sprintf("k00000001.member%021d", i) }

// stream sends messages over a stream of batches and returns the answers.
func stream[Req, Resp any, S interface {
	Send(*Req) error
	Recv() (*Resp, error)
	CloseSend() error
}](s S, err error, messages ...*Req) (out []*Resp, _ error) {
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		if err := s.Send(m); err != nil && !errors.Is(err, io.EOF) {
			return out, err
		}
		answer, err := s.Recv()
		if err != nil {
			return out, err
		}
		out = append(out, answer)
	}
	return out, s.CloseSend()
}

func (c *client) upload(month string, items ...*incomev1.MemberMonth) (rematched int32) {
	c.w.t.Helper()
	ctx, cancel := context.WithCancel(c.w.t.Context())
	defer cancel()
	var messages []*incomev1.UploadMonthsRequest
	for len(items) > 0 {
		n := min(100, len(items))
		messages = append(messages, &incomev1.UploadMonthsRequest{Context: c.why(), Month: month, Items: items[:n]})
		items = items[n:]
	}
	s, err := c.rpc.UploadMonths(ctx)
	out, err := stream(s, err, messages...)
	must(c.w.t, err)
	for _, o := range out {
		rematched += o.GetRematched()
	}
	return rematched
}

func (c *client) deliver(month string, items ...*incomev1.RegisterMonth) (rematched int32) {
	c.w.t.Helper()
	ctx, cancel := context.WithCancel(c.w.t.Context())
	defer cancel()
	var messages []*incomev1.UploadRegisterMonthsRequest
	for len(items) > 0 {
		n := min(100, len(items))
		messages = append(messages, &incomev1.UploadRegisterMonthsRequest{Context: c.why(), Month: month, Items: items[:n]})
		items = items[n:]
	}
	s, err := c.rpc.UploadRegisterMonths(ctx)
	out, err := stream(s, err, messages...)
	must(c.w.t, err)
	for _, o := range out {
		rematched += o.GetRematched()
	}
	return rematched
}

// run matches a month of all members and waits for the end.
func (c *client) run(month string) *incomev1.MatchingRun {
	c.w.t.Helper()
	started, err := c.rpc.StartMatchingRun(c.w.t.Context(), &incomev1.StartMatchingRunRequest{Context: c.why(), Month: month})
	must(c.w.t, err)
	return c.await(started.GetRun().GetRunId())
}

// await watches a run to its end.
func (c *client) await(id string) (last *incomev1.MatchingRun) {
	c.w.t.Helper()
	ctx, cancel := context.WithTimeout(c.w.t.Context(), time.Minute)
	defer cancel()
	s, err := c.rpc.WatchMatchingRun(ctx, &incomev1.WatchMatchingRunRequest{Context: c.why(), RunId: id})
	must(c.w.t, err)
	for {
		m, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return last
		}
		must(c.w.t, err)
		last = m.GetRun()
	}
}

// list returns all decisions in a state, by handle.
func (c *client) list(state incomev1.DecisionState) map[string][]*incomev1.ListedDecision {
	c.w.t.Helper()
	out := map[string][]*incomev1.ListedDecision{}
	for token := ""; ; {
		page, err := c.rpc.ListDecisions(c.w.t.Context(), &incomev1.ListDecisionsRequest{Context: c.why(), State: state, PageSize: 40, PageToken: token})
		must(c.w.t, err)
		for _, d := range page.GetDecisions() {
			out[d.GetHandle()] = append(out[d.GetHandle()], d)
		}
		if token = page.GetNextPageToken(); token == "" {
			return out
		}
	}
}

func (c *client) decision(id string) *incomev1.Decision {
	c.w.t.Helper()
	out, err := c.rpc.GetDecision(c.w.t.Context(), &incomev1.GetDecisionRequest{Context: c.why(), DecisionId: id})
	must(c.w.t, err)
	return out.GetDecision()
}

// match matches one month and returns the decision.
func (c *client) match(month string, m *incomev1.MemberMonth) *incomev1.Decision {
	c.w.t.Helper()
	out, err := c.rpc.MatchMonth(c.w.t.Context(), &incomev1.MatchMonthRequest{Context: c.why(), Handle: m.GetHandle(), Month: month, MemberMonth: m})
	must(c.w.t, err)
	return out.GetDecision()
}

// card is a month of a full-time member at the highest rate of 2024.
func card(i int, declared int64, n, p int32) *incomev1.MemberMonth {
	return &incomev1.MemberMonth{
		Handle: handleOf(i), Status: incomev1.InsuranceStatus_INSURANCE_STATUS_FULL_TIME, MonthlyRate: 2_035_900,
		Card: &incomev1.BenefitCard{DeclaredHours: declared, DeclaredIncome: declared * 200, EntryCount: n, PrecisionMinutes: p},
	}
}

// registered is what the register says about March 2026.
func registered(i int, hours ...int64) *incomev1.RegisterMonth {
	m := &incomev1.RegisterMonth{Handle: handleOf(i), RetrievedAt: timestamppb.New(time.Date(2026, 4, 10, 3, 0, 0, 0, time.UTC))}
	for j, h := range hours {
		m.Records = append(m.Records, &incomev1.RegisterRecord{
			Employer: fmt.Sprintf("E%d", j), Hours: h, Income: h * 200, PeriodFrom: date("2026-03-01"), PeriodTo: date("2026-03-31"),
		})
	}
	return m
}

func date(iso string) *commonv1.Date {
	d, err := time.Parse(time.DateOnly, iso)
	if err != nil {
		return nil
	}
	return &commonv1.Date{Year: int32(d.Year()), Month: int32(d.Month()), Day: int32(d.Day())}
}

// want checks the reason of a refusal.
func want(t testing.TB, err error, code codes.Code, reason string) {
	t.Helper()
	st := status.Convert(err)
	got := ""
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			got = info.GetReason()
		}
	}
	if st.Code() != code || got != reason {
		t.Errorf("got %v %s (%v), want %v %s", st.Code(), got, err, code, reason)
	}
}

// within polls until ok, or fails the test.
func within(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", limit, what)
		case <-tick.C:
		}
	}
}

// monthText writes a month as requests do.
func monthText(year, month int) string { return fmt.Sprintf("%04d-%02d", year, month) }

func containsText(s, part string) bool { return strings.Contains(s, part) }
