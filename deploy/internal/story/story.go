// Package story is one exchange after the other through the whole suite, as callers outside see it: who asks what about whom, for
// which purpose, what comes back or why it is refused, and which audit record it left. Every step knows the outcome that it must
// have, so the story shows the suite and tests it at once.
package story

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"samvirke.dev/deploy/internal/localca"
	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/deploy/internal/stack"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/platform/errs"
)

// EventTrailer is the trailer with the id of a call's audit record.
const EventTrailer = "samvirke-event-id"

// Suite is what the story needs of a running suite; *stack.Stack is one.
type Suite interface {
	Dial(service string, c stack.Caller, opts ...grpc.DialOption) (*grpc.ClientConn, error)
	DialAs(service string, files localca.Files, opts ...grpc.DialOption) (*grpc.ClientConn, error)
	Handshake(ctx context.Context, service string, files localca.Files) error
	Records(ctx context.Context, service string, events ...string) ([]*auditv1.Record, error)
}

// Cast is who takes part.
type Cast struct {
	DanishFund       stack.Caller
	OtherDanishFund  stack.Caller
	SwedishFund      stack.Caller
	OtherSwedishFund stack.Caller
	Agency           stack.Caller
	// Names are what people call the organisations, by their id such as DK:12345678.
	Names map[string]string

	Dane           Person
	Swede          Person
	ProtectedDane  Person
	ProtectedSwede Person
	// Two persons whose numbers were replaced: the number in force, and the old one.
	RenumberedDane, OldDane   Person
	RenumberedSwede, OldSwede Person

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
	conns   map[stack.Caller]*grpc.ClientConn
	handles map[string]string
	number  int
	events  []string
}

// Result is what came of a story.
type Result struct {
	// Steps is how many were told.
	Steps int
	// Events are the audit records' ids, in order.
	Events []string
}

// Tell tells the story to out. It goes on after a step that did not end as it must, and reports all of them together.
func Tell(ctx context.Context, suite Suite, cast Cast, out io.Writer) (Result, error) {
	t := &teller{suite: suite, cast: cast, out: out, conns: map[stack.Caller]*grpc.ClientConn{}, handles: map[string]string{}}
	defer t.close()
	var failures []error
	for _, s := range t.steps() {
		if err := ctx.Err(); err != nil {
			return t.result(), errors.Join(append(failures, err)...)
		}
		if err := t.tell(ctx, s); err != nil {
			say.F(t.out, "    NOT AS IT MUST BE: %v\n", err)
			failures = append(failures, fmt.Errorf("step %d (%s): %w", t.number, s.title, err))
		}
	}
	if err := t.stranger(ctx); err != nil {
		say.F(t.out, "    NOT AS IT MUST BE: %v\n", err)
		failures = append(failures, fmt.Errorf("step %d (stranger): %w", t.number, err))
	}
	return t.result(), errors.Join(failures...)
}

func (t *teller) result() Result { return Result{Steps: t.number, Events: t.events} }

func (t *teller) close() {
	for _, c := range t.conns {
		// Nothing is in flight any more.
		_ = c.Close()
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
	// call makes it. The event id of a unary call stands in its trailer; a batch's is returned.
	call func(ctx context.Context, client identityv1.IdentityServiceClient, trailer grpc.CallOption) (answer, event string, err error)
	// refused is the reason that must come, or unspecified when the call must succeed.
	refused commonv1.Reason
	// granted says that the call is allowed and fails for another reason, such as a person who is not found.
	granted bool
	// records is how many audit records it leaves, one a person; 1 when zero.
	records int
	// several says that it leaves one record or more, as many as it happened to tell of.
	several bool
	// record checks each audit record beyond what holds for every step.
	record func(*auditv1.Record) error
}

// tell makes the call, prints it, and compares answer and record with what they must be.
func (t *teller) tell(ctx context.Context, s step) error {
	t.number++
	t.question(s)
	client, err := t.client(s.who)
	if err != nil {
		return err
	}
	var trailer metadata.MD
	answer, event, callErr := s.call(ctx, client, grpc.Trailer(&trailer))
	t.answer(answer, callErr)
	if got := errs.ReasonOf(callErr); callErr != nil && got != s.refused {
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
	records, err := t.suite.Records(ctx, stack.IdentityName, event)
	if err != nil {
		return err
	}
	if want := max(s.records, 1); len(records) < want || len(records) > want && !s.several {
		return fmt.Errorf("%d audit records for event %s, want %d", len(records), event, want)
	}
	var bad []error
	for _, r := range records {
		t.recorded(r)
		bad = append(bad, check(s, r))
	}
	return errors.Join(bad...)
}

func (t *teller) client(who stack.Caller) (identityv1.IdentityServiceClient, error) {
	conn, ok := t.conns[who]
	if !ok {
		var err error
		if conn, err = t.suite.Dial(stack.IdentityName, who); err != nil {
			return nil, err
		}
		t.conns[who] = conn
	}
	return identityv1.NewIdentityServiceClient(conn), nil
}
