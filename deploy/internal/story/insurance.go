package story

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc"

	"samvirke.dev/deploy/internal/stack"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/clock"
)

// The RPCs of the chapter, as they stand in records and agreements.
const (
	registerRPC    = "samvirke.insurance.v1.InsuranceService/RegisterAgreement"
	balancingRPC   = "samvirke.insurance.v1.InsuranceService/RecordBalancing"
	shareRPC       = "samvirke.insurance.v1.InsuranceService/ShareContact"
	optOutRPC      = "samvirke.insurance.v1.InsuranceService/RecordOptOut"
	disclosuresRPC = "samvirke.insurance.v1.InsuranceService/ListDisclosures"
	importRPC      = "samvirke.insurance.v1.MemberDirectoryService/ImportMembers"
	fetchRPC       = "samvirke.insurance.v1.ShareService/FetchShares"
	subjectRPC     = "samvirke.insurance.v1.ShareService/GetSharedSubject"
)

// balancingID is the fund's assessment of interests for the offers.
const balancingID = "bal-2026-1"

// offer is what the insurer remembers between two looks into its mailbox.
type offer struct {
	cursor  string
	subject string
}

// insuranceChapter tells how a member's contact data reach an insurance agency, and how they are stopped.
func insuranceChapter(ctx context.Context, t *teller) error {
	if t.handles[t.key(t.cast.DanishFund, t.cast.Dane)] == "" {
		return errors.New("the identity chapter comes first: the member has no handle")
	}
	o := &offer{}
	steps := []step{
		t.agreed(), t.balanced(), t.members(),
		t.shared("The fund shares the member with its agency, for offers, on legitimate interests", t.cast.Dane, 0),
		t.shared("A member with name and address protection is not shared", t.cast.ProtectedDane, commonv1.Reason_REASON_PROTECTED),
		t.mailbox(o, "The insurer reads its mailbox: name, phone and e-mail, and nothing else", insurancev1.ShareKind_SHARE_KIND_NEW),
		t.greedy(o), t.optedOut(),
		t.refusedSubject(o),
		t.mailbox(o, "The mailbox tells the insurer to stop using what it has, without a reason", insurancev1.ShareKind_SHARE_KIND_STOP_USE),
		t.shared("The fund can't share the member again", t.cast.Dane, commonv1.Reason_REASON_OPTED_OUT),
		t.disclosed(),
	}
	return t.run(ctx, steps)
}

func (t *teller) sharing(purpose vocabularyv1.Purpose, basis vocabularyv1.LegalBasis, reference string) *commonv1.RequestContext {
	return &commonv1.RequestContext{
		ControllerId: t.cast.DanishFund.Org(), Purpose: purpose, LegalBasis: basis, LegalReference: reference, CaseReference: "sharing-1",
	}
}

func (t *teller) admin() *commonv1.RequestContext {
	return t.sharing(vocabularyv1.Purpose_PURPOSE_MEMBERSHIP_ADMIN, obligation, LawDK)
}

func (t *teller) rights() *commonv1.RequestContext {
	return t.sharing(vocabularyv1.Purpose_PURPOSE_RIGHTS_FULFILMENT, obligation, "DK:GDPR")
}

func (t *teller) offers() *commonv1.RequestContext {
	return t.sharing(vocabularyv1.Purpose_PURPOSE_INSURANCE_OFFER, vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_F, "DK:BAL-2026-1")
}

// sharingStep is a step of this chapter.
func sharingStep(title string, who stack.Caller, why *commonv1.RequestContext, rpc string,
	f func(ctx context.Context, conn grpc.ClientConnInterface, trailer grpc.CallOption) (string, error)) step {
	return step{
		title: title, who: who, why: why, rpc: rpc, service: stack.InsuranceName,
		call: func(ctx context.Context, conn grpc.ClientConnInterface, trailer grpc.CallOption) (string, string, error) {
			answer, err := f(ctx, conn, trailer)
			return answer, "", err
		},
	}
}

