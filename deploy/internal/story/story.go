// Package story is one exchange after the other through the whole suite, as callers outside see it: who asks what about whom, for
// which purpose, what comes back or why it is refused, and which audit record it left. Every step knows the outcome that it must
// have, so the story shows the suite and tests it at once.
package story

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"samvirke.dev/deploy/internal/localca"
	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/deploy/internal/stack"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/errs"
)

// EventTrailer is the trailer with the id of a call's audit record.
const EventTrailer = "samvirke-event-id"

// Suite is what the story needs of a running suite; *stack.Stack is one.
type Suite interface {
	Dial(service string, c stack.Caller, opts ...grpc.DialOption) (*grpc.ClientConn, error)
	DialAs(service string, files localca.Files, opts ...grpc.DialOption) (*grpc.ClientConn, error)
	Handshake(ctx context.Context, service string, files localca.Files) error
	// REST is the gateway's address and a client with a caller's certificate.
	REST(c stack.Caller) (url string, client *http.Client, err error)
	// Runs says whether a service is part of the suite.
	Runs(service string) bool
	Records(ctx context.Context, service string, events ...string) ([]*auditv1.Record, error)
	// Verify runs samvirke-verify on a receipt as JSON; an error when it does not hold.
	Verify(ctx context.Context, receipt []byte) (string, error)
}

// Cast is who takes part.
type Cast struct {
	DanishFund       stack.Caller
	OtherDanishFund  stack.Caller
	SwedishFund      stack.Caller
	OtherSwedishFund stack.Caller
	Agency           stack.Caller
	Insurer          stack.Caller
	// Names are what people call the organisations, by their id such as DK:12345678.
	Names map[string]string

	Dane           Person
	Swede          Person
	ProtectedDane  Person
	ProtectedSwede Person
	// Two persons whose numbers were replaced: the number in force, and the old one.
	RenumberedDane, OldDane   Person
	RenumberedSwede, OldSwede Person

	// PowerOfAttorney signs that a member, by canonical national number, lets a fund contact the present one, for what the scopes say.
	PowerOfAttorney func(number, fund, current string, scopes ...string) (string, error)
	// Employers reports to eIndkomst: a file in the form in which employers do. Nil without that register.
	Employers func(file io.Reader) (reports int, err error)

	// Move gives a person a new address in the register, and returns its street.
	Move func(ctx context.Context, p Person) (street string, err error)

	// Stranger is a certificate that claims to be the Danish fund, of an authority that nobody trusts.
	Stranger localca.Files
	// Trusted is the Danish fund's own certificate.
	Trusted localca.Files
	// HandshakeLog waits for the service's log line about the stranger's handshake.
	HandshakeLog func(ctx context.Context) (string, error)
}

// Person is a test person, by number and name.
type Person struct {
	Country string
	Number  string
	Name    string
}

// teller tells the story and remembers what later steps need.
type teller struct {
	suite   Suite
	cast    Cast
	out     io.Writer
	conns   map[wire]*grpc.ClientConn
	handles map[string]string
	number  int
	events  []string
	// unrecorded is that of the result.
	unrecorded int
}

// Result is what came of a story.
type Result struct {
	// Steps is how many were told.
	Steps int
	// Events are the audit records' ids, in order.
	Events []string
	// Unrecorded is how many steps show no record of their own: somebody was refused at the handshake, or a step was many calls.
	Unrecorded int
}

