package story

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/grpc"

	"samvirke.dev/deploy/internal/stack"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// client is what every call goes through.
type client = identityv1.IdentityServiceClient

// Names as they stand in records and agreements.
const (
	resolveRPC    = "samvirke.identity.v1.IdentityService/ResolveSubject"
	verifyRPC     = "samvirke.identity.v1.IdentityService/VerifyIdentity"
	addressRPC    = "samvirke.identity.v1.IdentityService/GetPostalAddress"
	batchRPC      = "samvirke.identity.v1.IdentityService/BatchVerify"
	protectionRPC = "samvirke.identity.v1.IdentityService/GetProtectionStatus"
	openRPC       = "samvirke.identity.v1.IdentityService/OpenAddressSubscription"
	closeRPC      = "samvirke.identity.v1.IdentityService/CloseAddressSubscription"
	streamRPC     = "samvirke.identity.v1.IdentityService/StreamAddressChanges"
)

// Purposes and bases that the steps name.
const (
	identification = vocabularyv1.Purpose_PURPOSE_IDENTIFICATION
	addressUpdate  = vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE
	obligation     = vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C
	authority      = vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_E_OFFICIAL_AUTHORITY
)

// LawDK and LawSE are the legal references of the sandbox's agreements.
const (
	LawDK = "DK:ALF§90b"
	LawSE = "SE:SFS-1998:527:3-1"
)

// because makes a request context in which an organisation acts for itself.
func because(who stack.Caller, purpose vocabularyv1.Purpose, caseReference string) *commonv1.RequestContext {
	c := &commonv1.RequestContext{
		ControllerId: who.Org(), Purpose: purpose, LegalBasis: obligation, LegalReference: LawDK, CaseReference: caseReference,
		ActorId: "caseworker-7",
	}
	if who.Country == "SE" {
		c.LegalReference, c.LegalBasis = LawSE, authority
	}
	return c
}

// identityChapter tells of the identity service.
func identityChapter(ctx context.Context, t *teller) error {
	err := t.run(ctx, t.steps())
	return errors.Join(err, t.failed("stranger", t.stranger(ctx)))
}

func (t *teller) steps() []step {
	all := append(t.findings(), t.replaced()...)
	all = append(all, t.verdicts()...)
	all = append(all, t.batch())
	all = append(all, t.addresses()...)
	all = append(all, t.followed()...)
	all = append(all, t.protected()...)
	return append(all, t.refusals()...)
}

// findings turn numbers into handles.
func (t *teller) findings() []step {
	c := t.cast
	return []step{
		t.resolve("A Danish fund turns a member's number into a handle of its own", c.DanishFund, c.Dane, "2026-101"),
		t.resolve("Another Danish fund asks for the same person and gets another handle: the two can't join their data", c.OtherDanishFund, c.Dane, "77-1"),
		t.resolve("A Swedish fund does the same with a Swedish number", c.SwedishFund, c.Swede, "S-2026-3"),
	}
}

func (t *teller) resolve(title string, who stack.Caller, about Person, caseReference string) step {
	why := because(who, identification, caseReference)
	return step{
		title: title, who: who, about: about, why: why, rpc: resolveRPC, record: discloses("handle"),
		call: identity(func(ctx context.Context, cl client, trailer grpc.CallOption) (string, string, error) {
			resp, err := cl.ResolveSubject(ctx, &identityv1.ResolveSubjectRequest{Context: why, NationalId: about.id()}, trailer)
			if err != nil {
				return "", "", err
			}
			for key, handle := range t.handles {
				if handle == resp.GetHandle() && key != t.key(who, about) {
					return "", "", fmt.Errorf("handle is the one of %s", key)
				}
			}
			t.handles[t.key(who, about)] = resp.GetHandle()
			return "handle " + brief(resp.GetHandle()), "", nil
		}),
	}
}

// key is under which a handle is remembered: it belongs to an organisation and a person.
func (t *teller) key(who stack.Caller, about Person) string { return who.Org() + " " + about.Number }

func (p Person) id() *commonv1.NationalId {
	country := vocabularyv1.Country(vocabularyv1.Country_value["COUNTRY_"+p.Country])
	return &commonv1.NationalId{Country: country, Value: p.Number}
}

// verdicts compare names with numbers.
func (t *teller) verdicts() []step {
	c := t.cast
	return []step{
		t.verify("The fund checks that the name on a form belongs to the number", c.DanishFund, c.Dane, c.Dane.Name,
			identityv1.Verdict_VERDICT_MATCH),
		t.verify("A name that does not belong to the number: the answer is no, and no more than that", c.DanishFund, c.Dane, "Nobody At All",
			identityv1.Verdict_VERDICT_NO_MATCH),
		t.verify("An agency checks a Swedish name, in capitals", c.Agency, c.Swede, strings.ToUpper(c.Swede.Name),
			identityv1.Verdict_VERDICT_MATCH),
	}
}