func (t *teller) agreed() step {
	why, c := t.admin(), t.cast
	s := sharingStep("The fund registers its agreement with its insurance agency: which fields, for what, on which basis", c.DanishFund, why, registerRPC,
		func(ctx context.Context, conn grpc.ClientConnInterface, trailer grpc.CallOption) (string, error) {
			_, err := insurancev1.NewInsuranceServiceClient(conn).RegisterAgreement(ctx, &insurancev1.RegisterAgreementRequest{
				Context: why, Agreement: &insurancev1.PartnerAgreement{
					AgreementId: "nord-agency", Version: 1, PartnerId: c.Insurer.Org(), PartnerName: t.name(c.Insurer),
					PartnerClass: insurancev1.PartnerClass_PARTNER_CLASS_INSURANCE_AGENCY, ProcessingCountry: "DK", BalancingId: balancingID,
					Purposes: []*insurancev1.AgreedPurpose{{Purpose: vocabularyv1.Purpose_PURPOSE_INSURANCE_OFFER,
						LegalBases: []vocabularyv1.LegalBasis{vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_F}}},
					Fields: []insurancev1.SharedField{
						insurancev1.SharedField_SHARED_FIELD_FULL_NAME, insurancev1.SharedField_SHARED_FIELD_PHONE_NUMBER, insurancev1.SharedField_SHARED_FIELD_EMAIL,
					},
					ValidFrom: &commonv1.Date{Year: 2026, Month: 1, Day: 1}, ValidUntil: &commonv1.Date{Year: 2035, Month: 12, Day: 31},
				},
			}, trailer)
			return "registered", err
		})
	s.plain, s.nobody = true, true
	return s
}

func (t *teller) balanced() step {
	why := t.admin()
	today := clock.System().Now()
	s := sharingStep("It stores that interests were weighed: without that nothing is shared on legitimate interests", t.cast.DanishFund, why, balancingRPC,
		func(ctx context.Context, conn grpc.ClientConnInterface, trailer grpc.CallOption) (string, error) {
			_, err := insurancev1.NewInsuranceServiceClient(conn).RecordBalancing(ctx, &insurancev1.RecordBalancingRequest{
				Context: why, BalancingId: balancingID, AssessedPurpose: vocabularyv1.Purpose_PURPOSE_INSURANCE_OFFER,
				AssessedOn: &commonv1.Date{Year: int32(today.Year()), Month: 1, Day: 1}, //nolint:gosec // a year
			}, trailer)
			return "recorded", err
		})
	s.plain, s.nobody = true, true
	return s
}

// members imports two members in one message; it leaves one record each.
func (t *teller) members() step {
	why := t.admin()
	member := func(p Person, phone string) *insurancev1.Member {
		return &insurancev1.Member{
			Handle: t.handles[t.key(t.cast.DanishFund, p)], FullName: or(p.Name, "Medlem"), PhoneNumber: phone, Email: "medlem@example.org",
			MembershipFrom: &commonv1.Date{Year: 2020, Month: 1, Day: 1}, SourceChannel: "SELF_SERVICE",
		}
	}
	return step{
		title: "It sends contact data from its member base", who: t.cast.DanishFund, why: why, rpc: importRPC, service: stack.InsuranceName,
		about: t.cast.Dane, plain: true, records: 2,
		call: func(ctx context.Context, conn grpc.ClientConnInterface, _ grpc.CallOption) (string, string, error) {
			stream, err := insurancev1.NewMemberDirectoryServiceClient(conn).ImportMembers(ctx)
			if err != nil {
				return "", "", err
			}
			err = stream.Send(&insurancev1.ImportMembersRequest{
				Context: why, Members: []*insurancev1.Member{member(t.cast.Dane, "+4500000001"), member(t.cast.ProtectedDane, "+4500000002")},
			})
			if err = errors.Join(err, stream.CloseSend()); err != nil {
				return "", "", err
			}
			out, err := stream.Recv()
			if err != nil {
				return "", "", err
			}
			return fmt.Sprintf("%d new", out.GetCreated()), out.GetEventId(), nil
		},
	}
}

func (t *teller) shared(title string, p Person, refused commonv1.Reason) step {
	why, c := t.offers(), t.cast
	s := sharingStep(title, c.DanishFund, why, shareRPC,
		func(ctx context.Context, conn grpc.ClientConnInterface, trailer grpc.CallOption) (string, error) {
			out, err := insurancev1.NewInsuranceServiceClient(conn).ShareContact(ctx, &insurancev1.ShareContactRequest{
				Context: why, Handle: t.handles[t.key(c.DanishFund, p)], PartnerId: c.Insurer.Org(),
			}, trailer)
			return "in the mailbox as " + brief(out.GetPartnerSubjectId()), err
		})
	s.about, s.refused = p, refused
	return s
}

