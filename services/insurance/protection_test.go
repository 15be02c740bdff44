package insurance_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/errs"
)

// shown is all that a caller sees of an error, but for the ids that differ from call to call.
func shown(t testing.TB, err error) string {
	t.Helper()
	p := status.Convert(err).Proto()
	types := make([]string, 0, len(p.GetDetails()))
	for _, d := range p.GetDetails() {
		types = append(types, d.GetTypeUrl())
	}
	_, all := reasons(err)
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(interface{ GetMetadata() map[string]string }); ok {
			types = append(types, info.GetMetadata()[errs.MetaActor], info.GetMetadata()[errs.MetaAction])
		}
	}
	p.Details = nil
	return protojson.Format(p) + strings.Join(types, " ") + all
}

// I05: a protected person is to a partner as somebody who was never there, also when the partner asks for too much; the record knows
// better.
//
// covers: SEK-25
func TestProtectedPersonsLookUnknown(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, partner := offers(w)
	_, err := fund.load(member(0), member(1), member(2))
	must(t, err)
	hidden := fund.sent(fund.offer(), agency, 0)
	unreachable := fund.sent(fund.offer(), agency, 1)
	w.register.set(handle(0), core.Standing{Protected: true})
	w.register.set(handle(1), core.Standing{Protected: true, Unreachable: true})
	nobody := hidden[:len(hidden)-4] + "AAAA"
	must(t, fund.optOut(0)) // says nothing more
	for _, fields := range [][]insurancev1.SharedField{nil, {insurancev1.SharedField_SHARED_FIELD_EMAIL}, {insurancev1.SharedField_SHARED_FIELD_POSTAL_ADDRESS}} {
		for _, why := range []*commonv1.RequestContext{partner.offer(), partner.why(offerPurpose, consented)} {
			before := w.register.count()
			_, absent := partner.subject(why, nobody, fields...)
			if w.register.count()-before != 1 {
				t.Errorf("the register was asked %d times for nobody", w.register.count()-before)
			}
			for name, subject := range map[string]string{"protected": hidden, "register away": unreachable} {
				before := w.register.count()
				_, err := partner.subject(why, subject, fields...)
				if shown(t, err) != shown(t, absent) {
					t.Errorf("%s %v:\n%s\nnobody:\n%s", name, fields, shown(t, err), shown(t, absent))
				}
				if w.register.count()-before != 1 {
					t.Errorf("%s: the register was asked %d times, for nobody once", name, w.register.count()-before)
				}
			}
		}
	}
	_, err = partner.subject(partner.offer(), hidden)
	want(t, err, codes.NotFound, "SUBJECT_NOT_FOUND")
	last := w.AllRecords()[len(w.AllRecords())-1]
	if !slices.Contains(last.GetReasons(), commonv1.Reason_REASON_PROTECTED) || last.GetDecision() != auditv1.Decision_DECISION_DENY ||
		last.GetSubjectClass() != auditv1.SubjectClass_SUBJECT_CLASS_HIGH {
		t.Errorf("record: %v", last)
	}
}

// An answer about somebody protected takes as long as one about nobody. Turns are taken, so that whatever else the machine does hits both;
// a noisy go is tried again.
func TestProtectedPersonsTakeAsLong(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, partner := offers(w)
	_, err := fund.load(member(0))
	must(t, err)
	hidden := fund.sent(fund.offer(), agency, 0)
	w.register.set(handle(0), core.Standing{Protected: true})
	nobody := hidden[:len(hidden)-4] + "AAAA"
	ask := func(subject string) time.Duration {
		began := w.clock.Now()
		_, err := partner.subject(partner.offer(), subject)
		took := w.clock.Now().Sub(began)
		want(t, err, codes.NotFound, "SUBJECT_NOT_FOUND")
		return took
	}
	const rounds, tries = 60, 6
	ratio := 0.0
	for range tries {
		var a, b []time.Duration
		for range rounds {
			a, b = append(a, ask(hidden)), append(b, ask(nobody))
		}
		slices.Sort(a)
		slices.Sort(b)
		if ratio = float64(a[rounds/2]) / float64(b[rounds/2]); ratio > 0.75 && ratio < 1.33 {
			return
		}
	}
	t.Errorf("an answer about somebody protected takes %.2f times as long as one about nobody", ratio)
}

