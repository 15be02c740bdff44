package income_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"samvirke.dev/certs/certtest"
	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/authz"
	"samvirke.dev/services/platform/suitetest"
)

// requests are one right request for each RPC. decisions are of the right fund, in states that allow each.
func requests(c *client, run string, decisions map[string]string) map[string]proto.Message {
	month, handle := "2026-03", handleOf(1)
	return map[string]proto.Message{
		"EnrolMembers": &incomev1.EnrolMembersRequest{Items: []*incomev1.Enrolment{{Handle: handle, NationalId: &commonv1.NationalId{
			Country: vocabularyv1.Country_COUNTRY_DK, Value: "7403851013",
		}}}},
		"UploadMonths":         &incomev1.UploadMonthsRequest{Month: month, Items: []*incomev1.MemberMonth{card(1, 4000, 5, 15)}},
		"UploadRegisterMonths": &incomev1.UploadRegisterMonthsRequest{Month: month, Items: []*incomev1.RegisterMonth{registered(1, 5250)}},
		"MatchMonth":           &incomev1.MatchMonthRequest{Month: month, Handle: handle, MemberMonth: card(1, 4000, 5, 15)},
		"StartMatchingRun":     &incomev1.StartMatchingRunRequest{Month: month},
		"CancelMatchingRun":    &incomev1.CancelMatchingRunRequest{RunId: run},
		"GetMatchingRun":       &incomev1.GetMatchingRunRequest{RunId: run},
		"WatchMatchingRun":     &incomev1.WatchMatchingRunRequest{RunId: run},
		"ListDecisions":        &incomev1.ListDecisionsRequest{State: incomev1.DecisionState_DECISION_STATE_NOTICED},
		"RecordPosting":        &incomev1.RecordPostingRequest{DecisionId: decisions["RecordPosting"], PostedOn: date("2026-04-11")},
		"GetDecision":          &incomev1.GetDecisionRequest{DecisionId: decisions["GetDecision"], Explain: true},
		"SubmitRemark":         &incomev1.SubmitRemarkRequest{DecisionId: decisions["SubmitRemark"], Remark: "no"},
		"RequestManualReview":  &incomev1.RequestManualReviewRequest{DecisionId: decisions["RequestManualReview"]},
		"FileComplaint":        &incomev1.FileComplaintRequest{DecisionId: decisions["FileComplaint"], Complaint: "no"},
		"DecideHuman": &incomev1.DecideHumanRequest{
			DecisionId: decisions["DecideHuman"], Verdict: incomev1.HumanVerdict_HUMAN_VERDICT_WITHDRAW, Grounds: "for a reason",
		},
		"AssessWaitingDay": &incomev1.AssessWaitingDayRequest{Handle: handle, Months: benefitMonths("2025-11", 4)},
		"RecordConsumption": &incomev1.RecordConsumptionRequest{
			Handle: handle, Source: incomev1.ConsumptionSource_CONSUMPTION_SOURCE_OWN, Months: []*incomev1.ConsumptionMonth{{Month: month, Hours: 16_033}},
		},
		"AssessShortening":      &incomev1.AssessShorteningRequest{Handle: handle, Month: month, Status: incomev1.InsuranceStatus_INSURANCE_STATUS_FULL_TIME},
		"AssessIncomeCondition": &incomev1.AssessIncomeConditionRequest{Handle: handle, Month: month, Incomes: make([]int64, 12)},
	}
}

// withContext puts the context of a client into a request.
func withContext(c *client, m proto.Message) proto.Message {
	field := m.ProtoReflect().Descriptor().Fields().ByName("context")
	m.ProtoReflect().Set(field, protoreflect.ValueOfMessage(c.why().ProtoReflect()))
	return m
}

// Every RPC as every kind of caller. The golden file is the table that can be shown to a customer.
//
// covers: SEC-01 SEC-02 SEC-05
func TestPermissions(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.cfg.SE.IncomeCondition = true })
	c := w.as(fund, "emp-7")
	decisions := map[string]string{}
	for i, rpc := range []string{"RecordPosting", "GetDecision", "SubmitRemark", "RequestManualReview", "FileComplaint", "DecideHuman"} {
		c.deliver("2026-03", registered(10+i, 5250))
		decisions[rpc] = c.match("2026-03", card(10+i, 4000, 5, 15)).GetDecisionId()
	}
	_, err := c.rpc.SubmitRemark(t.Context(), &incomev1.SubmitRemarkRequest{Context: c.why(), DecisionId: decisions["DecideHuman"], Remark: "no"})
	must(t, err)
	run := c.run("2026-03").GetRunId()
	organisations := map[string]string{"fund": fund, "agency, agreement on another service": agency, "organisation without agreement": nobody}
	id := w.workloadOf(fund)
	revoked := w.CA.Issue(id)
	w.CA.Revoke(revoked.Leaf)
	var callers []suitetest.Caller
	for _, name := range []string{"fund", "agency, agreement on another service", "organisation without agreement"} {
		callers = append(callers, suitetest.Caller{Name: name, TLS: w.ClientTLS(w.workloadOf(organisations[name]))})
	}
	callers = append(callers, suitetest.Caller{Name: "one of our own services", TLS: w.ClientTLS(w.CA.Service("transfer"))})
	for _, bad := range []struct {
		name string
		cert *tls.Certificate
	}{
		{"fund, certificate expired", w.CA.Issue(id, certtest.Expired())},
		{"fund, certificate revoked", revoked},
		{"fund, certificate of a foreign authority", certtest.New(t, suitetest.TrustDomain).Issue(id)},
		{"nobody: no certificate", nil},
	} {
		callers = append(callers, suitetest.Caller{Name: bad.name, TLS: w.Stranger(bad.cert)})
	}
	suitetest.Matrix{
		Addr: w.Addr, Methods: w.Methods, Callers: callers, Golden: "testdata/permissions.golden", Update: *update,
		Request: func(method *authz.Method, caller string) proto.Message {
			as := *c
			if org := organisations[caller]; org != "" {
				as.org = org
			}
			_, rpc, _ := strings.Cut(method.Name, "/")
			request := requests(&as, run, decisions)[rpc]
			if request == nil {
				return nil
			}
			return withContext(&as, request)
		},
	}.Check(t)
}

// benefitMonths is a benefit period of full-time months with benefit and no work.
func benefitMonths(from string, n int) []*incomev1.BenefitMonth {
	var out []*incomev1.BenefitMonth
	for i := range n {
		d := date(from + "-01")
		m := int(d.GetYear())*12 + int(d.GetMonth()) - 1 + i
		out = append(out, &incomev1.BenefitMonth{
			Month: monthText(m/12, m%12+1), Status: incomev1.InsuranceStatus_INSURANCE_STATUS_FULL_TIME, MonthlyRate: 2_035_900,
			RegisterComplete: true, Benefit: true,
		})
	}
	return out
}
