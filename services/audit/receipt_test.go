package audit_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/receipt"
	"samvirke.dev/services/audit/internal/record"
)

// Both parties get a receipt that holds by the public key alone, each with the parts that are theirs to see; others get nothing.
//
// covers: SEC-04 DFH-43
func TestReceipt(t *testing.T) {
	t.Parallel()
	w := start(t)
	own := recordOf()
	foreign := recordOf(func(r *auditv1.Record) { r.ControllerId = agency }) // the fund asks about the agency's data
	w.kept(own, foreign)
	for name, tc := range map[string]struct {
		org, controller string
		record          *auditv1.Record
		want            string // reason, or ""
		shown           [proofs.Parts]bool
	}{
		"caller of its own":            {fund, fund, own, "", [proofs.Parts]bool{true, true, false, true}},
		"caller of another's":          {fund, fund, foreign, "", [proofs.Parts]bool{true, true, false, true}},
		"controller":                   {agency, agency, foreign, "", [proofs.Parts]bool{true, false, false, true}},
		"controller, another's record": {agency, agency, own, "RECORD_NOT_FOUND", [proofs.Parts]bool{}},
		"a stranger":                   {otherFund, otherFund, own, "RECORD_NOT_FOUND", [proofs.Parts]bool{}},
		"auditor of the controller":    {auditor, fund, own, "", [proofs.Parts]bool{true, true, false, false}},
		"auditor of another":           {auditor, fund, foreign, "RECORD_NOT_FOUND", [proofs.Parts]bool{}},
		"without agreement":            {nobody, fund, own, "ORGANISATION_UNKNOWN", [proofs.Parts]bool{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := w.receipt(tc.org, tc.controller, tc.record.GetEventId())
			if tc.want != "" {
				if reasonOf(err) != tc.want {
					t.Errorf("error is %v, want %s", err, tc.want)
				}
				return
			}
			must(t, err)
			proof := receipt.Of(got)
			_, err = proof.Verify(w.parts.Ledger.Keys())
			must(t, err)
			want := proto.CloneOf(tc.record)
			for i, shown := range tc.shown {
				if proof.Parts[i].Withheld() == shown {
					t.Errorf("part %d withheld: %v", i+1, !shown)
				}
			}
			if !tc.shown[proofs.Staff] {
				want.Actor.Employee = ""
			}
			want.SubjectRef, want.SubjectClass = "", auditv1.SubjectClass_SUBJECT_CLASS_UNSPECIFIED
			if !tc.shown[proofs.Bodies] {
				want.RequestDigest, want.ResponseDigest, want.DigestKey = nil, nil, nil
			}
			seen, err := record.Join(&proof.Parts)
			must(t, err)
			if !proto.Equal(seen, want) {
				t.Errorf("record is\n%v\nwant\n%v", seen, want)
			}
			for i := range proof.Parts {
				if len(proof.Parts[i].Content) == 0 {
					continue
				}
				bad := proof
				bad.Parts[i].Content = bytes.Clone(bad.Parts[i].Content)
				bad.Parts[i].Content[0] ^= 1
				if _, err := bad.Verify(w.parts.Ledger.Keys()); err == nil {
					t.Errorf("a flipped bit in part %d goes unseen", i+1)
				}
			}
		})
	}
}
