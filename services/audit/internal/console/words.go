package console

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/grpc/codes"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/platform/errs"
)

// plain turns the name of an enum value into words: PURPOSE_ADDRESS_UPDATE into "address update".
func plain(prefix, name string) string {
	s := strings.TrimPrefix(name, prefix)
	if s == "UNSPECIFIED" {
		return ""
	}
	return strings.ToLower(strings.ReplaceAll(s, "_", " "))
}

func purposeWords(p vocabularyv1.Purpose) string { return plain("PURPOSE_", p.String()) }

func operationWords(o vocabularyv1.Operation) string { return plain("OPERATION_", o.String()) }

func roleWords(r vocabularyv1.Role) string { return plain("ROLE_", r.String()) }

func sourceWords(s vocabularyv1.Source) string { return plain("SOURCE_", s.String()) }

// basisWords writes a legal basis as lawyers do: GDPR art. 6(1)(c).
func basisWords(b vocabularyv1.LegalBasis) string {
	parts := strings.Split(strings.TrimPrefix(b.String(), "LEGAL_BASIS_"), "_")
	if len(parts) < 3 || parts[0] != "A6" {
		return ""
	}
	out := fmt.Sprintf("GDPR art. 6(%s)(%s)", parts[1], strings.ToLower(parts[2]))
	if rest := strings.ToLower(strings.Join(parts[3:], " ")); rest != "" {
		out += ", " + rest
	}
	return out
}

func specialWords(b vocabularyv1.SpecialBasis) string {
	parts := strings.Split(strings.TrimPrefix(b.String(), "SPECIAL_BASIS_"), "_")
	if len(parts) < 3 || parts[0] != "A9" {
		return ""
	}
	return fmt.Sprintf("GDPR art. 9(%s)(%s)", parts[1], strings.ToLower(parts[2]))
}

// verdict is how a call ended, in one word and one sign: colour alone tells nothing to some.
type verdict struct {
	Sign  string `json:"sign"`
	Word  string `json:"word"`
	Class string `json:"class"`
}

func verdictOf(outcome store.Outcome) verdict {
	switch outcome {
	case store.Refused:
		return verdict{"⊘", "refused", "refused"}
	case store.Failed:
		return verdict{"✕", "failed", "failed"}
	default:
		return verdict{"✓", "allowed", "done"}
	}
}

// reason is why a call was refused or failed, with what must be done.
type reason struct{ Name, Public, Actor, Action string }

func reasonsOf(in []commonv1.Reason) []reason {
	out := make([]reason, 0, len(in))
	for _, r := range in {
		row := errs.Lookup(r)
		out = append(out, reason{errs.Name(r), row.Public, string(row.Actor), row.Action})
	}
	return out
}

func statusWords(code int32) string {
	return codes.Code(code).String() //nolint:gosec // codes are small and not negative; others print as numbers
}

// stamp writes a moment to the millisecond, in UTC.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05.000")
}

// short writes a duration with three digits at most.
func short(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + short(-d)
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// method splits an RPC's full name: samvirke.identity.v1.IdentityService/VerifyIdentity into the service and "VerifyIdentity".
func method(rpc string) string {
	if i := strings.LastIndexByte(rpc, '/'); i >= 0 {
		return visible(rpc[i+1:])
	}
	return visible(rpc)
}

// visible writes characters that can't be seen, or that would turn round what stands beside them, as their code: what a record holds must
// not change how the rest of the page reads.
func visible(s string) string {
	if !strings.ContainsFunc(s, unseen) {
		return s
	}
	var out strings.Builder
	for _, r := range s {
		if unseen(r) {
			fmt.Fprintf(&out, "\\u%04x", r)
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}

func unseen(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError
}

// option is one choice of a select box.
type option struct {
	Value, Label string
	Chosen       bool
}

func purposes(chosen vocabularyv1.Purpose) []option {
	out := []option{{Value: "", Label: "any"}}
	for n := int32(1); ; n++ {
		name, ok := vocabularyv1.Purpose_name[n]
		if !ok {
			return out
		}
		p := vocabularyv1.Purpose(n)
		out = append(out, option{Value: name, Label: purposeWords(p), Chosen: p == chosen})
	}
}

// decisions are the choices of the form; "none" is a call that ended before a decision.
func decisions(chosen string) []option {
	out := []option{{Value: "", Label: "any"}, {Value: "allow", Label: "allowed"}, {Value: "deny", Label: "refused"}, {Value: "none", Label: "none reached"}, {Value: "failed", Label: "failed"}}
	for i := range out {
		out[i].Chosen = out[i].Value == chosen
	}
	return out
}

// narrow puts a decision's choice into a query.
func narrow(q *store.Query, choice string) bool {
	switch choice {
	case "":
	case "allow":
		q.Decision = int32(auditv1.Decision_DECISION_ALLOW)
	case "deny":
		q.Decision = int32(auditv1.Decision_DECISION_DENY)
	case "none":
		q.Decision = -1
	case "failed":
		q.Outcome = store.Failed
	default:
		return false
	}
	return true
}