// A protection that comes later: nothing more is given, the partner is told to stop, without a reason. A register that is away holds the
// item back and stops nothing.
func TestProtectionSetLater(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, partner := offers(w)
	_, err := fund.load(member(0), member(1), member(2))
	must(t, err)
	known := fund.sent(fund.offer(), agency, 0)
	_, cursor := partner.fetched(partner.offer(), "")
	w.register.set(handle(0), core.Standing{Protected: true})
	w.register.set(handle(1), core.Standing{})
	fund.sent(fund.offer(), agency, 1)
	fund.sent(fund.offer(), agency, 2)
	w.register.set(handle(1), core.Standing{Protected: true, Unreachable: true})
	w.register.set(handle(2), core.Standing{Protected: true}) // never delivered: no notice either
	if n, err := w.parts.Service().Sweep(t.Context()); err != nil || n != 2 {
		t.Fatalf("stopped %d, %v", n, err)
	}
	shares, cursor := partner.fetched(partner.offer(), cursor)
	wantKinds(t, shares) // the register is away for the first of them
	w.register.set(handle(1), core.Standing{})
	shares, _ = partner.fetched(partner.offer(), cursor)
	wantKinds(t, shares, kindNew, kindStop)
	if shares[1].GetPartnerSubjectId() != known || shares[1].GetContent() != nil || shares[1].GetValidUntil() != nil {
		t.Errorf("%v", shares[1])
	}
	_, err = fund.send(fund.offer(), agency, 2)
	wantReason(t, err, "PROTECTED") // the fund itself may know
}

// Without the sweep, the next fetch finds out by itself.
func TestFetchStopsWhomItFindsProtected(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, partner := offers(w)
	_, err := fund.load(member(0))
	must(t, err)
	fund.sent(fund.offer(), agency, 0)
	_, _ = partner.fetched(partner.offer(), "")
	w.register.set(handle(0), core.Standing{Protected: true})
	shares, cursor := partner.fetched(partner.offer(), "")
	wantKinds(t, shares)
	record := w.AllRecords()[len(w.AllRecords())-1]
	if record.GetDecision() != auditv1.Decision_DECISION_DENY || !slices.Contains(record.GetReasons(), commonv1.Reason_REASON_PROTECTED) {
		t.Errorf("record: %v", record)
	}
	shares, _ = partner.fetched(partner.offer(), cursor)
	wantKinds(t, shares, kindStop)
}

// Each class has a message of its own with the fields that domain rule B.8 gives it, and no other.
//
// covers: DFH-29 LED-15
func TestEachClassHasExactlyItsFields(t *testing.T) {
	t.Parallel()
	names := map[core.Fields]string{
		core.PartnerSubjectID: "partner_subject_id", core.FullName: "full_name", core.PhoneNumber: "phone_number", core.Email: "email",
		core.Address: "postal_address", core.MembershipFrom: "membership_from", core.MembershipTo: "membership_to", core.CoverCode: "cover_code",
		core.DocumentReference: "document_reference",
	}
	oneof := (&insurancev1.SharedSubject{}).ProtoReflect().Descriptor().Oneofs().ByName("content")
	for class, field := range map[core.Class]string{
		core.InsuranceAgency: "agency_contact", core.IncomeInsurer: "income_insurance_member", core.MemberInsurer: "insurance_member",
		core.PrintMail: "print_mail_item", core.Processor: "agreed_contact",
	} {
		var want, got []string
		for f, name := range names {
			if core.RuleOf(class).Fields.Has(f) {
				want = append(want, name)
			}
		}
		fields := oneof.Fields().ByName(protoName(field)).Message().Fields()
		for i := range fields.Len() {
			got = append(got, string(fields.Get(i).Name()))
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: the message has %v, the rule %v", class, got, want)
		}
	}
	for n, name := range insurancev1.SharedField_name {
		if n > 0 && "SHARED_FIELD_"+upper(names[core.Fields(1)<<n]) != name {
			t.Errorf("bit %d is %s in the rules and %s in the schema", n, names[core.Fields(1)<<n], name)
		}
	}
	if len(vocabularyv1.Purpose_name) == 0 {
		t.Fatal("no purposes")
	}
	for _, p := range core.Purposes() {
		if _, ok := vocabularyv1.Purpose_value["PURPOSE_"+string(p)]; !ok {
			t.Errorf("%s is no purpose of the exchange", p)
		}
	}
}
