package transfer_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
)

// applicant is somebody with nothing against them.
func applicant(c *client, reference string) *transferv1.AssessAdmissionRequest {
	now := c.w.clk.Now()
	yes, no := transferv1.Answer_ANSWER_YES, transferv1.Answer_ANSWER_NO
	return &transferv1.AssessAdmissionRequest{
		Context: whyMember(c.fund), Handle: handleOf(c.fund, dane), MembershipReference: reference, BirthDate: date(now.AddDate(-30, 0, 0)),
		ReceivedOn: date(now), Resident: yes, Staying: yes, GreenlandOrFaroe: no, OtherFund: no, Education: no, TradeArea: yes, SpecialsAnswered: true,
	}
}

// Admission over the wire: admitted automatically, or left to an employee with every reason; incomplete lists what is missing. Each
// decision says how it came about.
//
// covers: DFH-04 DFH-34 DFH-41 MIN-15
func TestAdmission(t *testing.T) {
	t.Parallel()
	w := start(t, nil, []string{nord})
	c := w.as(nord)
	for reference, row := range map[string]struct {
		edit  func(*transferv1.AssessAdmissionRequest)
		want  transferv1.AdmissionOutcome
		codes string
	}{
		"fine":     {func(*transferv1.AssessAdmissionRequest) {}, transferv1.AdmissionOutcome_ADMISSION_OUTCOME_ADMIT, ""},
		"missing":  {func(r *transferv1.AssessAdmissionRequest) { r.Staying = 0 }, transferv1.AdmissionOutcome_ADMISSION_OUTCOME_INCOMPLETE, "STAY"},
		"moves":    {func(r *transferv1.AssessAdmissionRequest) { r.OtherFund = 1 }, transferv1.AdmissionOutcome_ADMISSION_OUTCOME_IS_TRANSFER, ""},
		"abroad":   {func(r *transferv1.AssessAdmissionRequest) { r.Resident = 2 }, transferv1.AdmissionOutcome_ADMISSION_OUTCOME_MANUAL, "LIKELY_REJECT,RESIDENCE"},
		"remarks":  {func(r *transferv1.AssessAdmissionRequest) { r.Remarks = true }, transferv1.AdmissionOutcome_ADMISSION_OUTCOME_MANUAL, "MEMBER_REMARKS"},
		"in spain": {func(r *transferv1.AssessAdmissionRequest) { r.Specials = []transferv1.SpecialCircumstance{1} }, transferv1.AdmissionOutcome_ADMISSION_OUTCOME_MANUAL, "EEA_WORK"},
	} {
		in := applicant(c, strings.ReplaceAll(reference, " ", "-"))
		row.edit(in)
		out, err := c.members.AssessAdmission(t.Context(), in)
		must(t, err)
		d := out.GetDecision()
		if out.GetOutcome() != row.want || strings.Join(d.GetReasonCodes(), ",") != row.codes || len(d.GetChecks()) != 4 || d.GetRuleVersion() == "" {
			t.Errorf("%s: %v", reference, out)
		}
		if admitted := row.want == transferv1.AdmissionOutcome_ADMISSION_OUTCOME_ADMIT; admitted != (out.GetStanding() != nil) {
			t.Errorf("%s: standing %v", reference, out.GetStanding())
		}
	}
	w.reg.set(func(r *register) { r.protected[handleOf(nord, dane)] = true })
	out, err := c.members.AssessAdmission(t.Context(), applicant(c, "protected"))
	must(t, err)
	if out.GetOutcome() != transferv1.AdmissionOutcome_ADMISSION_OUTCOME_MANUAL || out.GetDecision().GetReasonCodes()[0] != "PROTECTED" {
		t.Errorf("a protected person: %v", out)
	}
}

