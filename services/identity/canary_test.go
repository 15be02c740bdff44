package identity_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/identity"
	"samvirke.dev/services/identity/internal/importer"
	"samvirke.dev/services/platform/redact/canary"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/platform/suitetest"
	"samvirke.dev/services/platform/telemetry"
	"samvirke.dev/services/platform/telemetry/oteltest"
)

// leaks collects whatever a caller or an operator can see of refused and answered calls.
type leaks struct {
	mu    sync.Mutex
	text  strings.Builder
	codes map[codes.Code]int
	good  int
}

// note keeps an error with its details, and the headers and trailers of any call.
func (l *leaks) note(err error, meta ...metadata.MD) {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := status.Convert(err)
	l.codes[st.Code()]++
	if err == nil {
		l.good++
	}
	fmt.Fprintf(&l.text, "%v\n%s\n", err, protojson.Format(st.Proto()))
	for _, d := range st.Details() {
		fmt.Fprintf(&l.text, "%v\n", d)
	}
	for _, m := range meta {
		fmt.Fprintf(&l.text, "%v\n", m)
	}
}

func (l *leaks) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// lineOfCanary is a synthetic person in the import format.
func lineOfCanary(p canary.Person, protections ...string) importer.Line {
	l := importer.Line{
		Number: p.Country + ":" + p.ID, GivenNames: p.GivenName, FamilyName: p.FamilyName, BirthDate: p.Birth.Format(time.DateOnly),
		Address:      &importer.Address{CareOf: p.Email, Lines: []string{p.Street, p.Phone}, PostalCode: "0000", City: p.FamilyName, Country: p.Country},
		Memberships:  []importer.Membership{{Controller: fundDK, From: "2020-01-01"}},
		RegisterTime: "2026-01-01T00:00:00Z",
	}
	for _, k := range protections {
		l.Protections = append(l.Protections, importer.Protection{Kind: k})
	}
	return l
}

// Persons are pushed through every RPC, rightly and wrongly, while all is well and while the keys or the database fail. Nothing
// of them may be found in spans, metrics, logs, errors, headers, trailers, or the bytes of the database.
//
// covers: SEC-03 SEC-06
func TestNoPersonalDataLeaks(t *testing.T) {
	t.Parallel()
	const persons = 30
	people := canary.People(persons)
	collector := oteltest.Start(t)
	cfg := sqltest.FileConfig(t)
	seen := &leaks{codes: map[codes.Code]int{}}
	var logs *suitetest.SafeBuffer
	t.Run("push", func(t *testing.T) { // its end closes the server, so that everything has been exported and written
		logs = pushCanaries(t, people, collector, seen, on(sqltest.Open(t, cfg)))
	})
	if seen.good < 4*persons || seen.codes[codes.InvalidArgument] < 5*persons || seen.codes[codes.Unavailable] == 0 || seen.codes[codes.PermissionDenied] == 0 {
		t.Errorf("outcomes %v: that proves little", seen.codes)
	}
	corpus, err := canary.NewCorpus(people)
	must(t, err)
	spans, err := collector.Raw()
	must(t, err)
	sources := map[string][]byte{"telemetry": spans, "logs": []byte(logs.String()), "errors": []byte(seen.String())}
	files, err := filepath.Glob(strings.TrimPrefix(cfg.URL, "sqlite:") + "*")
	must(t, err)
	for _, f := range files {
		sources[filepath.Base(f)], err = os.ReadFile(f)
		must(t, err)
	}
	for name, b := range sources {
		if len(b) < 1000 {
			t.Errorf("%s: only %d bytes to look at", name, len(b))
		}
		for i, hit := range corpus.Scan(b) {
			if i < 5 {
				t.Errorf("%s: %s in %q", name, hit, b[max(0, hit.Offset-200):min(len(b), hit.Offset+80)])
			}
		}
	}
	if n := len(collector.Spans()); n < persons {
		t.Errorf("%d spans", n)
	}
}

func pushCanaries(t *testing.T, people []canary.Person, collector *oteltest.Collector, seen *leaks, where edit) *suitetest.SafeBuffer {
	t.Helper()
	fake := &shifted{}
	w := start(t, where, func(o *suitetest.Options, _ *identity.Config) {
		o.Clock = fake
		o.Telemetry = func(c *telemetry.Config) { c.Endpoint, c.SampleRatio, c.LogLevel = collector.Endpoint(), 1, nil }
	})
	protections := [][]string{nil, {"DK_NAME_ADDRESS"}, {"SE_SECRECY_MARK"}, {"DK_SPECIAL"}}
	for i, p := range people[:len(people)/2] { // the others stay unknown
		w.load(lineOfCanary(p, protections[i%len(protections)]...))
	}
	c := w.as(fundDK)
	for _, p := range people {
		pushRight(t, c, p, seen)
		pushWrong(t, c, p, seen)
	}
	stranger := w.as(nobody)
	for _, p := range people[:5] {
		pushRight(t, stranger, p, seen)
	}
	w.Wrap.Fail(errors.New("away"))
	fake.Advance(2 * time.Hour)
	for _, p := range people[:5] {
		pushRight(t, c, p, seen)
	}
	w.Wrap.Fail(nil)
	must(t, w.Keys.Refresh(t.Context()))
	_, err := w.DB.Exec(t.Context(), "ALTER TABLE person RENAME TO person_away")
	must(t, err)
	for _, p := range people[:5] {
		pushRight(t, c, p, seen)
		pushWrong(t, c, p, seen)
	}
	return w.Logs
}

