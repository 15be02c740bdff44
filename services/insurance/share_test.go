package insurance_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/insurance"
	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/platform/suitetest"
)

const (
	kindNew     = insurancev1.ShareKind_SHARE_KIND_NEW
	kindChanged = insurancev1.ShareKind_SHARE_KIND_CHANGED
	kindStop    = insurancev1.ShareKind_SHARE_KIND_STOP_USE
)

func kinds(shares []*insurancev1.Share) []insurancev1.ShareKind {
	var out []insurancev1.ShareKind
	for _, s := range shares {
		out = append(out, s.GetKind())
	}
	return out
}

func wantKinds(t testing.TB, shares []*insurancev1.Share, want ...insurancev1.ShareKind) {
	t.Helper()
	got := kinds(shares)
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

// The whole life of a share: new, told again, changed, opted out, stopped, and all of it in the list for the member.
//
// covers: ACT-07 DFH-28 DFH-29 DFH-30
func TestLifeOfAShare(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		w := start(t, on(db))
		fund, partner := offers(w)
		_, err := fund.load(member(0), member(1))
		must(t, err)
		subject := fund.sent(fund.offer(), agency, 0)
		first, cursor := partner.fetched(partner.offer(), "")
		wantKinds(t, first, kindNew)
		want := &insurancev1.AgencyContact{FullName: member(0).GetFullName(), PhoneNumber: "+4500000001", Email: "member@example.org"}
		if got := first[0].GetContent().GetAgencyContact(); !proto.Equal(got, want) || first[0].GetPartnerSubjectId() != subject {
			t.Errorf("got %v", first[0])
		}
		again, _ := partner.fetched(partner.offer(), "") // the answer was lost
		if len(again) != 1 || !proto.Equal(again[0], first[0]) {
			t.Errorf("again: %v", again)
		}
		none, cursor := partner.fetched(partner.offer(), cursor)
		wantKinds(t, none)
		moved := member(0)
		moved.Email = "other@example.org"
		out, err := fund.load(moved, member(1))
		must(t, err)
		if out.GetChanged() != 1 || out.GetUnchanged() != 1 {
			t.Errorf("import: %v", out)
		}
		changed, cursor := partner.fetched(partner.offer(), cursor)
		wantKinds(t, changed, kindChanged)
		if changed[0].GetContent().GetAgencyContact().GetEmail() != "other@example.org" {
			t.Errorf("%v", changed)
		}
		must(t, fund.optOut(0))
		must(t, fund.optOut(0))
		_, err = partner.subject(partner.offer(), subject)
		wantReason(t, err, "OPTED_OUT")
		_, err = fund.send(fund.offer(), agency, 0)
		wantReason(t, err, "OPTED_OUT")
		stopped, cursor := partner.fetched(partner.offer(), cursor)
		wantKinds(t, stopped, kindStop)
		if stopped[0].GetPartnerSubjectId() != subject || stopped[0].GetContent() != nil {
			t.Errorf("%v", stopped[0])
		}
		none, _ = partner.fetched(partner.offer(), cursor)
		wantKinds(t, none)
		list, err := fund.fund.ListDisclosures(t.Context(), &insurancev1.ListDisclosuresRequest{Context: fund.rights(), Handle: handle(0), PageSize: 2})
		must(t, err)
		rest, err := fund.fund.ListDisclosures(t.Context(), &insurancev1.ListDisclosuresRequest{Context: fund.rights(), Handle: handle(0), PageSize: 2, PageToken: list.GetNextPageToken()})
		must(t, err)
		all := append(list.GetDisclosures(), rest.GetDisclosures()...)
		if len(all) != 3 || all[0].GetKind() != kindStop || all[1].GetKind() != kindChanged || all[2].GetKind() != kindNew || rest.GetNextPageToken() != "" {
			t.Fatalf("%v", all)
		}
		if d := all[2]; d.GetPartnerId() != agency || len(d.GetFields()) != 3 || d.GetLegalBasis() != interest || d.GetEventId() == "" {
			t.Errorf("%v", d)
		}
	})
}

func wantReason(t testing.TB, err error, all string) {
	t.Helper()
	want(t, err, codes.PermissionDenied, all)
}

