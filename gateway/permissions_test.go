package gateway_test

import (
	"crypto/tls"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"samvirke.dev/certs/certtest"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/authz"
	"samvirke.dev/services/platform/suitetest"
)

// -update rewrites the golden files.
var update = flag.Bool("update", false, "rewrite golden files")

// kind is a kind of caller.
type kind struct {
	name    string
	client  *http.Client
	headers []string
	role    vocabularyv1.Role // that an agreement in force gives it; unspecified for none
	refused []string          // what it is told where it is not let in
}

// kinds are all kinds of callers: every role with an agreement in force and with one that has expired, and those who have none.
func (w *world) kinds(t *testing.T) []kind {
	t.Helper()
	id := w.system(controllerOrg)
	foreign := certtest.New(t, suitetest.TrustDomain)
	revoked := w.CA.Issue(id)
	w.CA.Revoke(revoked.Leaf)
	var out []kind
	all := roles()
	for _, role := range slices.Sorted(maps.Keys(all)) {
		name := strings.ToLower(strings.TrimPrefix(role.String(), "ROLE_"))
		// A service that has no RPC for the role has no agreement with its organisation here.
		out = append(out, kind{name: name, client: w.client(all[role]), role: role, refused: []string{"ROLE_NOT_ALLOWED", "ORGANISATION_UNKNOWN"}})
		out = append(out, kind{name: name + ", agreement expired", client: w.client(expired(all[role])), refused: []string{"AGREEMENT_INACTIVE", "ORGANISATION_UNKNOWN"}})
	}
	out = append(out,
		kind{name: "organisation without agreement", client: w.client("DK:50000045"), refused: []string{"ORGANISATION_UNKNOWN"}},
		kind{
			name: "fund, token that is none", client: w.client(all[vocabularyv1.Role_ROLE_FUND]), headers: []string{"Authorization", "Bearer a.b.c"},
			refused: []string{"CALLER_UNKNOWN"},
		})
	for name, cert := range map[string]*tls.Certificate{
		"one of our own services": w.CA.Issue(w.CA.Service("income")), "the gateway's own certificate": w.CA.Issue(w.CA.Service("gateway")),
		"certificate expired": w.CA.Issue(id, certtest.Expired()), "certificate revoked": revoked,
		"certificate of a foreign authority": foreign.Issue(id), "no certificate": nil,
	} {
		out = append(out, kind{name: name, client: w.clientWith(cert), refused: []string{"no connection"}})
	}
	return out
}

// call says how far a call gets: the reason of a refusal, "reached" when the service itself takes or refuses what is asked, or that there is no
// connection.
func (k kind) call(t *testing.T, w *world, r route) string {
	t.Helper()
	rule, err := authz.RuleOf(r.desc)
	if err != nil {
		t.Fatal(err)
	}
	purpose, basis := why(rule)
	body := fmt.Sprintf(`{"context":{"controllerId":%q,"purpose":%q,"legalBasis":%q,"specialBasis":"SPECIAL_BASIS_A9_2_A","legalReference":"DK:A-1","caseReference":"case-1"}}`,
		controllerOrg, purpose, basis)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+r.path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(k.headers); i += 2 {
		req.Header.Set(k.headers[i], k.headers[i+1])
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return "no connection"
	}
	got := w.read(resp)
	if got.StatusCode == http.StatusOK {
		return "reached"
	}
	switch p := got.problem(t); p.Reason {
	case "INVALID_REQUEST", "FAILED_PRECONDITION": // the caller was let in, to the rules of the schema or to the service
		return "reached"
	default:
		return p.Reason
	}
}

// Every route as every kind of caller. That a role gets in is what the schema of the RPC says, and nothing else; everybody else is told why not.
//
// covers: SEC-01 SEC-02 SEC-05
func TestPermissions(t *testing.T) {
	t.Parallel()
	w := startWhole(t)
	kinds, routes, reached := w.kinds(t), everyRoute(), 0
	for _, r := range routes {
		rule, err := authz.RuleOf(r.desc)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range kinds {
			word := k.call(t, w, r)
			if k.role != 0 && slices.Contains(rule.GetCallers(), k.role) {
				reached++
				if word != "reached" {
					t.Errorf("%s as %s: %s, and the schema lets it in", r.path, k.name, word)
				}
			} else if !slices.Contains(k.refused, word) {
				t.Errorf("%s as %s: %s, want one of %v", r.path, k.name, word, k.refused)
			}
		}
	}
	if reached < len(routes) {
		t.Errorf("%d routes, and only %d times somebody is let in", len(routes), reached)
	}
}
