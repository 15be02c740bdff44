package story

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"

	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/deploy/internal/stack"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/platform/errs"
)

// line prints one aspect of a step.
func (t *teller) line(what, format string, args ...any) {
	say.F(t.out, "    %-9s %s\n", what, fmt.Sprintf(format, args...))
}

func (t *teller) question(s step) {
	say.F(t.out, "\n%2d  %s\n", t.number, s.title)
	t.line("who", "%s (%s, system %s)", t.name(s.who), s.who.Org(), s.who.System)
	t.line("what", "%s", s.rpc[strings.LastIndexByte(s.rpc, '/')+1:])
	w := s.why
	basis := or(short(w.GetLegalBasis().String(), "LEGAL_BASIS_"), "none")
	t.line("why", "%s, basis %s, %s, case %s, for controller %s", short(w.GetPurpose().String(), "PURPOSE_"), basis,
		or(w.GetLegalReference(), "no legal reference"), w.GetCaseReference(), w.GetControllerId())
}

func (t *teller) name(c stack.Caller) string { return or(t.cast.Names[c.Org()], c.Org()) }

func (t *teller) answer(answer string, err error) {
	if err == nil {
		t.line("answer", "%s", answer)
		return
	}
	st, _ := status.FromError(err)
	t.line("refused", "%s %s: %s", st.Code(), errs.Name(errs.ReasonOf(err)), st.Message())
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			t.line("to do", "%s: %s", info.GetMetadata()[errs.MetaActor], info.GetMetadata()[errs.MetaAction])
			t.line("trace", "%s", info.GetMetadata()[errs.MetaTraceID])
		}
	}
}

func (t *teller) recorded(r *auditv1.Record) {
	decision := short(r.GetDecision().String(), "DECISION_")
	reasons := make([]string, 0, len(r.GetReasons()))
	for _, reason := range r.GetReasons() {
		reasons = append(reasons, errs.Name(reason))
	}
	if len(reasons) > 0 {
		decision += " " + strings.Join(reasons, ", ")
	}
	t.line("audit", "%s  %s", r.GetEventId(), decision)
	t.line("", "fields: %s", or(strings.Join(r.GetFields(), ", "), "none"))
	t.line("", "subject %s (%s), agreement %s", or(brief(r.GetSubjectRef()), "-"),
		or(short(r.GetSubjectClass().String(), "SUBJECT_CLASS_"), "not looked up"), agreement(r))
	t.line("", "trace %s, span %s", hex.EncodeToString(r.GetTraceId()), hex.EncodeToString(r.GetSpanId()))
}

func agreement(r *auditv1.Record) string {
	if r.GetAgreement().GetId() == "" {
		return "none"
	}
	return fmt.Sprintf("%s version %d", r.GetAgreement().GetId(), r.GetAgreement().GetVersion())
}

// brief keeps a pseudonym from filling the line.
func brief(s string) string {
	const enough = 20
	if len(s) > enough {
		return s[:enough] + "..."
	}
	return s
}

func short(s, prefix string) string {
	s = strings.TrimPrefix(s, prefix)
	if s == "UNSPECIFIED" {
		return ""
	}
	return s
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

var errAnswered = errors.New("the stranger was not refused")
