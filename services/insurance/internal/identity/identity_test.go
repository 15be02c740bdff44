package identity_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/insurance/internal/identity"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/rpc"
)

// conn answers without a network, and remembers what it was asked.
type conn struct {
	grpc.ClientConnInterface

	answer proto.Message
	err    error
	asked  proto.Message
	as     []string
}

func (c *conn) Invoke(ctx context.Context, _ string, in, out any, _ ...grpc.CallOption) error {
	md, _ := metadata.FromOutgoingContext(ctx)
	c.as, c.asked = md.Get(rpc.ActingForKey), in.(proto.Message)
	if _, ok := ctx.Deadline(); !ok {
		return context.DeadlineExceeded
	}
	if c.answer != nil {
		proto.Merge(out.(proto.Message), c.answer)
	}
	return c.err
}

func ask(t *testing.T, c *conn, controller string, address bool) core.Standing {
	t.Helper()
	client, err := identity.New(c, identity.Config{TrustDomain: "samvirke.example", Laws: map[string]string{"DK": "DK:ALF§90b"}, Timeout: time.Second}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return client.Standings(t.Context(), controller, []string{"k00000001.AAAAAAAAAAAAAAAAAAAAAAAAAAA"}, address)[0]
}

// Only a clear "not protected" opens anything (domain rule B.10, 1).
func TestFailsClosed(t *testing.T) {
	t.Parallel()
	for level := range identityv1.ProtectionLevel_name {
		got := ask(t, &conn{answer: &identityv1.BatchGetProtectionStatusesResponse{Results: []*identityv1.ProtectionStatusResult{
			{Status: &identityv1.GetProtectionStatusResponse{Level: identityv1.ProtectionLevel(level)}},
		}}}, "DK:10000009", false)
		if open := identityv1.ProtectionLevel(level) == identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE; got.Protected == open {
			t.Errorf("%v: %+v", identityv1.ProtectionLevel(level), got)
		}
	}
	for reason, unreachable := range map[commonv1.Reason]bool{
		commonv1.Reason_REASON_SUBJECT_NOT_FOUND: false, commonv1.Reason_REASON_REGISTER_UNAVAILABLE: true, commonv1.Reason_REASON_RPC_NOT_GRANTED: true,
	} {
		got := ask(t, &conn{answer: &identityv1.BatchGetProtectionStatusesResponse{Results: []*identityv1.ProtectionStatusResult{
			{Reason: reason, Status: &identityv1.GetProtectionStatusResponse{Level: identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE}},
		}}}, "DK:10000009", false)
		if !got.Protected || got.Unreachable != unreachable {
			t.Errorf("%v: %+v", reason, got)
		}
		if got := ask(t, &conn{err: errs.New(reason).GRPCStatus().Err()}, "DK:10000009", false); !got.Protected || !got.Unreachable {
			t.Errorf("the whole call fails with %v: %+v", reason, got)
		}
	}
	if got := ask(t, &conn{answer: &identityv1.BatchGetProtectionStatusesResponse{}}, "DK:10000009", false); !got.Unreachable {
		t.Errorf("an answer about nobody: %+v", got)
	}
	if got := ask(t, &conn{}, "SE:8020000017", false); !got.Unreachable {
		t.Errorf("no law for the country: %+v", got)
	}
}

func TestAddressInTheNameOfTheController(t *testing.T) {
	t.Parallel()
	found := &identityv1.GetPostalAddressResponse{
		Protection: identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE,
		Address:    &identityv1.PostalAddress{CareOf: "c/o", Lines: []string{"Prøvevej 1"}, PostalCode: "0000", City: "Prøveby", Country: "DK"},
	}
	c := &conn{answer: &identityv1.BatchGetPostalAddressesResponse{Results: []*identityv1.PostalAddressResult{{Found: found}}}}
	got := ask(t, c, "DK:10000009", true)
	if got.Protected || got.Address == nil || got.Address.City != "Prøveby" || got.Address.Lines[0] != "Prøvevej 1" {
		t.Errorf("%+v", got)
	}
	if len(c.as) != 1 || c.as[0] != "spiffe://samvirke.example/org/DK/10000009/insurance" {
		t.Errorf("asked as %v", c.as)
	}
	found.Protection = identityv1.ProtectionLevel_PROTECTION_LEVEL_DK_NAME_ADDRESS
	if got := ask(t, c, "DK:10000009", true); !got.Protected || got.Address != nil {
		t.Errorf("protected: %+v", got)
	}
}

// Many are asked about in few calls, and each keeps its place.
func TestManyKeepTheirPlaces(t *testing.T) {
	t.Parallel()
	c := &echo{}
	client, err := identity.New(c, identity.Config{TrustDomain: "samvirke.example", Laws: map[string]string{"DK": "DK:ALF§90b"}, Timeout: time.Second}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var handles []string
	for i := range 250 {
		handles = append(handles, fmt.Sprintf("k00000001.%024d", i))
	}
	for i, got := range client.Standings(t.Context(), "DK:10000009", handles, false) {
		if want := i%3 == 0; got.Protected != want || got.Unreachable {
			t.Errorf("%d: %+v", i, got)
		}
	}
	if c.calls != 3 {
		t.Errorf("%d calls", c.calls)
	}
}

// echo says of every third handle that it is protected.
type echo struct {
	grpc.ClientConnInterface

	calls int
}

func (e *echo) Invoke(_ context.Context, _ string, in, out any, _ ...grpc.CallOption) error {
	e.calls++
	answer := out.(*identityv1.BatchGetProtectionStatusesResponse)
	for _, p := range in.(*identityv1.BatchGetProtectionStatusesRequest).GetPersons() {
		n, err := strconv.Atoi(p.GetHandle()[len("k00000001."):])
		if err != nil {
			return err
		}
		level := identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE
		if n%3 == 0 {
			level = identityv1.ProtectionLevel_PROTECTION_LEVEL_DK_NAME_ADDRESS
		}
		answer.Results = append(answer.Results, &identityv1.ProtectionStatusResult{Status: &identityv1.GetProtectionStatusResponse{Level: level}})
	}
	return nil
}