// I01 to I13 over the wire: what the partner is told, and what the record says.
//
// covers: SEK-10 LED-01 LED-13 MIN-45 DFH-29 GAP-06 ACT-08 ACT-16
func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	t.Run("I02 I03", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		fund, partner := offers(w)
		bare := member(0)
		bare.Email = ""
		_, err := fund.load(bare)
		must(t, err)
		subject := fund.sent(fund.offer(), agency, 0)
		got, err := partner.subject(partner.offer(), subject)
		must(t, err)
		if c := got.GetAgencyContact(); c.GetEmail() != "" || c.GetFullName() == "" || c.GetPhoneNumber() == "" {
			t.Errorf("%v", got)
		}
		_, err = partner.subject(partner.offer(), subject, insurancev1.SharedField_SHARED_FIELD_FULL_NAME, insurancev1.SharedField_SHARED_FIELD_POSTAL_ADDRESS)
		wantReason(t, err, "FIELDS_EXCEED")
		_, err = partner.share.FetchShares(t.Context(), &insurancev1.FetchSharesRequest{
			Context: partner.offer(), Fields: []insurancev1.SharedField{insurancev1.SharedField_SHARED_FIELD_POSTAL_ADDRESS},
		})
		wantReason(t, err, "FIELDS_EXCEED")
	})
	t.Run("I06 I08 income insurer", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		union := w.as(unionSE, unionSE)
		must(t, union.agree(insurer, insurancev1.PartnerClass_PARTNER_CLASS_INCOME_INSURANCE_ADMIN, incomePurpose, contract))
		_, err := union.load(member(0))
		must(t, err)
		why := union.why(incomePurpose, contract, explicit)
		_, err = union.send(why, insurer, 0)
		wantReason(t, err, "SPECIAL_BASIS_MISSING")
		_, err = union.fund.RecordConsent(t.Context(), &insurancev1.RecordConsentRequest{
			Context: union.rights(), Handle: handle(0), ConsentId: "c-1", ConsentedPurpose: incomePurpose, ExplicitSpecial: true, RegisteredOn: dateOf(w.clock.Now()),
		})
		must(t, err)
		_, err = union.fund.RecordMarketingObjection(t.Context(), &insurancev1.RecordMarketingObjectionRequest{Context: union.rights(), Handle: handle(0), Channel: phoned})
		must(t, err)
		union.sent(why, insurer, 0)
		partner := w.as(insurer, unionSE)
		shares, cursor := partner.fetched(partner.why(incomePurpose, contract, explicit), "")
		wantKinds(t, shares, kindNew)
		if c := shares[0].GetContent().GetIncomeInsuranceMember(); c.GetMembershipFrom().GetYear() != 2020 || c.GetCoverCode() != "A1" || c.GetPartnerSubjectId() == "" {
			t.Errorf("%v", shares[0])
		}
		_, err = union.fund.WithdrawConsent(t.Context(), &insurancev1.WithdrawConsentRequest{Context: union.rights(), Handle: handle(0), ConsentId: "c-1", Channel: phoned})
		must(t, err)
		shares, _ = partner.fetched(partner.why(incomePurpose, contract, explicit), cursor)
		wantKinds(t, shares, kindStop)
	})
	t.Run("I09 no commerce", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		fund := w.as(sekSE, sekSE)
		_, err := fund.load(member(0))
		must(t, err)
		wantReason(t, fund.agree(agency, insurancev1.PartnerClass_PARTNER_CLASS_INSURANCE_AGENCY, offerPurpose, interest), "COMMERCIAL_PURPOSE_FORBIDDEN")
		_, err = fund.send(fund.offer(), agency, 0)
		wantReason(t, err, "AGREEMENT_INACTIVE,COMMERCIAL_PURPOSE_FORBIDDEN")
	})
	t.Run("I10 I11 consent runs out", func(t *testing.T) {
		t.Parallel()
		w := start(t, func(_ *suitetest.Options, c *insurance.Config) { c.Cursors.Keep = 1000 * 24 * time.Hour })
		fund, partner := campaigns(w)
		why := fund.why(marketing, consented)
		fund.sent(why, campaign, 0)
		shares, cursor := partner.fetched(partner.why(marketing, consented), "")
		wantKinds(t, shares, kindNew)
		last := w.clock.Now().AddDate(1, 0, -1) // registered yesterday: the last day is a year after that
		w.later(last.Sub(w.clock.Now()))
		must(t, fund.agree(campaign, insurancev1.PartnerClass_PARTNER_CLASS_PROCESSOR, marketing, consented, func(a *insurancev1.PartnerAgreement) { a.Version = 2 }))
		fund.sent(why, campaign, 0)
		shares, cursor = partner.fetched(partner.why(marketing, consented), cursor)
		wantKinds(t, shares, kindChanged)
		w.later(24 * time.Hour)
		_, err := fund.send(why, campaign, 0)
		wantReason(t, err, "CONSENT_EXPIRED")
		_, err = w.parts.Service().Sweep(t.Context())
		must(t, err)
		shares, _ = partner.fetched(partner.why(marketing, consented), cursor)
		wantKinds(t, shares, kindStop)
	})
	t.Run("I12 third country", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		fund := w.as(fundDK, fundDK)
		abroad := func(a *insurancev1.PartnerAgreement) { a.ProcessingCountry = "US" }
		wantReason(t, fund.agree(agency, insurancev1.PartnerClass_PARTNER_CLASS_INSURANCE_AGENCY, offerPurpose, interest, abroad), "THIRD_COUNTRY")
		must(t, fund.agree(agency, insurancev1.PartnerClass_PARTNER_CLASS_INSURANCE_AGENCY, offerPurpose, interest, abroad,
			func(a *insurancev1.PartnerAgreement) { a.TransferBasis = "A46-2-c" }))
	})
	t.Run("I13 both at once", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		fund, _ := offers(w)
		_, err := fund.load(member(0))
		must(t, err)
		must(t, fund.optOut(0))
		w.later(15 * 24 * time.Hour)
		_, err = fund.send(fund.offer(), agency, 0)
		wantReason(t, err, "AGREEMENT_INACTIVE,OPTED_OUT")
		last := w.AllRecords()[len(w.AllRecords())-1]
		if got := last.GetReasons(); last.GetDecision() != auditv1.Decision_DECISION_DENY || len(got) != 2 || got[1] != commonv1.Reason_REASON_OPTED_OUT || len(last.GetFields()) > 0 {
			t.Errorf("record: %v", last)
		}
	})
}