func (t *teller) verify(title string, who stack.Caller, about Person, name string, want identityv1.Verdict) step {
	why := because(who, identification, "2026-102")
	return step{
		title: title, who: who, about: about, why: why, rpc: verifyRPC, record: discloses("verdict"),
		call: identity(func(ctx context.Context, cl client, trailer grpc.CallOption) (string, string, error) {
			resp, err := cl.VerifyIdentity(ctx, &identityv1.VerifyIdentityRequest{Context: why, NationalId: about.id(), FullName: name}, trailer)
			if err != nil {
				return "", "", err
			}
			if resp.GetVerdict() != want {
				return "", "", fmt.Errorf("verdict is %s, want %s", resp.GetVerdict(), want)
			}
			return short(resp.GetVerdict().String(), "VERDICT_"), "", nil
		}),
	}
}

// batch is one message of a stream about three persons; each of them gets a record of its own.
func (t *teller) batch() step {
	c := t.cast
	why := because(c.Agency, identification, "AF-9")
	asked := []struct {
		person Person
		name   string
		want   identityv1.Verdict
	}{
		{c.Swede, c.Swede.Name, identityv1.Verdict_VERDICT_MATCH},
		{c.Swede, "Nobody At All", identityv1.Verdict_VERDICT_NO_MATCH},
		{c.Dane, c.Dane.Name, identityv1.Verdict_VERDICT_MATCH},
	}
	req := &identityv1.BatchVerifyRequest{Context: why}
	for _, a := range asked {
		req.Items = append(req.Items, &identityv1.BatchItem{NationalId: a.person.id(), FullName: a.name})
	}
	return step{
		title: "The agency checks several persons of one case over a stream", who: c.Agency, about: c.Swede, why: why, rpc: batchRPC,
		records: len(asked),
		call: identity(func(ctx context.Context, cl client, _ grpc.CallOption) (string, string, error) {
			resp, err := once(ctx, cl, req)
			if err != nil {
				return "", "", err
			}
			var said []string
			for i, r := range resp.GetResults() {
				if i >= len(asked) || r.GetVerdict() != asked[i].want {
					return "", "", fmt.Errorf("result %d is %s", i, r.GetVerdict())
				}
				said = append(said, short(r.GetVerdict().String(), "VERDICT_"))
			}
			return strings.Join(said, ", "), resp.GetEventId(), nil
		}),
	}
}

// once opens a stream for one message and reads the stream to its end.
func once(ctx context.Context, cl client, req *identityv1.BatchVerifyRequest) (*identityv1.BatchVerifyResponse, error) {
	stream, err := cl.BatchVerify(ctx)
	if err != nil {
		return nil, err
	}
	// A send that fails says only "end of file"; the reason comes with the receive.
	_ = stream.Send(req)
	resp, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("stream ended badly: %w", err)
	}
	return resp, nil
}

// addresses are disclosed to the fund that holds a handle.
func (t *teller) addresses() []step {
	c := t.cast
	return []step{
		t.address("The Danish fund needs the postal address", c.DanishFund, c.Dane, addressGiven, identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE),
		t.address("So does the Swedish fund", c.SwedishFund, c.Swede, addressGiven, identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE),
	}
}

const (
	addressGiven    = true
	addressWithheld = false
)

func (t *teller) address(title string, who stack.Caller, about Person, given bool, level identityv1.ProtectionLevel) step {
	why := because(who, addressUpdate, "2026-103")
	s := step{title: title, who: who, about: about, why: why, rpc: addressRPC}
	if !given {
		s.record = both(high, lacks("address"))
	} else if level != identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE {
		s.record = high
	}
	s.call = identity(func(ctx context.Context, cl client, trailer grpc.CallOption) (string, string, error) {
		req := &identityv1.GetPostalAddressRequest{Context: why, Handle: t.handles[t.key(who, about)]}
		resp, err := cl.GetPostalAddress(ctx, req, trailer)
		if err != nil {
			return "", "", err
		}
		if (resp.GetAddress() != nil) != given || resp.GetProtection() != level {
			return "", "", fmt.Errorf("address %t, protection %s", resp.GetAddress() != nil, resp.GetProtection())
		}
		return envelope(resp), "", nil
	})
	return s
}

