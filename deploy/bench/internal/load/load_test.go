package load

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/platform/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake answers as the identity service must, unless told to get something wrong.
type fake struct {
	identityv1.UnimplementedIdentityServiceServer
	silent bool // leaves event ids out
	wrong  bool // says yes to everybody
	bare   bool // leaves out what was asked for
}

func (f *fake) trailer(ctx context.Context) {
	if !f.silent {
		// The test's stream always takes a trailer.
		_ = grpc.SetTrailer(ctx, metadata.Pairs(eventTrailer, "event"))
	}
}

func (f *fake) verdict(name string) identityv1.Verdict {
	if name == wrongName && !f.wrong {
		return identityv1.Verdict_VERDICT_NO_MATCH
	}
	return identityv1.Verdict_VERDICT_MATCH
}

func (f *fake) ResolveSubject(ctx context.Context, r *identityv1.ResolveSubjectRequest) (*identityv1.ResolveSubjectResponse, error) {
	f.trailer(ctx)
	if f.bare {
		return &identityv1.ResolveSubjectResponse{}, nil
	}
	return &identityv1.ResolveSubjectResponse{Handle: "handle-of-" + r.GetNationalId().GetValue()}, nil
}

func (f *fake) VerifyIdentity(ctx context.Context, r *identityv1.VerifyIdentityRequest) (*identityv1.VerifyIdentityResponse, error) {
	f.trailer(ctx)
	return &identityv1.VerifyIdentityResponse{Verdict: f.verdict(r.GetFullName())}, nil
}

func (f *fake) GetPostalAddress(ctx context.Context, _ *identityv1.GetPostalAddressRequest) (*identityv1.GetPostalAddressResponse, error) {
	f.trailer(ctx)
	if f.bare {
		return &identityv1.GetPostalAddressResponse{}, nil
	}
	return &identityv1.GetPostalAddressResponse{Address: &identityv1.PostalAddress{City: "Prøveby"}}, nil
}

func (f *fake) GetProtectionStatus(ctx context.Context, _ *identityv1.GetProtectionStatusRequest) (*identityv1.GetProtectionStatusResponse, error) {
	f.trailer(ctx)
	if f.bare {
		return &identityv1.GetProtectionStatusResponse{Level: identityv1.ProtectionLevel_PROTECTION_LEVEL_UNKNOWN}, nil
	}
	return &identityv1.GetProtectionStatusResponse{Level: identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE}, nil
}

func (f *fake) BatchVerify(stream grpc.BidiStreamingServer[identityv1.BatchVerifyRequest, identityv1.BatchVerifyResponse]) error {
	for {
		req, err := stream.Recv()
		if err != nil {
			return nil //nolint:nilerr // the client is done
		}
		resp := &identityv1.BatchVerifyResponse{}
		if !f.silent {
			resp.EventId = "event"
		}
		for _, item := range req.GetItems() {
			if !f.bare {
				resp.Results = append(resp.Results, &identityv1.BatchResult{Verdict: f.verdict(item.GetFullName())})
			}
		}
		if err := stream.Send(resp); err != nil {
			return err
		}
	}
}

// worker is connected to a fake and has three persons prepared.
func worker(t *testing.T, f *fake) *Worker {
	t.Helper()
	lis := bufconn.Listen(1 << 20)
	srv := grpc.NewServer()
	identityv1.RegisterIdentityServiceServer(srv, f)
	go func() { _ = srv.Serve(lis) }()
	t.Cleanup(srv.Stop)
	conn, err := grpc.NewClient("passthrough:///fake", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	w := &Worker{clk: clock.System(), targets: map[string]*target{"fake": {conns: []*grpc.ClientConn{conn}}}}
	t.Cleanup(w.close)
	file := filepath.Join(t.TempDir(), "people.tsv")
	lines := PersonLine("DK", "7004631298", "Anker Prøvesen") + PersonLine("SE", "198007119806", "Alva Provsson") + PersonLine("DK", "7601841597", "Birthe Tænkt")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.prepare(t.Context(), Prepare{Target: "fake", People: file, Handles: 2, Controller: "DK:12345678", LegalReference: "DK:X"}); err != nil {
		t.Fatal(err)
	}
	return w
}

func calls() []string {
	return []string{CallVerify, CallResolve, CallAddress, CallProtection, CallBatch}
}

func TestEveryCallRuns(t *testing.T) {
	t.Parallel()
	w := worker(t, &fake{})
	for _, call := range calls() {
		res, err := w.run(t.Context(), Run{Target: "fake", Call: call, InFlight: 4, Millis: 50})
		if err != nil {
			t.Fatal(err)
		}
		if res.Failed > 0 || res.Calls == 0 || res.P99Micros < res.P50Micros || res.RequestBytes == 0 || res.ResponseBytes == 0 {
			t.Errorf("%s: %+v", call, res)
		}
	}
}

// TestAnswersAreChecked: a service that is fast because it is wrong, or because it writes no record, gets no figure.
func TestAnswersAreChecked(t *testing.T) {
	t.Parallel()
	all := calls()
	for name, c := range map[string]struct {
		fake  fake
		calls []string
		want  string
	}{
		"no event id":        {fake{silent: true}, all, "event id"},
		"yes to everything":  {fake{wrong: true}, []string{CallVerify, CallBatch}, "verdict is"},
		"nothing in answers": {fake{bare: true}, []string{CallAddress, CallProtection, CallBatch}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := worker(t, &c.fake)
			for _, call := range c.calls {
				res, err := w.run(t.Context(), Run{Target: "fake", Call: call, InFlight: 1, Millis: 50})
				if err != nil {
					t.Fatal(err)
				}
				if res.Failed == 0 || !strings.Contains(res.FirstError, c.want) {
					t.Errorf("%s: %d failed, first error %q", call, res.Failed, res.FirstError)
				}
			}
		})
	}
}

func TestServeReportsWhatItCannotDo(t *testing.T) {
	t.Parallel()
	var in, out bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, cmd := range []Command{{}, {Run: &Run{Target: "nobody"}}, {Prepare: &Prepare{People: "/nowhere"}}, {Connect: &Connect{ServerID: "no id"}}} {
		if err := enc.Encode(cmd); err != nil {
			t.Fatal(err)
		}
	}
	if err := Serve(t.Context(), &in, &out); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(&out)
	for range 4 {
		var r Reply
		if err := dec.Decode(&r); err != nil || r.Error == "" || r.Result != nil {
			t.Errorf("reply %+v, error %v", r, err)
		}
	}
	if err := Serve(t.Context(), strings.NewReader("nonsense\n"), &out); err == nil {
		t.Error("nonsense is no command")
	}
}
