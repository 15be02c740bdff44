package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

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

func (w *Worker) identityCaller(conn *grpc.ClientConn, call string, i int) (caller, error) {
	if w.people == nil {
		return nil, errors.New("no persons prepared")
	}
	// Each lane draws its own persons, the same ones in every run.
	ask := &asker{people: w.people, rnd: rand.New(rand.NewPCG(uint64(i), 1))} //nolint:gosec // a choice of persons, no secret
	u := &unary{conn: conn, audited: true}
	switch call {
	case CallVerify:
		u.method, u.next = identityv1.IdentityService_VerifyIdentity_FullMethodName, ask.verify
	case CallResolve:
		u.method, u.next = identityv1.IdentityService_ResolveSubject_FullMethodName, ask.resolve
	case CallAddress:
		u.method, u.next = identityv1.IdentityService_GetPostalAddress_FullMethodName, ask.address
	case CallProtection:
		u.method, u.next = identityv1.IdentityService_GetProtectionStatus_FullMethodName, ask.protection
	case CallBatch:
		return &batch{conn: conn, ask: ask}, nil
	default:
		return nil, fmt.Errorf("no call %q", call)
	}
	return u, nil
}

// asker makes up questions and knows the right answers.
type asker struct {
	people *people
	rnd    *rand.Rand
	n      int
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

func (b *batch) call(ctx context.Context) (sizes, error) {
	if b.stream == nil {
		stream, err := identityv1.NewIdentityServiceClient(b.conn).BatchVerify(ctx)
		if err != nil {
			return sizes{}, err
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
		return sizes{}, err
	}
	if len(resp.GetResults()) != len(want) {
		return sizes{}, fmt.Errorf("%d results for %d items", len(resp.GetResults()), len(want))
	}
	if resp.GetEventId() == "" {
		return sizes{}, errors.New("answer without an event id")
	}
	for i, r := range resp.GetResults() {
		if err := sameVerdict(r.GetVerdict(), want[i]); err != nil {
			return sizes{}, err
		}
	}
	return sizes{request: proto.Size(req), answer: proto.Size(resp)}, nil
}

func (b *batch) exchange(req *identityv1.BatchVerifyRequest) (*identityv1.BatchVerifyResponse, error) {
	// A send that fails says only "end of file"; the reason comes with the receive.
	_ = b.stream.Send(req)
	return b.stream.Recv()
}

// finish closes the stream and waits for its end.
func (b *batch) finish() error {
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
