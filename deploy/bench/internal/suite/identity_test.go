package suite

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/timestamppb"

	"samvirke.dev/deploy/bench/internal/load"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake answers as the identity service must, unless told to get something wrong.
type fake struct {
	identityv1.UnimplementedIdentityServiceServer
	silent bool // leaves event ids out
	wrong  bool // says yes to everybody
	bare   bool // leaves out what was asked for
	// homeless knows no address and no protection.
	homeless bool
	// live gives every answer as of now, as if the register were asked.
	live bool
}

func (f *fake) trailer(ctx context.Context) {
	if !f.silent {
		// The test's stream always takes a trailer.
		_ = grpc.SetTrailer(ctx, metadata.Pairs("samvirke-event-id", "event"))
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
	return &identityv1.ResolveSubjectResponse{Handle: "handle-of-" + r.GetNationalId().GetValue()}, nil
}

func (f *fake) VerifyIdentity(ctx context.Context, r *identityv1.VerifyIdentityRequest) (*identityv1.VerifyIdentityResponse, error) {
	f.trailer(ctx)
	given := time.Unix(1, 0)
	if f.live {
		given = time.Now()
	}
	return &identityv1.VerifyIdentityResponse{Verdict: f.verdict(r.GetFullName()), RegisterTime: timestamppb.New(given)}, nil
}

func (f *fake) OpenAddressSubscription(
	ctx context.Context, _ *identityv1.OpenAddressSubscriptionRequest,
) (*identityv1.OpenAddressSubscriptionResponse, error) {
	f.trailer(ctx)
	return &identityv1.OpenAddressSubscriptionResponse{}, nil
}

func (f *fake) GetPostalAddress(ctx context.Context, _ *identityv1.GetPostalAddressRequest) (*identityv1.GetPostalAddressResponse, error) {
	f.trailer(ctx)
	if f.homeless {
		return &identityv1.GetPostalAddressResponse{}, nil
	}
	return &identityv1.GetPostalAddressResponse{Address: &identityv1.PostalAddress{City: "Prøveby"}}, nil
}

func (f *fake) GetProtectionStatus(ctx context.Context, _ *identityv1.GetProtectionStatusRequest) (*identityv1.GetProtectionStatusResponse, error) {
	f.trailer(ctx)
	if f.homeless {
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

// try makes calls of one kind to a fake, with three persons of whom two have handles.
func try(t *testing.T, f *fake, call string) *load.Result {
	t.Helper()
	res, err := tryFor(t.Context(), t, f, identityLanes, call)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// tryFor does it with the lanes of any service and until ctx ends.
func tryFor(ctx context.Context, t *testing.T, f *fake, prepare load.Prepare, call string) (*load.Result, error) {
	t.Helper()
	lis := bufconn.Listen(1 << 20)
	srv := grpc.NewServer()
	identityv1.RegisterIdentityServiceServer(srv, f)
	go func() { _ = srv.Serve(lis) }()
	defer srv.Stop()
	conn, err := grpc.NewClient("passthrough:///fake", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	file := filepath.Join(t.TempDir(), "people.tsv")
	lines := personLine("DK", "7004631298", "Anker Prøvesen") + personLine("SE", "198007119806", "Alva Provsson") + personLine("DK", "7601841597", "Birthe Tænkt")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(identityData{People: file, Handles: 2, Controller: "DK:12345678", LegalReference: "DK:X"})
	if err != nil {
		t.Fatal(err)
	}
	return load.Try(ctx, conn, prepare, data, call, 50*time.Millisecond)
}

// Answers that come from the register, and not from the copy of a followed person, get no figure.
func TestFollowedAnswersComeFromTheCopy(t *testing.T) {
	t.Parallel()
	res, err := tryFor(t.Context(), t, &fake{}, followedLanes, CallFollowed)
	if err != nil || res.Failed > 0 || res.Calls == 0 {
		t.Errorf("%+v, %v", res, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*fetchLook)
	defer cancel()
	if _, err := tryFor(ctx, t, &fake{live: true}, followedLanes, CallFollowed); err == nil {
		t.Error("measured though the register is asked")
	}
	if res, err := tryFor(t.Context(), t, &fake{wrong: true}, followedLanes, CallFollowed); err != nil || res.Failed == 0 {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestEveryIdentityCallRuns(t *testing.T) {
	t.Parallel()
	for _, call := range identityService().Calls {
		if res := try(t, &fake{}, call); res.Failed > 0 || res.Calls == 0 || res.P99Micros < res.P50Micros || res.RequestBytes == 0 || res.ResponseBytes == 0 {
			t.Errorf("%s: %+v", call, res)
		}
	}
}

// TestAnswersAreChecked: a service that is fast because it is wrong, or because it writes no record, gets no figure.
func TestAnswersAreChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fake  fake
		calls []string
		want  string
	}{
		"no event id":        {fake{silent: true}, identityService().Calls, "event id"},
		"yes to everything":  {fake{wrong: true}, []string{CallVerify, CallBatch}, "verdict is"},
		"nothing in answers": {fake{bare: true}, []string{CallBatch}, ""},
		"no address":         {fake{homeless: true}, []string{CallAddress, CallProtection}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, call := range c.calls {
				if res := try(t, &c.fake, call); res.Failed == 0 || !strings.Contains(res.FirstError, c.want) {
					t.Errorf("%s: %d failed, first error %q", call, res.Failed, res.FirstError)
				}
			}
		})
	}
}

func TestNamed(t *testing.T) {
	t.Parallel()
	s := identityService()
	for want, names := range map[int][]string{
		len(s.Calls): nil, 1: {CallBatch, "echo"}, 0: {"ident", "identity.Verify"},
	} {
		if got := s.Wanted(names); len(got) != want {
			t.Errorf("%v: %v", names, got)
		}
	}
	if got := s.Wanted([]string{"identity"}); len(got) != len(s.Calls) {
		t.Errorf("the service's name gives %v", got)
	}
}
