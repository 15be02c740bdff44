package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"samvirke.dev/deploy/internal/people"
	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/redact/canary"
	"samvirke.dev/services/platform/telemetry/oteltest"
)

// canaries is how many persons are pushed through every RPC.
const canaries = 100

// TestNoPersonalDataLeaks pushes persons through every RPC, in good calls and in bad ones that put them where they don't
// belong, and looks for them in whatever comes out: spans, metrics, logs, errors and audit records; and in the database, where all of them
// are kept, only with Vault's keys.
//
// covers: SEC-06, MIN-24
func TestNoPersonalDataLeaks(t *testing.T) {
	t.Parallel()
	collector := oteltest.Start(t)
	f := prepare(t, func(_ *testing.T, c *setup) { c.Telemetry = collector.Endpoint() })
	persons := canary.People(canaries)
	file := filepath.Join(t.TempDir(), "canaries.jsonl")
	must(t, people.WriteFile(file, func(yield func(people.Person) bool) {
		for _, p := range persons {
			if !yield(invented(p)) {
				return
			}
		}
	}))
	must(t, f.Import(t.Context(), file))
	must(t, f.Start(t.Context(), stack.IdentityName))

	push := &push{f: f}
	push.all(t, persons)
	if push.good == 0 || len(push.errors) == 0 {
		t.Fatalf("%d calls were answered and %d refused: the test proves nothing", push.good, len(push.errors))
	}
	records, err := f.Records(t.Context(), stack.IdentityName, push.events[:min(len(push.events), 200)]...)
	must(t, err)
	must(t, f.Stop(t.Context(), stack.IdentityName))

	corpus, err := canary.NewCorpus(persons)
	must(t, err)
	scan := func(what string, b []byte) {
		t.Helper()
		if len(b) == 0 {
			t.Errorf("there is nothing of %s to look at", what)
		}
		for i, hit := range corpus.Scan(b) {
			if i < 5 {
				t.Errorf("in %s: %s", what, hit)
			}
		}
	}
	raw, err := collector.Raw()
	must(t, err)
	scan("telemetry", raw)
	log, err := os.ReadFile(filepath.Join(f.Dir(), "identity.log"))
	must(t, err)
	scan("the log", log)
	scan("errors", []byte(strings.Join(push.errors, "\n")))
	var recorded []string
	for _, r := range records {
		recorded = append(recorded, protojson.Format(r))
	}
	scan("audit records", []byte(strings.Join(recorded, "\n")))
	scan("the database, as a backup holds it", databaseFiles(t, f.Dir(), stack.IdentityName))
}

// databaseFiles is what a copy of a service's SQLite files holds.
func databaseFiles(t *testing.T, dir, service string) (out []byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, service+".db*"))
	must(t, err)
	for _, file := range files {
		content, err := os.ReadFile(file)
		must(t, err)
		out = append(out, content...)
	}
	return out
}

func invented(p canary.Person) people.Person {
	return people.Person{
		Number: p.Country + ":" + p.ID, Country: p.Country, GivenName: p.GivenName, FamilyName: p.FamilyName, Birth: p.Birth,
		Street: p.Street, PostalCode: "0000", City: "Prøveby",
	}
}

// push makes calls and keeps what must be searched.
type push struct {
	f *fixture

	mu     sync.Mutex
	good   int
	errors []string
	events []string
}

func (p *push) all(t *testing.T, persons []canary.Person) {
	t.Helper()
	conn, err := p.f.Dial(stack.IdentityName, p.f.scene.Cast.DanishFund)
	must(t, err)
	defer hangUp(t, conn)
	client := identityv1.NewIdentityServiceClient(conn)
	for _, person := range persons {
		// A careless proxy adds headers of its own.
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-person", person.ID, "baggage", "person="+person.ID)
		p.person(ctx, client, person)
		p.malformed(ctx, conn, person)
	}
}