// campaigns makes a world in which minDK has a campaign on consent, registered yesterday, for member 0.
func campaigns(w *world) (fund, partner *client) {
	w.t.Helper()
	fund = w.as(minDK, minDK)
	must(w.t, fund.agree(campaign, insurancev1.PartnerClass_PARTNER_CLASS_PROCESSOR, marketing, consented))
	_, err := fund.load(member(0))
	must(w.t, err)
	_, err = fund.fund.RecordConsent(w.t.Context(), &insurancev1.RecordConsentRequest{
		Context: fund.rights(), Handle: handle(0), ConsentId: "c-1", ConsentedPurpose: marketing, ThirdPartyChannels: true,
		RegisteredOn: dateOf(w.clock.Now().AddDate(0, 0, -1)), Channels: []insurancev1.ContactChannel{phoned},
	})
	must(w.t, err)
	return fund, w.as(campaign, minDK)
}

// Two partners, and two controllers, can't join what they know of a member.
//
// covers: SEC-04
func TestSubjectIdsDiffer(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, _ := offers(w)
	must(t, fund.agree(printer, insurancev1.PartnerClass_PARTNER_CLASS_PRINT_MAIL, adminPurpose, law))
	_, err := fund.load(member(0))
	must(t, err)
	a := fund.sent(fund.offer(), agency, 0)
	b := fund.sent(fund.why(adminPurpose, law), printer, 0, func(r *insurancev1.ShareContactRequest) { r.DocumentReference = "doc-1" })
	if a == b || a != fund.sent(fund.offer(), agency, 0) {
		t.Errorf("%s and %s", a, b)
	}
	_, err = w.as(printer, fundDK).subject(fund.why(adminPurpose, law), a)
	want(t, err, codes.NotFound, "SUBJECT_NOT_FOUND")
}

// A print and post processor gets name, address and the document, each document by itself.
//
// covers: SEK-25 ACT-12
func TestPrintAndPost(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, post := w.as(fundDK, fundDK), w.as(printer, fundDK)
	must(t, fund.agree(printer, insurancev1.PartnerClass_PARTNER_CLASS_PRINT_MAIL, adminPurpose, law))
	_, err := fund.load(member(0), member(1))
	must(t, err)
	why := fund.why(adminPurpose, law)
	_, err = fund.send(why, printer, 0)
	want(t, err, codes.InvalidArgument, "INVALID_REQUEST")
	w.register.set(handle(1), core.Standing{Protected: true})
	_, err = fund.send(why, printer, 1, func(r *insurancev1.ShareContactRequest) { r.DocumentReference = "doc-9" })
	wantReason(t, err, "PROTECTED")
	for _, d := range []string{"doc-1", "doc-2"} {
		fund.sent(why, printer, 0, func(r *insurancev1.ShareContactRequest) { r.DocumentReference = d })
	}
	shares, _ := post.fetched(why, "")
	wantKinds(t, shares, kindNew, kindNew)
	for i, d := range []string{"doc-1", "doc-2"} {
		got := shares[i].GetContent().GetPrintMailItem()
		if got.GetDocumentReference() != d || got.GetPostalAddress().GetCity() != "Prøveby" || got.GetFullName() == "" {
			t.Errorf("%v", got)
		}
	}
}