// Deletion over the wire: reminder with proof and text, hearing, decision, reinstatement by payment, and by a complaint.
//
// covers: DFH-40
func TestDeletion(t *testing.T) {
	t.Parallel()
	w := start(t, nil, []string{nord})
	c := w.as(nord)
	ctx := t.Context()
	owe := func(amount int64) *transferv1.MemberStanding {
		t.Helper()
		out, err := c.members.RecordDues(ctx, &transferv1.RecordDuesRequest{
			Context: whyMember(nord), MembershipReference: "m-1", Handle: handleOf(nord, dane), MemberSince: date(w.clk.Now().AddDate(-5, 0, 0)),
			Statutory: amount, PaidThrough: date(w.clk.Now().AddDate(0, -1, 0)), MonthEnded: true,
		})
		must(t, err)
		return out.GetStanding()
	}
	remind := func(proof string, text bool) (*transferv1.RecordReminderResponse, error) {
		return c.members.RecordReminder(ctx, &transferv1.RecordReminderRequest{
			Context: whyMember(nord), MembershipReference: "m-1", SentOn: date(w.clk.Now()), ProofId: proof, StatesConsequence: text,
		})
	}
	for _, id := range []string{"7403851013", "p-740385-1013"} { // a fund's own ids are kept as they are, so they may not be a person's number
		_, err := remind(id, true)
		refused(t, err, codes.InvalidArgument, "INVALID_REQUEST", "")
		_, err = c.members.RecordDues(ctx, &transferv1.RecordDuesRequest{Context: whyMember(nord), MembershipReference: id, Handle: handleOf(nord, dane), MemberSince: date(w.clk.Now()), PaidThrough: date(w.clk.Now())})
		refused(t, err, codes.InvalidArgument, "INVALID_REQUEST", "")
	}
	assess := func(decide bool) (*transferv1.AssessDeletionResponse, error) {
		in := &transferv1.AssessDeletionRequest{
			Context: whyMember(nord), MembershipReference: "m-1", DataComplete: true, NoEnquiry: true, NoDiscretion: true, Decide: decide,
		}
		if !decide {
			in.Context.ActorId = ""
		}
		return c.members.AssessDeletion(ctx, in)
	}
	pay := func() *transferv1.RecordPaymentResponse {
		t.Helper()
		out, err := c.members.RecordPayment(ctx, &transferv1.RecordPaymentRequest{
			Context: whyMember(nord), MembershipReference: "m-1", PaidOn: date(w.clk.Now()), PaidThrough: date(w.clk.Now().AddDate(0, 1, 0)),
		})
		must(t, err)
		return out
	}
	if got := owe(50_000); got.GetState() != transferv1.DuesState_DUES_STATE_OVERDUE {
		t.Fatalf("%v", got)
	}
	_, err := assess(true)
	refused(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION", "REMINDER_PROOF_MISSING")
	_, err = remind("", true)
	refused(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION", "REMINDER_PROOF_MISSING")
	_, err = remind("proof-1", false)
	refused(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION", "REMINDER_TEXT_MISSING")
	_, err = remind("proof-1", true)
	must(t, err)
	w.later(21)
	_, err = assess(true)
	refused(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION", "DUES_STATE")
	w.later(1)
	_, err = assess(false)
	refused(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION", "HEARING_OPEN")
	_, err = c.members.OpenHearing(ctx, &transferv1.OpenHearingRequest{Context: whyMember(nord), MembershipReference: "m-1", EndsOn: date(w.clk.Now().AddDate(0, 0, 7))})
	must(t, err)
	w.later(7)
	_, err = assess(true)
	refused(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION", "HEARING_OPEN")
	w.later(1)
	out, err := assess(false)
	must(t, err)
	if out.GetStanding().GetState() != transferv1.DuesState_DUES_STATE_DELETED || out.GetDecision().GetAutomation() != transferv1.Automation_AUTOMATION_AUTO {
		t.Fatalf("%v", out)
	}
	w.later(28)
	if got := pay(); !got.GetReinstated() || got.GetStanding().GetState() != transferv1.DuesState_DUES_STATE_PAID {
		t.Errorf("paid on the last day: %v", got)
	}
	// The member has remarks, so an employee decides, and upholds a complaint later.
	owe(50_000)
	_, err = remind("proof-2", true)
	must(t, err)
	_, err = c.members.OpenHearing(ctx, &transferv1.OpenHearingRequest{Context: whyMember(nord), MembershipReference: "m-1", EndsOn: date(w.clk.Now())})
	must(t, err)
	_, err = c.members.RecordRemarks(ctx, &transferv1.RecordRemarksRequest{Context: whyMember(nord), MembershipReference: "m-1"})
	must(t, err)
	w.later(22)
	w.reg.set(func(r *register) { r.protected[handleOf(nord, dane)] = true }) // asked afresh for each decision
	out, err = assess(false)
	must(t, err)
	if codes := out.GetDecision().GetReasonCodes(); strings.Join(codes, ",") != "MEMBER_REMARKS,PROTECTED" {
		t.Errorf("a protected person: %v", codes)
	}
	w.reg.set(func(r *register) { r.protected[handleOf(nord, dane)] = false })
	out, err = assess(false)
	must(t, err)
	if out.GetStanding().GetState() != transferv1.DuesState_DUES_STATE_DELETABLE || out.GetDecision().GetReasonCodes()[0] != "MEMBER_REMARKS" {
		t.Fatalf("a system decided over remarks: %v", out)
	}
	out, err = assess(true)
	must(t, err)
	if out.GetStanding().GetState() != transferv1.DuesState_DUES_STATE_DELETED || out.GetDecision().GetDecidedBy() != "emp-7" {
		t.Fatalf("%v", out)
	}
	w.later(29)
	if got := pay(); got.GetReinstated() {
		t.Error("a day too late")
	}
	complaint := &transferv1.UpholdComplaintRequest{Context: whyMember(nord), MembershipReference: "m-1"}
	_, err = c.members.UpholdComplaint(ctx, complaint)
	refused(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION", "OTHER_PERSON_NEEDED")
	complaint.Context.ActorId = "emp-8"
	_, err = c.members.UpholdComplaint(ctx, complaint)
	must(t, err)
	got, err := c.members.GetMembership(ctx, &transferv1.GetMembershipRequest{Context: whyMember(nord), MembershipReference: "m-1"})
	must(t, err)
	if got.GetStanding().GetState() != transferv1.DuesState_DUES_STATE_PAID || len(got.GetDecisions()) != 5 {
		t.Errorf("%v", got)
	}
	_, err = c.members.GetMembership(ctx, &transferv1.GetMembershipRequest{Context: whyMember(nord), MembershipReference: "nobody"})
	refused(t, err, codes.NotFound, "CASE_NOT_FOUND", "")
}
