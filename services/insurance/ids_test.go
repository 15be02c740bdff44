package insurance_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
)

// An id that a controller chooses is kept as it is, so it may not be a person's number.
//
// covers: SEC-03
func TestIdsOfTheControllersChoice(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, _ := offers(w)
	_, err := fund.load(member(0))
	must(t, err)
	for _, id := range []string{"7403851013", "c-740385-1013", "198111309285"} {
		_, err := fund.fund.RecordConsent(t.Context(), &insurancev1.RecordConsentRequest{
			Context: fund.admin(), Handle: handle(0), ConsentId: id, ConsentedPurpose: offerPurpose, RegisteredOn: dateOf(w.clock.Now()),
		})
		want(t, err, codes.InvalidArgument, "INVALID_REQUEST")
		_, err = fund.send(fund.offer(), agency, 0, func(r *insurancev1.ShareContactRequest) { r.DocumentReference = id })
		want(t, err, codes.InvalidArgument, "INVALID_REQUEST")
		_, err = fund.fund.RecordBalancing(t.Context(), &insurancev1.RecordBalancingRequest{
			Context: fund.admin(), BalancingId: id, AssessedPurpose: offerPurpose, AssessedOn: dateOf(w.clock.Now()),
		})
		want(t, err, codes.InvalidArgument, "INVALID_REQUEST")
		for _, into := range []func(*insurancev1.PartnerAgreement){
			func(a *insurancev1.PartnerAgreement) { a.AgreementId = id }, func(a *insurancev1.PartnerAgreement) { a.BalancingId = id },
			func(a *insurancev1.PartnerAgreement) { a.ProcessingAgreementId = id },
			func(a *insurancev1.PartnerAgreement) { a.PartnerName = "Agency " + id },
		} {
			err = fund.agree(agency, insurancev1.PartnerClass_PARTNER_CLASS_INSURANCE_AGENCY, offerPurpose, interest, into)
			want(t, err, codes.InvalidArgument, "INVALID_REQUEST")
		}
		named := member(1)
		named.Handle = "k00000001." + strings.Repeat("A", 27-len(id)) + id
		_, err = fund.load(named)
		want(t, err, codes.InvalidArgument, "INVALID_REQUEST")
		named.Handle = id + "-AAAAAAAAAAAAAAAA"
		_, err = fund.load(named)
		want(t, err, codes.InvalidArgument, "INVALID_REQUEST")
	}
	const person = "DK:7403851013"
	_, err = fund.fund.RecordConsent(t.Context(), &insurancev1.RecordConsentRequest{
		Context: fund.admin(), Handle: handle(0), ConsentId: "c-1", ConsentedPurpose: offerPurpose, PartnerId: person, RegisteredOn: dateOf(w.clock.Now()),
	})
	want(t, err, codes.InvalidArgument, "INVALID_REQUEST")
	_, err = fund.fund.RecordOptOut(t.Context(), &insurancev1.RecordOptOutRequest{Context: fund.rights(), Handle: handle(0), PartnerId: person, Channel: phoned})
	want(t, err, codes.InvalidArgument, "INVALID_REQUEST")
	err = fund.agree(person, insurancev1.PartnerClass_PARTNER_CLASS_INSURANCE_AGENCY, offerPurpose, interest)
	want(t, err, codes.InvalidArgument, "INVALID_REQUEST")
}