// pushRight makes the calls that a fund makes.
func pushRight(t *testing.T, c *client, p canary.Person, seen *leaks) {
	t.Helper()
	l := lineOfCanary(p)
	handle, err := c.resolve(l.Number)
	seen.note(err)
	if handle == "" {
		handle = invalidHandle
	}
	for rpc, in := range requests(c.org, l, handle) {
		if rpc == batch || rpc == changes {
			continue
		}
		var header, trailer metadata.MD
		answer := any(&identityv1.VerifyIdentityResponse{})
		if rpc == address {
			answer = &identityv1.GetPostalAddressResponse{}
		}
		err := c.conn.Invoke(t.Context(), "/"+rpc, in, answer, grpc.Header(&header), grpc.Trailer(&trailer))
		seen.note(err, header, trailer)
	}
	_, err = c.batch(l, l)
	seen.note(err)
}

// pushWrong puts the person where it does not belong: into references, handles, masks, headers and names of RPCs.
func pushWrong(t *testing.T, c *client, p canary.Person, seen *leaks) {
	t.Helper()
	l := lineOfCanary(p)
	forms := canary.IDForms(p.Country, p.ID)
	odd := append(slices.Clone(forms[:2]), p.FamilyName, p.Street, p.Email, p.Phone, p.GivenName+" "+p.FamilyName)
	verifyWith := func(edit func(in *identityv1.VerifyIdentityRequest), headers ...string) {
		in, ok := requests(c.org, l, "")[verify].(*identityv1.VerifyIdentityRequest)
		if !ok {
			t.Fatal("not a request to verify")
		}
		edit(in)
		var header, trailer metadata.MD
		ctx := metadata.AppendToOutgoingContext(t.Context(), headers...)
		_, err := c.rpc.VerifyIdentity(ctx, in, grpc.Header(&header), grpc.Trailer(&trailer))
		seen.note(err, header, trailer)
	}
	for _, x := range odd {
		verifyWith(func(in *identityv1.VerifyIdentityRequest) { in.Context.CaseReference = x })
		verifyWith(func(in *identityv1.VerifyIdentityRequest) { in.Context.ActorId = x })
		verifyWith(func(in *identityv1.VerifyIdentityRequest) { in.Context.LegalReference = "DK:" + x })
		verifyWith(func(in *identityv1.VerifyIdentityRequest) { in.Context.ControllerId = x })
		verifyWith(func(in *identityv1.VerifyIdentityRequest) { in.NationalId.Value = x + "0" })
		verifyWith(func(in *identityv1.VerifyIdentityRequest) { in.Context = nil; in.FullName = x })
		_, err := c.rpc.GetPostalAddress(t.Context(), &identityv1.GetPostalAddressRequest{Context: c.why(address), Handle: x})
		seen.note(err)
		_, err = c.rpc.GetPostalAddress(t.Context(), &identityv1.GetPostalAddressRequest{
			Context: c.why(address), Handle: invalidHandle, ReadMask: &fieldmaskpb.FieldMask{Paths: []string{x}},
		})
		seen.note(err)
		_, err = c.rpc.ResolveSubject(t.Context(), &identityv1.ResolveSubjectRequest{Context: c.why(resolve), NationalId: &commonv1.NationalId{Value: x}})
		seen.note(err)
	}
	// Well formed, but no number of that country: refused by the use case and not by the schema.
	swapped := number(map[string]string{"SE": "DK:", "DK": "SE:"}[p.Country] + p.ID[len(p.ID)-10:])
	verifyWith(func(in *identityv1.VerifyIdentityRequest) { in.NationalId = swapped })
	_, err := c.rpc.ResolveSubject(t.Context(), &identityv1.ResolveSubjectRequest{Context: c.why(resolve), NationalId: swapped})
	seen.note(err)
	// A header may hold no letters beyond ASCII, so the number alone goes there.
	verifyWith(func(*identityv1.VerifyIdentityRequest) {}, "baggage", "person="+p.ID, "tracestate", "x="+p.ID, "user-agent-of", p.ID,
		"x-request-id", p.ID, "traceparent", "00-"+p.ID+"-"+p.ID+"-01")
	for _, path := range []string{"/" + service + p.ID, "/" + p.ID + "/VerifyIdentity", "/" + verify + "/" + p.ID} {
		seen.note(c.conn.Invoke(context.WithoutCancel(t.Context()), path, requests(c.org, l, "")[verify], &identityv1.VerifyIdentityResponse{}))
	}
	body := append([]byte{0x1a, 0x7f}, p.GivenName+p.ID...)
	_, err = ask(t.Context(), c.conn, verify, body) // unreadable
	seen.note(err)
}