// person makes every unary call about one person, first as it should be and then with the person in the wrong places.
func (p *push) person(ctx context.Context, client identityv1.IdentityServiceClient, person canary.Person) {
	l := newLoad(p.f)
	identify := l.because(vocabularyv1.Purpose_PURPOSE_IDENTIFICATION, 0, person.Index)
	address := l.because(vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE, 0, person.Index)
	id := &commonv1.NationalId{Country: vocabularyv1.Country(vocabularyv1.Country_value["COUNTRY_"+person.Country]), Value: person.ID}
	name := person.GivenName + " " + person.FamilyName
	birth := &commonv1.Date{Year: int32(person.Birth.Year()), Month: int32(person.Birth.Month()), Day: int32(person.Birth.Day())}
	var handle string
	p.call(ctx, func(ctx context.Context, opts ...grpc.CallOption) error {
		resp, err := client.ResolveSubject(ctx, &identityv1.ResolveSubjectRequest{Context: identify, NationalId: id}, opts...)
		handle = resp.GetHandle()
		return err
	})
	for _, req := range []*identityv1.VerifyIdentityRequest{
		{Context: identify, NationalId: id, FullName: name, BirthDate: birth},
		{Context: identify, NationalId: id, FullName: person.Street},
		{Context: identify, NationalId: &commonv1.NationalId{Country: id.GetCountry(), Value: person.Phone}, FullName: name},
		{Context: identify, NationalId: &commonv1.NationalId{Country: 3 - id.GetCountry(), Value: person.ID}, FullName: name},
		{Context: identify, NationalId: id},
		{Context: p.misused(identify, person), NationalId: id, FullName: name},
		{NationalId: id, FullName: name},
	} {
		p.call(ctx, func(ctx context.Context, opts ...grpc.CallOption) error {
			_, err := client.VerifyIdentity(ctx, req, opts...)
			return err
		})
	}
	for _, h := range []string{handle, person.ID + person.ID, name, person.Email} {
		p.call(ctx, func(ctx context.Context, opts ...grpc.CallOption) error {
			_, err := client.GetPostalAddress(ctx, &identityv1.GetPostalAddressRequest{Context: address, Handle: h}, opts...)
			return err
		})
		p.call(ctx, func(ctx context.Context, opts ...grpc.CallOption) error {
			_, err := client.GetProtectionStatus(ctx, &identityv1.GetProtectionStatusRequest{Context: identify, Handle: h}, opts...)
			return err
		})
	}
	p.batch(ctx, client, &identityv1.BatchVerifyRequest{Context: identify, Items: []*identityv1.BatchItem{
		{NationalId: id, FullName: name}, {NationalId: id, FullName: person.Email}, {NationalId: id},
	}})
}

// misused is a context in which a careless caller wrote the person into every field that takes text.
func (p *push) misused(c *commonv1.RequestContext, person canary.Person) *commonv1.RequestContext {
	return &commonv1.RequestContext{
		ControllerId: c.GetControllerId(), Purpose: c.GetPurpose(), LegalBasis: c.GetLegalBasis(),
		LegalReference: person.Country + ":" + person.ID, CaseReference: person.ID, ActorId: person.ID,
	}
}

func (p *push) batch(ctx context.Context, client identityv1.IdentityServiceClient, req *identityv1.BatchVerifyRequest) {
	p.call(ctx, func(ctx context.Context, _ ...grpc.CallOption) error {
		stream, err := client.BatchVerify(ctx)
		if err != nil {
			return err
		}
		// A send that fails says only "end of file"; the reason comes with the receive.
		_ = stream.Send(req)
		_, err = stream.Recv()
		return err
	})
}

// malformed sends a person as bytes that are no message, as fields that nobody knows, and in the name of an RPC.
func (p *push) malformed(ctx context.Context, conn *grpc.ClientConn, person canary.Person) {
	body, err := json.Marshal(person)
	if err != nil {
		return
	}
	for _, raw := range [][]byte{body, append([]byte{0xfa, 0x7f, byte(len(person.ID))}, person.ID...), {0x1a, 0xff}} {
		for _, method := range []string{
			identityv1.IdentityService_VerifyIdentity_FullMethodName,
			"/samvirke.identity.v1.IdentityService/" + person.ID,
		} {
			p.call(ctx, func(ctx context.Context, opts ...grpc.CallOption) error {
				var answer []byte
				return conn.Invoke(ctx, method, raw, &answer, append(opts, grpc.ForceCodec(rawCodec{}))...)
			})
		}
	}
}

// call makes a call and keeps what came back beside its answer.
func (p *push) call(ctx context.Context, do func(context.Context, ...grpc.CallOption) error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	var trailer, header metadata.MD
	err := do(ctx, grpc.Trailer(&trailer), grpc.Header(&header))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, trailer.Get(story.EventTrailer)...)
	p.errors = append(p.errors, fmt.Sprint(header, trailer))
	if err == nil {
		p.good++
		return
	}
	st, _ := status.FromError(err)
	p.errors = append(p.errors, st.String(), protojson.Format(st.Proto()))
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

// Marshal implements encoding.Codec.
func (rawCodec) Marshal(v any) ([]byte, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("no bytes but %T", v)
	}
	return b, nil
}

// Unmarshal implements encoding.Codec.
func (rawCodec) Unmarshal(b []byte, v any) error {
	into, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("no bytes but %T", v)
	}
	*into = slices.Clone(b)
	return nil
}

// Name implements encoding.Codec.
func (rawCodec) Name() string { return "proto" }