// A share ends with its time and with its reads; the same answer again costs no read.
func TestShareLimits(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, partner := offers(w)
	_, err := fund.load(member(0), member(1))
	must(t, err)
	once := fund.sent(fund.offer(), agency, 0, func(r *insurancev1.ShareContactRequest) { r.MaxReads = 2 })
	timed := fund.sent(fund.offer(), agency, 1, func(r *insurancev1.ShareContactRequest) {
		r.ValidUntil = timestamppb.New(w.clock.Now().Add(time.Hour))
	})
	for range 3 {
		shares, _ := partner.fetched(partner.offer(), "")
		wantKinds(t, shares, kindNew, kindNew)
		if shares[0].GetReadsLeft() != 1 || shares[1].ReadsLeft != nil || shares[1].GetValidUntil() == nil {
			t.Errorf("%v", shares)
		}
	}
	_, err = partner.subject(partner.offer(), once)
	must(t, err)
	_, err = partner.subject(partner.offer(), once)
	wantReason(t, err, "SHARE_ENDED")
	_, err = partner.subject(partner.offer(), timed)
	must(t, err)
	w.later(time.Hour)
	_, err = partner.subject(partner.offer(), timed)
	wantReason(t, err, "SHARE_ENDED")
	_, err = fund.send(fund.offer(), agency, 1, func(r *insurancev1.ShareContactRequest) { r.ValidUntil = timestamppb.New(w.clock.Now()) })
	want(t, err, codes.InvalidArgument, "INVALID_REQUEST")
	stopped, err := w.parts.Service().Sweep(t.Context())
	if err != nil || stopped != 1 {
		t.Errorf("stopped %d, %v", stopped, err)
	}
	shares, _ := partner.fetched(partner.offer(), "")
	wantKinds(t, shares, kindNew, kindStop) // what was given before stays the same answer; the other has ended
}

// A partner whose agreement has ended gets the notices to stop, and no data.
func TestEndedAgreementStillStops(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, partner := offers(w)
	_, err := fund.load(member(0), member(1))
	must(t, err)
	fund.sent(fund.offer(), agency, 0)
	_, cursor := partner.fetched(partner.offer(), "")
	fund.sent(fund.offer(), agency, 1)
	w.later(15 * 24 * time.Hour)
	_, err = partner.fetch(partner.offer(), cursor)
	wantReason(t, err, "AGREEMENT_INACTIVE")
	if n, err := w.parts.Service().Sweep(t.Context()); err != nil || n != 2 {
		t.Errorf("stopped %d, %v", n, err)
	}
	shares, cursor := partner.fetched(partner.offer(), cursor)
	wantKinds(t, shares, kindStop)
	_, err = partner.fetch(partner.offer(), cursor)
	wantReason(t, err, "AGREEMENT_INACTIVE")
}

// Withdrawal stops what rests on the consent, and nothing else (paired test).
//
// covers: DFH-24 DFH-25 MIN-29
func TestWithdrawalStopsConsentOnly(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, partner := campaigns(w)
	must(t, fund.agree(printer, insurancev1.PartnerClass_PARTNER_CLASS_PRINT_MAIL, adminPurpose, law))
	why := fund.why(marketing, consented)
	fund.sent(why, campaign, 0)
	_, cursor := partner.fetched(partner.why(marketing, consented), "")
	for range 2 {
		_, err := fund.fund.WithdrawConsent(t.Context(), &insurancev1.WithdrawConsentRequest{
			Context: fund.rights(), Handle: handle(0), ConsentId: "c-1", Channel: insurancev1.ContactChannel_CONTACT_CHANNEL_LETTER,
		})
		must(t, err)
	}
	_, err := fund.send(why, campaign, 0)
	wantReason(t, err, "CONSENT_WITHDRAWN")
	shares, _ := partner.fetched(partner.why(marketing, consented), cursor)
	wantKinds(t, shares, kindStop)
	fund.sent(fund.why(adminPurpose, law), printer, 0, func(r *insurancev1.ShareContactRequest) { r.DocumentReference = "doc-1" })
	_, err = fund.fund.WithdrawConsent(t.Context(), &insurancev1.WithdrawConsentRequest{Context: fund.rights(), Handle: handle(0), ConsentId: "c-2", Channel: phoned})
	want(t, err, codes.NotFound, "SUBJECT_NOT_FOUND")
}

