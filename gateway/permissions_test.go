package gateway_test

import (
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
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
		out = append(out, kind{name: name, client: w.client(all[role]), role: role})
		out = append(out, kind{name: name + ", agreement expired", client: w.client(expired(all[role]))})
	}
	return append(out,
		kind{name: "organisation without agreement", client: w.client("DK:50000045")},
		kind{name: "fund, token that is none", client: w.client(all[vocabularyv1.Role_ROLE_FUND]), headers: []string{"Authorization", "Bearer a.b.c"}},
		kind{name: "one of our own services", client: w.clientWith(w.CA.Issue(w.CA.Service("income")))},
		kind{name: "the gateway's own certificate", client: w.clientWith(w.CA.Issue(w.CA.Service("gateway")))},
		kind{name: "certificate expired", client: w.clientWith(w.CA.Issue(id, certtest.Expired()))},
		kind{name: "certificate revoked", client: w.clientWith(revoked)},
		kind{name: "certificate of a foreign authority", client: w.clientWith(foreign.Issue(id))},
		kind{name: "no certificate", client: w.clientWith(nil)},
	)
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

// Every route as every kind of caller. That a role gets in is what the schema of the RPC says, and nothing else; the whole table is the golden
// file.
//
// covers: SEC-01 SEC-02 SEC-05
func TestPermissions(t *testing.T) {
	t.Parallel()
	w := startWhole(t)
	kinds := w.kinds(t)
	var b strings.Builder
	b.WriteString("| route |")
	for _, k := range kinds {
		fmt.Fprintf(&b, " %s |", k.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(kinds)) + "\n")
	for _, r := range everyRoute() {
		rule, err := authz.RuleOf(r.desc)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "| %s |", r.path)
		for _, k := range kinds {
			word := k.call(t, w, r)
			fmt.Fprintf(&b, " %s |", word)
			if may := k.role != 0 && slices.Contains(rule.GetCallers(), k.role); may != (word == "reached") {
				t.Errorf("%s as %s: %s, and the schema lets it in: %v", r.path, k.name, word, may)
			}
		}
		b.WriteString("\n")
	}
	const golden = "testdata/permissions.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("the permission table has changed.\nwant:\n%s\ngot:\n%s", want, b.String())
	}
}
