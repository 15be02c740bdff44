package story

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
)

// check compares a record with what the step asked for. Every refusal leaves one as well as every answer (SEC-07).
func check(s step, r *auditv1.Record) error {
	var bad []error
	want := func(what string, got, want any) {
		if got != want {
			bad = append(bad, fmt.Errorf("record: %s is %v, want %v", what, got, want))
		}
	}
	decision := auditv1.Decision_DECISION_ALLOW
	if s.refused != commonv1.Reason_REASON_UNSPECIFIED {
		if !s.granted {
			decision = auditv1.Decision_DECISION_DENY
		}
		if !slices.Contains(r.GetReasons(), s.refused) {
			bad = append(bad, fmt.Errorf("record: reasons %v lack %s", r.GetReasons(), s.refused))
		}
		want("number of fields disclosed", len(r.GetFields()), 0)
	} else {
		want("number of fields disclosed is zero", len(r.GetFields()) == 0, s.plain)
		want("subject is empty", r.GetSubjectRef() == "", s.nobody)
		want("agreement is missing", r.GetAgreement().GetId() == "", false)
	}
	want("decision", r.GetDecision(), decision)
	want("organisation", r.GetActor().GetOrganisation(), s.who.Org())
	want("controller", r.GetControllerId(), s.why.GetControllerId())
	want("RPC", strings.TrimPrefix(r.GetRpc(), "/"), s.rpc)
	want("purpose", r.GetPurpose(), s.why.GetPurpose())
	want("legal basis", r.GetLegalBasis(), s.why.GetLegalBasis())
	want("case", r.GetCaseReference(), s.why.GetCaseReference())
	want("trace id's length", len(r.GetTraceId()), 16)
	if s.record != nil {
		bad = append(bad, s.record(r))
	}
	bad = append(bad, silent(s.about, r))
	return errors.Join(bad...)
}

// silent looks for the person in the record: it holds names of fields and pseudonyms, never values (domain.md C.4).
func silent(p Person, r *auditv1.Record) error {
	text := r.String()
	for what, value := range map[string]string{"number": p.Number, "name": p.Name} {
		if value != "" && strings.Contains(text, value) {
			return fmt.Errorf("record holds the person's %s", what)
		}
	}
	return nil
}

// high is what a record about a protected person must say, and all that it may.
func high(r *auditv1.Record) error {
	if r.GetSubjectClass() != auditv1.SubjectClass_SUBJECT_CLASS_HIGH {
		return fmt.Errorf("record: subject class is %s, want HIGH", r.GetSubjectClass())
	}
	return nil
}

// discloses demands exactly these fields in the record.
func discloses(fields ...string) func(*auditv1.Record) error {
	return func(r *auditv1.Record) error {
		got := slices.Sorted(slices.Values(r.GetFields()))
		slices.Sort(fields)
		if !slices.Equal(got, fields) {
			return fmt.Errorf("record: fields disclosed are %v, want %v", got, fields)
		}
		return nil
	}
}

// lacks demands that a field is not among those disclosed.
func lacks(field string) func(*auditv1.Record) error {
	return func(r *auditv1.Record) error {
		for _, f := range r.GetFields() {
			if f == field || strings.HasPrefix(f, field+".") {
				return fmt.Errorf("record: field %s was disclosed", f)
			}
		}
		return nil
	}
}

func both(checks ...func(*auditv1.Record) error) func(*auditv1.Record) error {
	return func(r *auditv1.Record) error {
		bad := make([]error, 0, len(checks))
		for _, c := range checks {
			bad = append(bad, c(r))
		}
		return errors.Join(bad...)
	}
}