// Restriction stops everything; after its end nothing comes back by itself. P11: data from the agency's channels are never shared.
func TestRestrictionAndSource(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, partner := offers(w)
	chat := member(1)
	chat.SourceChannel = "AF_CHAT"
	_, err := fund.load(member(0), chat)
	must(t, err)
	_, err = fund.send(fund.offer(), agency, 1)
	wantReason(t, err, "SOURCE_FORBIDDEN")
	subject := fund.sent(fund.offer(), agency, 0)
	_, cursor := partner.fetched(partner.offer(), "")
	restrict := func(on bool) {
		t.Helper()
		_, err := fund.fund.SetRestriction(t.Context(), &insurancev1.SetRestrictionRequest{Context: fund.rights(), Handle: handle(0), Restricted: on})
		must(t, err)
	}
	restrict(true)
	_, err = partner.subject(partner.offer(), subject)
	wantReason(t, err, "RESTRICTED")
	shares, cursor := partner.fetched(partner.offer(), cursor)
	wantKinds(t, shares, kindStop)
	restrict(false)
	_, err = partner.subject(partner.offer(), subject)
	wantReason(t, err, "SHARE_ENDED")
	fund.sent(fund.offer(), agency, 0)
	shares, _ = partner.fetched(partner.offer(), cursor)
	wantKinds(t, shares, kindNew)
}

// A share rests on the basis on which it was made: another claim of the partner does not help.
func TestBasisOfTheShareCounts(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, partner := campaigns(w)
	subject := fund.sent(fund.why(marketing, consented), campaign, 0)
	_, err := partner.subject(partner.why(marketing, interest), subject)
	wantReason(t, err, "BASIS_INVALID")
	_, err = partner.fetch(partner.why(vocabularyv1.Purpose_PURPOSE_NEWSLETTER, consented), "")
	wantReason(t, err, "PURPOSE_NOT_AGREED")
}

// An advertising block in the register counts as an objection; one that comes later stops what goes on.
func TestAdvertisingBlock(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, partner := offers(w)
	blocked := member(0)
	blocked.AdvertisingBlock = true
	_, err := fund.load(blocked, member(1))
	must(t, err)
	_, err = fund.send(fund.offer(), agency, 0)
	wantReason(t, err, "OPTED_OUT")
	fund.sent(fund.offer(), agency, 1)
	_, cursor := partner.fetched(partner.offer(), "")
	later := member(1)
	later.AdvertisingBlock = true
	_, err = fund.load(later)
	must(t, err)
	shares, _ := partner.fetched(partner.offer(), cursor)
	wantKinds(t, shares, kindStop)
}

// Contact data go a year after the membership has ended; the record of who got what stays.
//
// covers: LED-17
func TestErasure(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, partner := offers(w)
	left := member(0)
	left.MembershipTo = dateOf(w.clock.Now().AddDate(-1, 0, -2))
	_, err := fund.load(left, member(1))
	must(t, err)
	fund.sent(fund.offer(), agency, 0)
	_, cursor := partner.fetched(partner.offer(), "")
	done, err := w.parts.Service().Tidy(t.Context(), core.Retention{Contact: 1, Items: 24 * time.Hour, Disclosures: 24 * time.Hour})
	if err != nil || done.Members != 1 {
		t.Fatalf("%+v %v", done, err)
	}
	shares, _ := partner.fetched(partner.offer(), cursor)
	wantKinds(t, shares, kindStop)
	list, err := fund.fund.ListDisclosures(t.Context(), &insurancev1.ListDisclosuresRequest{Context: fund.rights(), Handle: handle(0)})
	if err != nil || len(list.GetDisclosures()) != 2 {
		t.Errorf("%v %v", list, err)
	}
}

// on starts the service on a database.
func on(db *sqlkit.DB) edit { return func(o *suitetest.Options, _ *insurance.Config) { o.DB = db } }