// envelope is an address answer in a line.
func envelope(r *identityv1.GetPostalAddressResponse) string {
	var parts []string
	if a := r.GetAddress(); a == nil {
		parts = append(parts, "no address")
	} else {
		parts = append(parts, strings.Join(a.GetLines(), ", "), a.GetPostalCode()+" "+a.GetCity())
	}
	if r.GetProtection() != identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE {
		parts = append(parts, "the person is protected ("+short(r.GetProtection().String(), "PROTECTION_LEVEL_")+"): a case for a caseworker")
	}
	return strings.Join(parts, "; ")
}

// protected persons: what each country lets a fund of its own see (domain rule B.10).
func (t *teller) protected() []step {
	c := t.cast
	const swedish = identityv1.ProtectionLevel_PROTECTION_LEVEL_SE_PROTECTED_REGISTRATION
	const danish = identityv1.ProtectionLevel_PROTECTION_LEVEL_DK_NAME_ADDRESS
	steps := []step{
		t.resolve("The Swedish fund meets a person with protected registration", c.SwedishFund, c.ProtectedSwede, "S-2026-4"),
		t.address("Name and address are with nobody; the fund learns only that the person is protected", c.SwedishFund, c.ProtectedSwede,
			addressWithheld, swedish),
		t.resolve("The Danish fund meets a person with name and address protection", c.DanishFund, c.ProtectedDane, "2026-104"),
		t.address("Danish law lets the person's own fund read the address, with the flag beside it", c.DanishFund, c.ProtectedDane,
			addressGiven, danish),
		t.protection("Asked outright, the level is told to those who may know it", c.DanishFund, c.ProtectedDane, danish),
	}
	steps[0].record, steps[2].record = both(high, discloses("handle")), both(high, discloses("handle"))
	return steps
}

func (t *teller) protection(title string, who stack.Caller, about Person, want identityv1.ProtectionLevel) step {
	why := because(who, identification, "2026-105")
	return step{
		title: title, who: who, about: about, why: why, rpc: protectionRPC, record: high,
		call: identity(func(ctx context.Context, cl client, trailer grpc.CallOption) (string, string, error) {
			req := &identityv1.GetProtectionStatusRequest{Context: why, Handle: t.handles[t.key(who, about)]}
			resp, err := cl.GetProtectionStatus(ctx, req, trailer)
			if err != nil {
				return "", "", err
			}
			if resp.GetLevel() != want {
				return "", "", fmt.Errorf("level is %s, want %s", resp.GetLevel(), want)
			}
			return short(resp.GetLevel().String(), "PROTECTION_LEVEL_"), "", nil
		}),
	}
}

// refusals are calls that must not be answered; each of them leaves a record as well.
func (t *teller) refusals() []step {
	c := t.cast
	purpose := t.address("The fund asks for the address for a purpose that does not serve it", c.DanishFund, c.Dane, addressGiven, identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE)
	purpose.refused = commonv1.Reason_REASON_PURPOSE_NOT_ALLOWED
	purpose.why.Purpose = identification

	basis := t.verify("The fund names no legal basis", c.DanishFund, c.Dane, c.Dane.Name, identityv1.Verdict_VERDICT_MATCH)
	basis.refused = commonv1.Reason_REASON_BASIS_MISSING
	basis.why.LegalBasis = vocabularyv1.LegalBasis_LEGAL_BASIS_UNSPECIFIED

	foreign := t.resolve("A Danish fund acts as if a Swedish one had sent it", c.DanishFund, c.Swede, "X-1")
	foreign.refused = commonv1.Reason_REASON_CONTROLLER_MISMATCH
	foreign.why.ControllerId = c.SwedishFund.Org()

	handle := t.borrowed()
	for _, s := range []*step{&purpose, &basis, &foreign} {
		s.record = nil
	}
	return []step{purpose, basis, foreign, handle}
}

// borrowed is a call with another fund's handle, which is nobody's here. It is allowed and finds nobody.
func (t *teller) borrowed() step {
	c := t.cast
	s := t.address("A handle passed on to another fund is worth nothing there", c.OtherDanishFund, c.Dane, addressGiven, identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE)
	call := s.call
	s.call = func(ctx context.Context, conn grpc.ClientConnInterface, trailer grpc.CallOption) (string, string, error) {
		own := t.key(c.OtherDanishFund, c.Dane)
		saved := t.handles[own]
		t.handles[own] = t.handles[t.key(c.DanishFund, c.Dane)]
		defer func() { t.handles[own] = saved }()
		return call(ctx, conn, trailer)
	}
	s.refused, s.granted = commonv1.Reason_REASON_SUBJECT_NOT_FOUND, true
	return s
}
