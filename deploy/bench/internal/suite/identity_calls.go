package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"samvirke.dev/deploy/bench/internal/load"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
)

// The calls of the identity service.
const (
	CallVerify     = "identity.VerifyIdentity"
	CallResolve    = "identity.ResolveSubject"
	CallAddress    = "identity.GetPostalAddress"
	CallProtection = "identity.GetProtectionStatus"
	CallBatch      = "identity.BatchVerify"
)

// BatchSize is how many persons one message of CallBatch names.
const BatchSize = 100

// wrongName belongs to nobody; every wrongEvery-th question carries it, so that the service can't get by with saying yes.
const (
	wrongName  = "Ingen Alls"
	wrongEvery = 8
)

// identityLanes are the identity service's calls, of a people file's persons.
func identityLanes(ctx context.Context, t *load.Target, data json.RawMessage) (map[string]load.Lane, error) {
	var conf identityData
	if err := json.Unmarshal(data, &conf); err != nil {
		return nil, fmt.Errorf("identity: data: %w", err)
	}
	p, err := readPeople(ctx, t, conf)
	if err != nil {
		return nil, err
	}
	lane := func(method string, next func(*asker) (proto.Message, proto.Message, func() error)) load.Lane {
		return func(t *load.Target, i int) (load.Caller, error) {
			conn, err := t.Conn(i)
			ask := newAsker(p, i)
			return &load.Unary{Conn: conn, Method: method, Audited: true, Next: func() (req, resp proto.Message, check func() error) { return next(ask) }}, err
		}
	}
	return map[string]load.Lane{
		CallVerify:     lane(identityv1.IdentityService_VerifyIdentity_FullMethodName, (*asker).verify),
		CallResolve:    lane(identityv1.IdentityService_ResolveSubject_FullMethodName, (*asker).resolve),
		CallAddress:    lane(identityv1.IdentityService_GetPostalAddress_FullMethodName, (*asker).address),
		CallProtection: lane(identityv1.IdentityService_GetProtectionStatus_FullMethodName, (*asker).protection),
		CallBatch: func(t *load.Target, i int) (load.Caller, error) {
			conn, err := t.Conn(i)
			return &batch{conn: conn, ask: newAsker(p, i)}, err
		},
	}, nil
}

// asker makes up questions and knows the right answers.
type asker struct {
	people *asked
	rnd    *rand.Rand
	n      int
}

// newAsker draws persons of its own for each lane, the same ones in every run.
func newAsker(p *asked, lane int) *asker {
	return &asker{people: p, rnd: rand.New(rand.NewPCG(uint64(lane), 1))} //nolint:gosec // a choice of persons, no secret
}

func (a *asker) person() person { return a.people.all[a.rnd.IntN(len(a.people.all))] }

func (a *asker) handle() string { return a.people.handles[a.rnd.IntN(len(a.people.handles))] }

// question is a person, a name to compare, and the verdict that must come.
func (a *asker) question() (person, string, identityv1.Verdict) {
	a.n++
	who := a.person()
	if a.n%wrongEvery == 0 {
		return who, wrongName, identityv1.Verdict_VERDICT_NO_MATCH
	}
	return who, who.name, identityv1.Verdict_VERDICT_MATCH
}

func (a *asker) verify() (proto.Message, proto.Message, func() error) {
	who, name, want := a.question()
	req := &identityv1.VerifyIdentityRequest{Context: a.people.verify, NationalId: who.id(), FullName: name}
	resp := new(identityv1.VerifyIdentityResponse)
	return req, resp, func() error { return sameVerdict(resp.GetVerdict(), want) }
}

func (a *asker) resolve() (proto.Message, proto.Message, func() error) {
	req := &identityv1.ResolveSubjectRequest{Context: a.people.verify, NationalId: a.person().id()}
	resp := new(identityv1.ResolveSubjectResponse)
	return req, resp, func() error {
		if resp.GetHandle() == "" {
			return errors.New("answer without a handle")
		}
		return nil
	}
}

func (a *asker) address() (proto.Message, proto.Message, func() error) {
	req := &identityv1.GetPostalAddressRequest{Context: a.people.address, Handle: a.handle()}
	resp := new(identityv1.GetPostalAddressResponse)
	return req, resp, func() error {
		if resp.GetAddress().GetCity() == "" {
			return errors.New("answer without an address")
		}
		return nil
	}
}

func (a *asker) protection() (proto.Message, proto.Message, func() error) {
	req := &identityv1.GetProtectionStatusRequest{Context: a.people.verify, Handle: a.handle()}
	resp := new(identityv1.GetProtectionStatusResponse)
	return req, resp, func() error {
		if resp.GetLevel() != identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE {
			return fmt.Errorf("an unprotected person has level %s", resp.GetLevel())
		}
		return nil
	}
}

func sameVerdict(got, want identityv1.Verdict) error {
	if got != want {
		return fmt.Errorf("verdict is %s, want %s", got, want)
	}
	return nil
}

// batch keeps one stream open; each call is one message on it and its answer.
type batch struct {
	conn   *grpc.ClientConn
	ask    *asker
	stream grpc.BidiStreamingClient[identityv1.BatchVerifyRequest, identityv1.BatchVerifyResponse]
}

// Call implements load.Caller.
func (b *batch) Call(ctx context.Context) (load.Sizes, error) {
	if b.stream == nil {
		stream, err := identityv1.NewIdentityServiceClient(b.conn).BatchVerify(ctx)
		if err != nil {
			return load.Sizes{}, err
		}
		b.stream = stream
	}
	req := &identityv1.BatchVerifyRequest{Context: b.ask.people.verify}
	want := make([]identityv1.Verdict, BatchSize)
	for i := range want {
		who, name, verdict := b.ask.question()
		req.Items = append(req.Items, &identityv1.BatchItem{NationalId: who.id(), FullName: name})
		want[i] = verdict
	}
	resp, err := b.exchange(req)
	if err != nil {
		b.stream = nil
		return load.Sizes{}, err
	}
	if len(resp.GetResults()) != len(want) {
		return load.Sizes{}, fmt.Errorf("%d results for %d items", len(resp.GetResults()), len(want))
	}
	if resp.GetEventId() == "" {
		return load.Sizes{}, errors.New("answer without an event id")
	}
	for i, r := range resp.GetResults() {
		if err := sameVerdict(r.GetVerdict(), want[i]); err != nil {
			return load.Sizes{}, err
		}
	}
	return load.Sizes{Request: proto.Size(req), Answer: proto.Size(resp)}, nil
}

func (b *batch) exchange(req *identityv1.BatchVerifyRequest) (*identityv1.BatchVerifyResponse, error) {
	// A send that fails says only "end of file"; the reason comes with the receive.
	_ = b.stream.Send(req)
	return b.stream.Recv()
}

// Finish closes the stream and waits for its end. It implements load.Caller.
func (b *batch) Finish() error {
	if b.stream == nil {
		return nil
	}
	if err := b.stream.CloseSend(); err != nil {
		return err
	}
	if _, err := b.stream.Recv(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("stream ended badly: %w", err)
	}
	return nil
}