// Tell tells the story to out. It goes on after a step that did not end as it must, and reports all of them together.
func Tell(ctx context.Context, suite Suite, cast Cast, out io.Writer) (Result, error) {
	t := &teller{suite: suite, cast: cast, out: out, conns: map[wire]*grpc.ClientConn{}, handles: map[string]string{}}
	defer t.close()
	var failures []error
	for _, c := range chapters() {
		if !suite.Runs(c.service) {
			continue
		}
		say.F(t.out, "\n── %s\n", c.title)
		if err := c.tell(ctx, t); err != nil {
			failures = append(failures, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return t.result(), errors.Join(append(failures, ctx.Err())...)
}

// chapter is a part of the story, about one service; it is left out where that does not run. Each stands in a file of its own.
type chapter struct {
	title   string
	service string
	tell    func(ctx context.Context, t *teller) error
}

// chapters are in the order in which they are told.
func chapters() []chapter {
	return []chapter{
		{"Identity: from a number to what a purpose allows", stack.IdentityName, identityChapter},
		{"Transfer: members move from one fund to another", stack.TransferName, transferChapter},
		{"Income: a month of many members", stack.IncomeName, incomeChapter},
		{"Insurance: what a partner gets of a member, and how it ends", stack.InsuranceName, insuranceChapter},
		{"The gateway: the same door over REST", stack.GatewayName, gatewayChapter},
		{"The ledger: an exchange is proved", stack.AuditName, ledgerChapter},
		{"The member sees all of it", stack.AuditName, usageChapter},
	}
}

// run tells steps one after the other, also after one that did not end as it must.
func (t *teller) run(ctx context.Context, steps []step) error {
	var failures []error
	for _, s := range steps {
		if ctx.Err() != nil {
			break
		}
		failures = append(failures, t.failed(s.title, t.tell(ctx, s)))
	}
	return errors.Join(failures...)
}

// failed says that a step did not end as it must, to the reader at once and to the caller in the end; nil stays nil.
func (t *teller) failed(title string, err error) error {
	if err == nil {
		return nil
	}
	say.F(t.out, "    NOT AS IT MUST BE: %v\n", err)
	return fmt.Errorf("step %d (%s): %w", t.number, title, err)
}

func (t *teller) result() Result {
	return Result{Steps: t.number, Events: t.events, Unrecorded: t.unrecorded}
}

func (t *teller) close() {
	for _, c := range t.conns {
		// Nothing is in flight any more.
		_ = c.Close()
	}
}

// call makes a call on a connection to the step's service.
type call func(ctx context.Context, conn grpc.ClientConnInterface, trailer grpc.CallOption) (answer, event string, err error)

// identity is a call of the identity service.
func identity(f func(ctx context.Context, cl client, trailer grpc.CallOption) (answer, event string, err error)) call {
	return func(ctx context.Context, conn grpc.ClientConnInterface, trailer grpc.CallOption) (string, string, error) {
		return f(ctx, identityv1.NewIdentityServiceClient(conn), trailer)
	}
}

// step is one call with the outcome that it must have.
type step struct {
	title string
	who   stack.Caller
	// about is whom the call names, for the reader; never printed where it could be taken for the suite's own output.
	about Person
	why   *commonv1.RequestContext
	rpc   string
	// service is the one that is called; the identity service when empty.
	service string
	// call makes it. The event id of a unary call stands in its trailer; a batch's is returned.
	call call
	// refused is the reason that must come, or unspecified when the call must succeed.
	refused commonv1.Reason
	// granted says that the call is allowed and fails for another reason, such as a person who is not found.
	granted bool
	// records is how many audit records it leaves, one a person; 1 when zero.
	records int
	// several says that it leaves one record or more, as many as it happened to tell of.
	several bool
	// plain says that the answer discloses nothing personal; nobody, that the call is not about a person.
	plain, nobody bool
	// record checks each audit record beyond what holds for every step.
	record func(*auditv1.Record) error
}

// tell makes the call, prints it, and compares answer and record with what they must be.
func (t *teller) tell(ctx context.Context, s step) error {
	t.number++
	t.question(s)
	s.service = or(s.service, stack.IdentityName)
	conn, err := t.conn(s.service, s.who)
	if err != nil {
		return err
	}
	var trailer metadata.MD
	answer, event, callErr := s.call(ctx, conn, grpc.Trailer(&trailer))
	t.answer(answer, callErr)
	if got := errs.ReasonOf(callErr); callErr != nil && (got != s.refused || got == commonv1.Reason_REASON_UNSPECIFIED) {
		return fmt.Errorf("refused with %s: %w", errs.Name(got), callErr)
	}
	if callErr == nil && s.refused != commonv1.Reason_REASON_UNSPECIFIED {
		return fmt.Errorf("answered, but %s must come", errs.Name(s.refused))
	}
	if ids := trailer.Get(EventTrailer); event == "" && len(ids) == 1 {
		event = ids[0]
	}
	if event == "" {
		return fmt.Errorf("%d event ids in the trailer, want 1", len(trailer.Get(EventTrailer)))
	}
	return t.audited(ctx, s, event)
}

// audited fetches, prints and checks the record of a call.
func (t *teller) audited(ctx context.Context, s step, event string) error {
	t.events = append(t.events, event)
	want := max(s.records, 1)
	records, err := t.records(ctx, s.service, event, want)
	if err != nil {
		return err
	}
	if len(records) < want || len(records) > want && !s.several {
		return fmt.Errorf("%d audit records for event %s, want %d", len(records), event, want)
	}
	var bad []error
	for i, r := range records {
		if i < shown {
			t.recorded(r)
		}
		if err := check(s, r); err != nil && len(bad) < shown {
			bad = append(bad, err)
		}
	}
	if len(records) > shown {
		t.line("", "and %d more", len(records)-shown)
	}
	return errors.Join(bad...)
}

// records are those of an event, all of them: the records of one event may reach the audit service in several deliveries. Fewer than wanted
// when they are not there within arrival.
func (t *teller) records(ctx context.Context, service, event string, want int) ([]*auditv1.Record, error) {
	until := clock.System().Now().Add(arrival)
	for {
		records, err := t.suite.Records(ctx, service, event)
		if err != nil || len(records) >= want || !clock.System().Now().Before(until) {
			return records, err
		}
	}
}

// arrival is how long the records of an event may take until the last of them has reached the audit service.
const arrival = 20 * time.Second

// shown is how many records of one event are printed.
const shown = 3

// wire is a caller's connection to a service.
type wire struct {
	service string
	who     stack.Caller
}

func (t *teller) conn(service string, who stack.Caller) (*grpc.ClientConn, error) {
	at := wire{service, who}
	conn, ok := t.conns[at]
	if !ok {
		var err error
		if conn, err = t.suite.Dial(service, who); err != nil {
			return nil, err
		}
		t.conns[at] = conn
	}
	return conn, nil
}
