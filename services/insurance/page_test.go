package insurance_test

import (
	"testing"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	"samvirke.dev/services/insurance/internal/core"
)

// Items about one share on one page count one after the other: each reads it once, and what ends it ends it once.
func TestItemsOfOneShare(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, partner := offers(w)
	_, err := fund.load(member(0), member(1), member(2))
	must(t, err)
	twice := func(r *insurancev1.ShareContactRequest) { r.MaxReads = 2 }
	once := func(r *insurancev1.ShareContactRequest) { r.MaxReads = 1 }
	for range 2 { // an item each, since nothing has been fetched
		fund.sent(fund.offer(), agency, 0, twice)
		fund.sent(fund.offer(), agency, 1, once)
		fund.sent(fund.offer(), agency, 2)
	}
	for range 2 {
		shares, _ := partner.fetched(partner.offer(), "")
		wantKinds(t, shares, kindNew, kindNew, kindNew, kindNew, kindNew) // the second of member 1 is one read too many
		for _, s := range shares {
			if s.ReadsLeft != nil && s.GetReadsLeft() < 0 {
				t.Errorf("%v", s)
			}
		}
	}
	_, cursor := partner.fetched(partner.offer(), "")
	must(t, fund.optOut(2))
	shares, _ := partner.fetched(partner.offer(), cursor)
	wantKinds(t, shares, kindStop)
}

// What ends while items of it wait stops once, however many wait.
func TestOneNoticeForOneShare(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, partner := offers(w)
	_, err := fund.load(member(0))
	must(t, err)
	fund.sent(fund.offer(), agency, 0)
	_, cursor := partner.fetched(partner.offer(), "")
	for range 3 {
		fund.sent(fund.offer(), agency, 0)
	}
	w.register.set(handle(0), core.Standing{Protected: true})
	none, cursor := partner.fetched(partner.offer(), cursor)
	wantKinds(t, none)
	shares, _ := partner.fetched(partner.offer(), cursor)
	wantKinds(t, shares, kindStop)
}

// A page that was given before, and an empty one, change nothing: they are answered without a transaction, and recorded like all others.
func TestPageGivenBefore(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, partner := offers(w)
	_, err := fund.load(member(0), member(1))
	must(t, err)
	fund.sent(fund.offer(), agency, 0)
	fund.sent(fund.offer(), agency, 1)
	first, cursor := partner.fetched(partner.offer(), "")
	_, _ = partner.fetched(partner.offer(), cursor) // confirms
	count := func() (records, disclosed int) {
		for _, r := range w.AllRecords() {
			if r.GetRpc() == "samvirke.insurance.v1.ShareService/FetchShares" {
				records++
				if r.GetSubjectRef() != "" && r.GetDecision() == auditv1.Decision_DECISION_ALLOW && len(r.GetFields()) > 0 {
					disclosed++
				}
			}
		}
		return records, disclosed
	}
	records, disclosed := count()
	again, _ := partner.fetched(partner.offer(), "")
	if len(again) != len(first) {
		t.Fatalf("%v", again)
	}
	if r, d := count(); r != records+2 || d != disclosed+2 {
		t.Errorf("%d records and %d disclosures more, want 2 and 2", r-records, d-disclosed)
	}
	_, _ = partner.fetched(partner.offer(), cursor)
	if r, d := count(); r != records+3 || d != disclosed+2 {
		t.Errorf("%d records and %d disclosures more, want 3 and 2", r-records, d-disclosed)
	}
	list, err := fund.fund.ListDisclosures(t.Context(), &insurancev1.ListDisclosuresRequest{Context: fund.rights(), Handle: handle(0)})
	if err != nil || len(list.GetDisclosures()) != 1 {
		t.Errorf("%v %v", list, err)
	}
	must(t, fund.optOut(0)) // counts for the next call, also of a page that was given before
	again, _ = partner.fetched(partner.offer(), "")
	wantKinds(t, again, kindNew, kindStop)
}