// mailbox reads on from where the insurer was, and expects one item.
func (t *teller) mailbox(o *offer, title string, kind insurancev1.ShareKind) step {
	why := t.offers()
	s := sharingStep(title, t.cast.Insurer, why, fetchRPC,
		func(ctx context.Context, conn grpc.ClientConnInterface, trailer grpc.CallOption) (string, error) {
			out, err := insurancev1.NewShareServiceClient(conn).FetchShares(ctx, &insurancev1.FetchSharesRequest{Context: why, Cursor: o.cursor}, trailer)
			if err != nil {
				return "", err
			}
			if n := len(out.GetShares()); n != 1 || out.GetShares()[0].GetKind() != kind {
				return "", fmt.Errorf("%d items, want one of %s", n, kind)
			}
			share := out.GetShares()[0]
			if o.subject != "" && o.subject != share.GetPartnerSubjectId() {
				return "", errors.New("another member's pseudonym")
			}
			o.cursor, o.subject = out.GetNextCursor(), share.GetPartnerSubjectId()
			answer := short(kind.String(), "SHARE_KIND_") + " " + brief(o.subject)
			if c := share.GetContent().GetAgencyContact(); c != nil {
				answer += fmt.Sprintf(": %s, %s, %s", c.GetFullName(), c.GetPhoneNumber(), c.GetEmail())
			}
			return answer, nil
		})
	s.about = t.cast.Dane
	return s
}

func (t *teller) subject(o *offer, title string, refused commonv1.Reason, fields ...insurancev1.SharedField) step {
	why := t.offers()
	s := sharingStep(title, t.cast.Insurer, why, subjectRPC,
		func(ctx context.Context, conn grpc.ClientConnInterface, trailer grpc.CallOption) (string, error) {
			_, err := insurancev1.NewShareServiceClient(conn).GetSharedSubject(ctx, &insurancev1.GetSharedSubjectRequest{
				Context: why, PartnerSubjectId: o.subject, Fields: fields,
			}, trailer)
			return "", err
		})
	s.about, s.refused = t.cast.Dane, refused
	return s
}

func (t *teller) greedy(o *offer) step {
	return t.subject(o, "It asks for the address too: more than is agreed refuses the whole call", commonv1.Reason_REASON_FIELDS_EXCEED,
		insurancev1.SharedField_SHARED_FIELD_FULL_NAME, insurancev1.SharedField_SHARED_FIELD_POSTAL_ADDRESS)
}

func (t *teller) refusedSubject(o *offer) step {
	return t.subject(o, "From the very next call the insurer gets nothing of the member", commonv1.Reason_REASON_OPTED_OUT)
}

func (t *teller) optedOut() step {
	why := t.rights()
	s := sharingStep("The member says no, on the phone; no reason is asked for", t.cast.DanishFund, why, optOutRPC,
		func(ctx context.Context, conn grpc.ClientConnInterface, trailer grpc.CallOption) (string, error) {
			out, err := insurancev1.NewInsuranceServiceClient(conn).RecordOptOut(ctx, &insurancev1.RecordOptOutRequest{
				Context: why, Handle: t.handles[t.key(t.cast.DanishFund, t.cast.Dane)], Channel: insurancev1.ContactChannel_CONTACT_CHANNEL_PHONE,
			}, trailer)
			return "holds since " + out.GetEffectiveAt().AsTime().Format("2006-01-02 15:04:05 MST"), err
		})
	s.about, s.plain = t.cast.Dane, true
	return s
}

func (t *teller) disclosed() step {
	why := t.rights()
	s := sharingStep("The fund shows the member who got what, and that the insurer was told to stop", t.cast.DanishFund, why, disclosuresRPC,
		func(ctx context.Context, conn grpc.ClientConnInterface, trailer grpc.CallOption) (string, error) {
			out, err := insurancev1.NewInsuranceServiceClient(conn).ListDisclosures(ctx, &insurancev1.ListDisclosuresRequest{
				Context: why, Handle: t.handles[t.key(t.cast.DanishFund, t.cast.Dane)],
			}, trailer)
			if err != nil {
				return "", err
			}
			var lines []string
			for _, d := range out.GetDisclosures() {
				lines = append(lines, fmt.Sprintf("%s %s (%d fields)", d.GetPartnerName(), short(d.GetKind().String(), "SHARE_KIND_"), len(d.GetFields())))
			}
			if want := 2; len(lines) != want {
				return "", fmt.Errorf("%d disclosures, want %d", len(lines), want)
			}
			return strings.Join(lines, "; "), nil
		})
	s.about = t.cast.Dane
	return s
}
