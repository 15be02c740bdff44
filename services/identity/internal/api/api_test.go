package api_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/identity/internal/api"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/page"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cases are use cases that answer as told and remember what they were asked.
type cases struct {
	api.UseCases // those that are not asked here

	caller  core.Caller
	raw     core.RawNumber
	claims  []core.Claim
	handle  string
	address core.AddressAnswer
	status  core.StatusAnswer
	verdict core.Verdict
	err     error
}

func (c *cases) Resolve(_ context.Context, who core.Caller, raw core.RawNumber) (string, error) {
	c.caller, c.raw = who, raw
	return c.handle, c.err
}

func (c *cases) Verify(_ context.Context, who core.Caller, claim core.Claim) (core.VerifyAnswer, error) {
	c.caller = who
	c.claims = append(c.claims, claim)
	return core.VerifyAnswer{Verdict: c.verdict}, c.err
}

func (c *cases) PostalAddress(_ context.Context, who core.Caller, handle string) (core.AddressAnswer, error) {
	c.caller, c.handle = who, handle
	return c.address, c.err
}

func (c *cases) ProtectionStatus(_ context.Context, who core.Caller, handle string) (core.StatusAnswer, error) {
	c.caller, c.handle = who, handle
	return c.status, c.err
}

func newServer(t *testing.T, c *cases) *api.Server {
	t.Helper()
	s, err := api.New(api.Deps{
		Workers:  1,
		UseCases: c,
		Caller:   func(context.Context) core.Caller { return core.Caller{Controller: "DK:10000017", Role: core.RoleFund} },
		Item:     func(ctx context.Context, _ int) context.Context { return ctx },
		EventID:  func(context.Context) string { return "event" },
		Tokens:   page.NewCodec[api.Position](nil, clock.System(), 0), Poll: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func danish(value string) *commonv1.NationalId {
	return &commonv1.NationalId{Country: vocabularyv1.Country_COUNTRY_DK, Value: value}
}

func TestRequestsArrive(t *testing.T) {
	t.Parallel()
	c := &cases{handle: "h", verdict: core.VerdictMatch}
	s := newServer(t, c)
	resolved, err := s.ResolveSubject(t.Context(), &identityv1.ResolveSubjectRequest{NationalId: danish("740385-1013")})
	if err != nil || resolved.GetHandle() != "h" || c.raw != (core.RawNumber{Country: nationalid.Denmark, Text: "740385-1013"}) || c.caller.Controller != "DK:10000017" {
		t.Errorf("%v, %v, %+v", resolved, err, c)
	}
	verified, err := s.VerifyIdentity(t.Context(), &identityv1.VerifyIdentityRequest{
		NationalId: &commonv1.NationalId{Country: vocabularyv1.Country_COUNTRY_SE, Value: "x"}, FullName: "Anna", BirthDate: &commonv1.Date{Year: 1985, Month: 3},
	})
	want := core.Claim{
		Number: core.RawNumber{Country: nationalid.Sweden, Text: "x"}, FullName: "Anna", Birth: civil.Date{Year: 1985, Month: 3},
	}
	if err != nil || verified.GetVerdict() != identityv1.Verdict_VERDICT_MATCH || c.claims[0] != want {
		t.Errorf("%v, %v, %+v", verified, err, c.claims)
	}
}

func TestVerdictsAndLevelsHaveTheirNames(t *testing.T) {
	t.Parallel()
	for v, name := range map[core.Verdict]string{
		core.VerdictMatch: "MATCH", core.VerdictNoMatch: "NO_MATCH", core.VerdictUnknown: "UNKNOWN", 77: "UNKNOWN",
	} {
		out, err := newServer(t, &cases{verdict: v}).VerifyIdentity(t.Context(), &identityv1.VerifyIdentityRequest{})
		if err != nil || out.GetVerdict().String() != "VERDICT_"+name {
			t.Errorf("%v: %v, %v", v, out, err)
		}
	}
	for l, name := range map[core.Level]string{
		core.LevelNone: "NONE", core.LevelSESecrecyMark: "SE_SECRECY_MARK", core.LevelSEProtectedRegistration: "SE_PROTECTED_REGISTRATION",
		core.LevelDKNameAddress: "DK_NAME_ADDRESS", core.LevelDKSpecial: "DK_SPECIAL", core.LevelUnknown: "UNKNOWN", 77: "UNKNOWN",
	} {
		moment := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		out, err := newServer(t, &cases{status: core.StatusAnswer{Protection: l, RegisterTime: moment}}).
			GetProtectionStatus(t.Context(), &identityv1.GetProtectionStatusRequest{Handle: "h"})
		if err != nil || out.GetLevel().String() != "PROTECTION_LEVEL_"+name || !out.GetRegisterTime().AsTime().Equal(moment) {
			t.Errorf("%v: %v, %v", l, out, err)
		}
	}
}

func TestRolesAndSources(t *testing.T) {
	t.Parallel()
	for number, name := range vocabularyv1.Role_name {
		want := core.RoleOther
		switch name {
		case "ROLE_FUND":
			want = core.RoleFund
		case "ROLE_AGENCY", "ROLE_AGENCY_EMPLOYMENT_SE":
			want = core.RoleAgency
		}
		if got := api.RoleOf(vocabularyv1.Role(number)); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	seen := map[vocabularyv1.Source]struct{}{}
	for s := core.SourceUnknown; s <= core.SourcePoliceCourt; s++ {
		seen[api.SourceOf(s)] = struct{}{}
	}
	if len(seen) != len(vocabularyv1.Source_name) {
		t.Errorf("%d of %d sources", len(seen), len(vocabularyv1.Source_name))
	}
}

func fullAddress() core.AddressAnswer {
	return core.AddressAnswer{
		Addressee: "Anna Berg", Protection: core.LevelDKNameAddress, Source: core.SourcePublicRegister,
		RegisterTime: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
		Address: &core.Address{
			CareOf: "c/o Ek", Lines: []string{"Prøvevej 1", "1. tv"}, PostalCode: "0000", City: "Prøveby", Country: "DK",
			ValidFrom: civil.Date{Year: 2020, Month: 2, Day: 3},
		},
	}
}

func TestNoFieldOfTheAddressIsForgotten(t *testing.T) {
	t.Parallel()
	out, err := newServer(t, &cases{address: fullAddress()}).GetPostalAddress(t.Context(), &identityv1.GetPostalAddressRequest{Handle: "h"})
	if err != nil {
		t.Fatal(err)
	}
	everySet(t, out.ProtoReflect(), "")
	a := out.GetAddress()
	got := fmt.Sprint([]any{a.GetAddressee(), a.GetCareOf(), a.GetLines(), a.GetPostalCode(), a.GetCity(), a.GetCountry(), out.GetValidFrom().GetDay()})
	if got != "[Anna Berg c/o Ek [Prøvevej 1 1. tv] 0000 Prøveby DK 3]" {
		t.Error(got)
	}
	flag := core.AddressAnswer{Protection: core.LevelDKSpecial, Source: core.SourcePublicRegister, RegisterTime: fullAddress().RegisterTime}
	out, err = newServer(t, &cases{address: flag}).GetPostalAddress(t.Context(), &identityv1.GetPostalAddressRequest{Handle: "h"})
	if err != nil || out.GetAddress() != nil || out.GetValidFrom() != nil || out.GetProtection() != identityv1.ProtectionLevel_PROTECTION_LEVEL_DK_SPECIAL {
		t.Errorf("%v, %v", out, err)
	}
}

// everySet fails for each field that is not set.
func everySet(t *testing.T, m protoreflect.Message, path string) {
	t.Helper()
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		name := path + string(fd.Name())
		switch {
		case !m.Has(fd):
			t.Errorf("%s is not set", name)
		case fd.Kind() == protoreflect.MessageKind:
			everySet(t, m.Get(fd).Message(), name+".")
		}
	}
}

func TestReadMaskNarrows(t *testing.T) {
	t.Parallel()
	s := newServer(t, &cases{address: fullAddress()})
	whole, err := s.GetPostalAddress(t.Context(), &identityv1.GetPostalAddressRequest{Handle: "h"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		paths []string
		want  *identityv1.GetPostalAddressResponse
	}{
		{nil, whole},
		{[]string{}, whole},
		{[]string{"protection"}, &identityv1.GetPostalAddressResponse{Protection: whole.GetProtection()}},
		{[]string{"address"}, &identityv1.GetPostalAddressResponse{Address: whole.GetAddress()}},
		{[]string{"address.lines", "address"}, &identityv1.GetPostalAddressResponse{Address: whole.GetAddress()}},
		{[]string{"address.lines", "address.city", "source"}, &identityv1.GetPostalAddressResponse{
			Address: &identityv1.PostalAddress{Lines: whole.GetAddress().GetLines(), City: "Prøveby"}, Source: whole.GetSource(),
		}},
		{[]string{"valid_from.year"}, &identityv1.GetPostalAddressResponse{ValidFrom: &commonv1.Date{Year: 2020}}},
	} {
		out, err := s.GetPostalAddress(t.Context(), &identityv1.GetPostalAddressRequest{Handle: "h", ReadMask: &fieldmaskpb.FieldMask{Paths: c.paths}})
		if err != nil || !proto.Equal(out, c.want) {
			t.Errorf("%v: %v, %v", c.paths, out, err)
		}
	}
	for _, path := range []string{"*", "", "addressee", "address.", "address.number", "address.lines.x", "handle"} {
		c := &cases{address: fullAddress()}
		_, err := newServer(t, c).GetPostalAddress(t.Context(), &identityv1.GetPostalAddressRequest{Handle: "h", ReadMask: &fieldmaskpb.FieldMask{Paths: []string{path}}})
		if errs.ReasonOf(err) != commonv1.Reason_REASON_INVALID_REQUEST || c.handle != "" {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestErrorsHaveTheirReasons(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]commonv1.Reason{
		core.ErrNotFound:                 commonv1.Reason_REASON_SUBJECT_NOT_FOUND,
		core.ErrStoreUnavailable:         commonv1.Reason_REASON_STORE_UNAVAILABLE,
		core.ErrKeysUnavailable:          commonv1.Reason_REASON_KEYS_UNAVAILABLE,
		nationalid.ErrCheckDigit:         commonv1.Reason_REASON_NATIONAL_ID_INVALID,
		nationalid.ErrOrganisation:       commonv1.Reason_REASON_NATIONAL_ID_INVALID,
		nationalid.ErrOutsideEnvironment: commonv1.Reason_REASON_NATIONAL_ID_OUTSIDE_ENVIRONMENT,
		context.Canceled:                 commonv1.Reason_REASON_CANCELLED,
		context.DeadlineExceeded:         commonv1.Reason_REASON_DEADLINE_EXCEEDED,
		errors.New("something else"):     commonv1.Reason_REASON_INTERNAL,
	} {
		s := newServer(t, &cases{err: fmt.Errorf("outer: %w", err)})
		_, err1 := s.ResolveSubject(t.Context(), &identityv1.ResolveSubjectRequest{})
		_, err2 := s.VerifyIdentity(t.Context(), &identityv1.VerifyIdentityRequest{})
		_, err3 := s.GetPostalAddress(t.Context(), &identityv1.GetPostalAddressRequest{})
		_, err4 := s.GetProtectionStatus(t.Context(), &identityv1.GetProtectionStatusRequest{})
		for i, got := range []error{err1, err2, err3, err4} {
			if reason := errs.From(got).Reason(); reason != want {
				t.Errorf("%v, RPC %d: %v", err, i+1, reason)
			}
		}
	}
}

// Both kinds of nobody are the same error, word for word.
//
// covers: B.10
func TestNobodyIsNobody(t *testing.T) {
	t.Parallel()
	s := newServer(t, &cases{err: core.ErrNotFound})
	_, err1 := s.GetPostalAddress(t.Context(), &identityv1.GetPostalAddressRequest{Handle: "one"})
	_, err2 := s.GetPostalAddress(t.Context(), &identityv1.GetPostalAddressRequest{Handle: "two"})
	one, two := errs.From(err1).GRPCStatus(), errs.From(err2).GRPCStatus()
	if one.Code() != two.Code() || one.Message() != two.Message() || len(one.Details()) != len(two.Details()) {
		t.Fatalf("%v, %v", err1, err2)
	}
	for i, detail := range one.Details() { // taken apart: maps have no order on the wire
		first, ok1 := detail.(proto.Message)
		second, ok2 := two.Details()[i].(proto.Message)
		if !ok1 || !ok2 || !proto.Equal(first, second) {
			t.Errorf("%v, %v", detail, two.Details()[i])
		}
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := api.New(api.Deps{}); err == nil {
		t.Error("made of nothing")
	}
}
