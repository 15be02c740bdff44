package insurance_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/authz"
)

// A processor needs a data-processing agreement, by id and with an end; after that nothing passes.
//
// covers: ACT-10 ACT-17 DFH-21 LED-15
func TestProcessorNeedsItsAgreement(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund := w.as(minDK, minDK)
	processor := insurancev1.PartnerClass_PARTNER_CLASS_PROCESSOR
	err := fund.agree(campaign, processor, marketing, consented, func(a *insurancev1.PartnerAgreement) { a.ProcessingAgreementId = "" })
	want(t, err, codes.InvalidArgument, "INVALID_REQUEST")
	err = fund.agree(campaign, processor, marketing, consented, func(a *insurancev1.PartnerAgreement) { a.ValidUntil = nil })
	want(t, err, codes.InvalidArgument, "INVALID_REQUEST")
	fund, _ = campaigns(w)
	why := fund.why(marketing, consented)
	fund.sent(why, campaign, 0)
	w.later(11 * 24 * time.Hour)
	_, err = fund.send(why, campaign, 0)
	wantReason(t, err, "AGREEMENT_INACTIVE")
}

// Who safeguards a member's rights gets contact data for a case, and nothing without one.
//
// covers: LED-14
func TestRightsSafeguardNeedsACase(t *testing.T) {
	t.Parallel()
	w := start(t)
	union, partner := w.as(unionSE, unionSE), w.as(insurer, unionSE)
	must(t, union.agree(insurer, insurancev1.PartnerClass_PARTNER_CLASS_RIGHTS_SAFEGUARD, adminPurpose, contract))
	_, err := union.load(member(0))
	must(t, err)
	_, err = union.fund.RecordConsent(t.Context(), &insurancev1.RecordConsentRequest{
		Context: union.rights(), Handle: handle(0), ConsentId: "c-1", ConsentedPurpose: adminPurpose, ExplicitSpecial: true, RegisteredOn: dateOf(w.clock.Now()),
	})
	must(t, err)
	why := union.why(adminPurpose, contract, explicit)
	subject := union.sent(why, insurer, 0)
	got, err := partner.subject(partner.why(adminPurpose, contract, explicit), subject)
	must(t, err)
	if got.GetAgreedContact().GetEmail() == "" {
		t.Errorf("%v", got)
	}
	without := partner.why(adminPurpose, contract, explicit)
	without.CaseReference = ""
	_, err = partner.subject(without, subject)
	want(t, err, codes.FailedPrecondition, "CASE_REFERENCE_MISSING")
}

// What a partner can be given at all: no field holds an IP address or a chosen name, as suppliers of webcasts would get, and none holds how a
// member uses the controller's pages. So neither can reach a partner, in a third country or elsewhere.
//
// covers: LED-08 LED-09 MIN-09
func TestNoFieldForWebcastsAndInteraction(t *testing.T) {
	t.Parallel()
	var walk func(md protoreflect.MessageDescriptor)
	seen := 0
	walk = func(md protoreflect.MessageDescriptor) {
		for i := range md.Fields().Len() {
			fd := md.Fields().Get(i)
			seen++
			name := strings.ToLower(string(fd.Name()))
			if name == "ip" || strings.HasPrefix(name, "ip_") || strings.Contains(name, "display_name") {
				t.Errorf("%s", fd.FullName())
			}
			if class := authz.ClassOf(fd); class == vocabularyv1.DataClass_DATA_CLASS_INTERACTION || class >= vocabularyv1.DataClass_DATA_CLASS_SPECIAL {
				t.Errorf("%s is of class %s", fd.FullName(), class)
			}
			if sub := fd.Message(); sub != nil && strings.HasPrefix(string(sub.FullName()), "samvirke.insurance.") {
				walk(sub)
			}
		}
	}
	walk((&insurancev1.SharedSubject{}).ProtoReflect().Descriptor())
	if seen < 20 {
		t.Errorf("only %d fields looked at", seen)
	}
	if core.RuleOf("WEBCAST").Fields != 0 {
		t.Error("an unknown class has fields")
	}
}
