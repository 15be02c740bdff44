package identity_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/identity"
	"samvirke.dev/services/platform/suitetest"
)

// A batch answers as the single calls do, in the order of its questions, and every person leaves a record that names what was told of that
// person and of nobody else.
//
// covers: B.10 SEC-07
func TestBatchesAnswerAsSingleCallsDo(t *testing.T) {
	t.Parallel()
	w := start(t)
	open, hidden := line(0), line(1, "SE_PROTECTED_REGISTRATION")
	w.load(open, hidden)
	c := w.as(fundSE)
	handles := []string{c.handle(hidden.Number), invalidHandle, c.handle(open.Number), c.handle(hidden.Number)}
	before := len(w.AllRecords())
	statuses, err := c.levels(handles...)
	must(t, err)
	letters, err := c.letters(handles...)
	must(t, err)
	records := w.AllRecords()[before:]
	for i, handle := range handles {
		level, err := c.rpc.GetProtectionStatus(t.Context(), &identityv1.GetProtectionStatusRequest{Context: c.why(level), Handle: handle})
		if !proto.Equal(statuses[i].GetStatus(), level) || (err != nil) != (statuses[i].GetReason().String() == "REASON_SUBJECT_NOT_FOUND") {
			t.Errorf("person %d: %v, but alone %v, %v", i, statuses[i], level, err)
		}
		address, err := c.address(handle)
		if !proto.Equal(letters[i].GetFound(), address) || (err != nil) != (letters[i].GetReason().String() == "REASON_SUBJECT_NOT_FOUND") {
			t.Errorf("person %d: %v, but alone %v, %v", i, letters[i], address, err)
		}
	}
	if len(records) != 8 {
		t.Fatalf("%d records of two batches of four", len(records))
	}
	for i, r := range records {
		who := i % 4
		told := who != 1
		if int(r.GetItem()) != who+1 || (r.GetSubjectRef() != "") != told || (r.GetDecision() == auditv1.Decision_DECISION_ALLOW) != told ||
			(len(r.GetFields()) > 0) != told || (r.GetSubjectClass() == auditv1.SubjectClass_SUBJECT_CLASS_HIGH) != (who == 0 || who == 3) {
			t.Errorf("record %d: %v", i, r)
		}
		if got := slices.ContainsFunc(r.GetFields(), func(f string) bool { return strings.Contains(f, "address.") }); got != (i == 4+2) {
			t.Errorf("record %d names the fields %v", i, r.GetFields())
		}
	}
}

// A mask narrows every result; what the agreement does not grant, and what no result has, is refused whole.
func TestMaskOfABatch(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *suitetest.Options, _ *identity.Config) {
		for name, text := range o.Agreements {
			o.Agreements[name] = strings.ReplaceAll(text, `{"fields":["results"],"purposes":[{"legal_bases":["LEGAL_BASIS_A6_1_C"],"purpose":"PURPOSE_ADDRESS_UPDATE"`,
				`{"fields":["results.found.protection"],"purposes":[{"legal_bases":["LEGAL_BASIS_A6_1_C"],"purpose":"PURPOSE_ADDRESS_UPDATE"`)
		}
	})
	l := line(0)
	w.load(l)
	c := w.as(fundDK)
	ask := func(paths ...string) ([]*identityv1.PostalAddressResult, error) {
		out, err := c.rpc.BatchGetPostalAddresses(t.Context(), &identityv1.BatchGetPostalAddressesRequest{
			Context: c.why(letters), Persons: people(c.handle(l.Number)), ReadMask: &fieldmaskpb.FieldMask{Paths: paths},
		})
		return out.GetResults(), err
	}
	got, err := ask("results.found.protection")
	if err != nil || !proto.Equal(got[0].GetFound(), &identityv1.GetPostalAddressResponse{Protection: none}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, paths := range [][]string{nil, {"results"}, {"results.found"}, {"results.found.address.city"}, {"results.found.protection", "results.found.address"}, {"address"}} {
		_, err := ask(paths...)
		want(t, err, codes.PermissionDenied, "FIELDS_EXCEED")
	}
}

func TestABatchIsBounded(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.as(fundDK)
	_, err := c.levels()
	want(t, err, codes.InvalidArgument, "INVALID_REQUEST")
	_, err = c.letters(slices.Repeat([]string{invalidHandle}, 101)...)
	want(t, err, codes.InvalidArgument, "INVALID_REQUEST")
	if got, err := c.levels(slices.Repeat([]string{invalidHandle}, 100)...); err != nil || len(got) != 100 {
		t.Errorf("%d, %v", len(got), err)
	}
}
