package gateway_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/gateway"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/suitetest"
)

// One call: the answer, what stands beside it, and the record that the service wrote in the partner's name.
//
// covers: SEC-01 SEC-07
func TestCall(t *testing.T) {
	t.Parallel()
	w := start(t)
	got := w.post(w.client(fund), verifyPath, verifyJSON, "Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if got.StatusCode != http.StatusOK || strings.TrimSpace(string(got.body)) != `{"verdict":"VERDICT_MATCH"}` {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	for header, want := range map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "max-age=63072000", "Content-Type": "application/json",
	} {
		if got.Header.Get(header) != want {
			t.Errorf("%s is %q, want %q", header, got.Header.Get(header), want)
		}
	}
	records := w.AllRecords()
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	r := records[0]
	actor := r.GetActor()
	if actor.GetWorkload() != w.system(fund).String() || actor.GetOrganisation() != fund || actor.GetVia() != w.CA.Service("gateway").String() {
		t.Errorf("actor is %v", actor)
	}
	if r.GetEventId() != got.Header.Get("Samvirke-Event-Id") || r.GetDecision() != auditv1.Decision_DECISION_ALLOW {
		t.Errorf("record is %v", r)
	}
	if trace := r.GetTraceId(); len(trace) != 16 || trace[0] != 0x4b || len(r.GetParentSpanId()) != 8 || r.GetParentSpanId()[0] == 0x00 && r.GetParentSpanId()[1] == 0xf0 {
		t.Errorf("the record is not in the caller's trace, below the gateway's span: %x %x", trace, r.GetParentSpanId())
	}
}

// Who gets no connection, and who gets one and is refused.
//
// covers: SEC-01 SEK-06 MIN-37
func TestWhoIsLetIn(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := w.system(fund)
	revoked := w.CA.Issue(id)
	w.CA.Revoke(revoked.Leaf)
	foreign := certtest.New(t, suitetest.TrustDomain)
	for name, client := range map[string]*http.Client{
		"no certificate": w.clientWith(nil), "expired": w.client(fund, certtest.Expired()), "not yet valid": w.client(fund, certtest.NotYetValid()),
		"revoked": w.clientWith(revoked), "foreign authority": w.clientWith(foreign.Issue(id)),
		"one of our own services": w.clientWith(w.CA.Issue(w.CA.Service("identity"))),
		"two identities":          w.clientWith(w.CA.Issue(id, certtest.AddURIs("spiffe://samvirke.example/svc/gateway"))),
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+verifyPath, strings.NewReader(verifyJSON))
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := client.Do(req); err == nil {
			t.Errorf("%s: answered %d", name, resp.StatusCode)
			_ = resp.Body.Close()
		}
	}
	if n := len(w.AllRecords()); n != 0 {
		t.Errorf("%d calls reached the service", n)
	}
	old := w.client(fund)
	old.Transport.(*http.Transport).TLSClientConfig.MaxVersion = 0x0303 //nolint:forcetypeassert // made above
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+verifyPath, strings.NewReader(verifyJSON))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := old.Do(req); err == nil {
		t.Error("TLS 1.2 was accepted")
		_ = resp.Body.Close()
	}
	p := w.post(w.client("SE:5560000001"), verifyPath, verifyJSON).problem(t)
	if p.Status != http.StatusForbidden || p.Reason != "ORGANISATION_UNKNOWN" || p.EventID == "" || p.Actor != "controller" {
		t.Errorf("a stranger with a good certificate: %+v", p)
	}
}

// What a request must be; each refusal says what to mend and repeats nothing of it.
//
// covers: SEC-06 SEK-06
func TestRefusedBeforeTheService(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *gateway.Config, _ *suitetest.Options) { c.Limits.Body = 4 << 10 })
	c := w.client(fund)
	const canary = "7403851021"
	padded := verifyJSON[:len(verifyJSON)-1] + `,"x":"` + strings.Repeat("a", 5<<10) + `"}`
	for name, tc := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		reason             string
	}{
		"get":                 {http.MethodGet, verifyPath, "", nil, 405, "UNIMPLEMENTED"},
		"delete":              {http.MethodDelete, verifyPath, "", nil, 405, "UNIMPLEMENTED"},
		"override":            {"", verifyPath, verifyJSON, []string{"X-HTTP-Method-Override", "GET"}, 400, "INVALID_REQUEST"},
		"no route":            {"", "/v1/nothing", verifyJSON, nil, 404, "UNIMPLEMENTED"},
		"number in the path":  {"", "/v1/subjects/" + canary, verifyJSON, nil, 404, "UNIMPLEMENTED"},
		"number in the query": {"", verifyPath + "?id=" + canary, verifyJSON, nil, 400, "INVALID_REQUEST"},
		"empty query":         {"", verifyPath + "?", verifyJSON, nil, 400, "INVALID_REQUEST"},
		"dots":                {"", "/v1/x/../identities:verify", verifyJSON, nil, 404, "UNIMPLEMENTED"},
		"encoded":             {"", "/v1/%69dentities:verify", verifyJSON, nil, 404, "UNIMPLEMENTED"},
		"double slash":        {"", "//v1/identities:verify", verifyJSON, nil, 404, "UNIMPLEMENTED"},
		"form":                {"", verifyPath, "a=" + canary, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "MESSAGE_UNREADABLE"},
		"other charset":       {"", verifyPath, verifyJSON, []string{"Content-Type", "application/json; charset=latin1"}, 415, "MESSAGE_UNREADABLE"},
		"compressed":          {"", verifyPath, verifyJSON, []string{"Content-Encoding", "gzip"}, 415, "MESSAGE_UNREADABLE"},
		"too large":           {"", verifyPath, padded, nil, 413, "MESSAGE_TOO_LARGE"},
		"nothing":             {"", verifyPath, "", nil, 400, "MESSAGE_UNREADABLE"},
		"list":                {"", verifyPath, "[" + verifyJSON + "]", nil, 400, "MESSAGE_UNREADABLE"},
		"two objects":         {"", verifyPath, verifyJSON + verifyJSON, nil, 400, "MESSAGE_UNREADABLE"},
		"garbage after":       {"", verifyPath, verifyJSON + " x", nil, 400, "MESSAGE_UNREADABLE"},
		"unknown field":       {"", verifyPath, `{"pnr` + canary + `":"` + canary + `"}`, nil, 400, "MESSAGE_UNREADABLE"},
		"wrong kind":          {"", verifyPath, `{"fullName":` + canary + `}`, nil, 400, "MESSAGE_UNREADABLE"},
		"twice":               {"", verifyPath, `{"fullName":"` + canary + `","fullName":"x"}`, nil, 400, "MESSAGE_UNREADABLE"},
		"unknown value":       {"", verifyPath, `{"context":{"purpose":"` + canary + `"}}`, nil, 400, "MESSAGE_UNREADABLE"},
		"broken UTF-8":        {"", verifyPath, "{\"fullName\":\"\xff" + canary + "\"}", nil, 400, "MESSAGE_UNREADABLE"},
		"short key":           {"", verifyPath, verifyJSON, []string{"Idempotency-Key", canary}, 400, "INVALID_REQUEST"},
		"two keys":            {"", verifyPath, verifyJSON, []string{"Idempotency-Key", "aaaaaaaaaaaaaaaa", "Idempotency-Key", "bbbbbbbbbbbbbbbb"}, 400, "INVALID_REQUEST"},
		"token without keys":  {"", verifyPath, verifyJSON, []string{"Authorization", "Bearer " + canary}, 401, "CALLER_UNKNOWN"},
		"basic":               {"", verifyPath, verifyJSON, []string{"Authorization", "Basic " + canary}, 401, "CALLER_UNKNOWN"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			method := tc.method
			if method == "" {
				method = http.MethodPost
			}
			req, err := http.NewRequestWithContext(t.Context(), method, w.url+tc.path, strings.NewReader(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			for i := 0; i+1 < len(tc.headers); i += 2 {
				if tc.headers[i] == "Content-Type" {
					req.Header.Set("Content-Type", tc.headers[i+1])
				} else {
					req.Header.Add(tc.headers[i], tc.headers[i+1])
				}
			}
			got := w.do(c, req)
			p := got.problem(t)
			if got.StatusCode != tc.status || p.Reason != tc.reason {
				t.Errorf("%d %s, want %d %s: %s", got.StatusCode, p.Reason, tc.status, tc.reason, got.body)
			}
			if strings.Contains(string(got.body), canary) {
				t.Errorf("the answer repeats the request: %s", got.body)
			}
			if got.StatusCode == http.StatusMethodNotAllowed && got.Header.Get("Allow") != http.MethodPost {
				t.Error("405 without Allow")
			}
		})
	}
	t.Cleanup(func() {
		if strings.Contains(w.logs.String(), canary) {
			t.Error("the log repeats a request")
		}
	})
}

// The place of a mistake is told, so that a developer finds it without the body being repeated.
func TestPlaceOfAMistake(t *testing.T) {
	t.Parallel()
	w := start(t)
	p := w.post(w.client(fund), verifyPath, "{\n  \"fulName\": \"x\"\n}").problem(t)
	if !strings.Contains(p.Detail, "2:3") {
		t.Errorf("detail is %q", p.Detail)
	}
}

// What a service refuses keeps reason, advice and fields, in the names of JSON.
func TestServiceRefuses(t *testing.T) {
	t.Parallel()
	w := start(t)
	missing := strings.Replace(verifyJSON, `,"caseReference":"case-1"`, "", 1)
	p := w.post(w.client(fund), verifyPath, missing).problem(t)
	if p.Reason != "CASE_REFERENCE_MISSING" || p.Status != http.StatusBadRequest || p.EventID == "" || len(p.Violations) != 1 || p.Violations[0].Field != "context.caseReference" {
		t.Errorf("problem is %+v", p)
	}
}

// A refusal for several reasons tells all of them at once.
func TestAllReasonsAreTold(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.service.verify = func(context.Context, *identityv1.VerifyIdentityRequest) (*identityv1.VerifyIdentityResponse, error) {
		return nil, errs.New(commonv1.Reason_REASON_AGREEMENT_INACTIVE, errs.Also(commonv1.Reason_REASON_OPTED_OUT))
	}
	p := w.post(w.client(fund), verifyPath, verifyJSON).problem(t)
	if p.Reason != "AGREEMENT_INACTIVE" || !slices.Equal(p.Reasons, []string{"AGREEMENT_INACTIVE", "OPTED_OUT"}) {
		t.Errorf("%+v", p)
	}
}

// A change that is repeated with its key is done once, whichever way the key came; one key for two bodies is refused.
//
// covers: SEC-07
func TestIdempotency(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.client(fund)
	const key = "5c1f3d5e-7b1a-4f7e-9c55-0a1b2c3d4e5f"
	for _, k := range []string{key, `"` + key + `"`} {
		if got := w.post(c, resolvePath, resolveJSON, "Idempotency-Key", k); got.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", got.StatusCode, got.body)
		}
	}
	inBody := `{` + whyJSON + `,` + personJSON + `,"requestId":"` + key + `"}`
	if got := w.post(c, resolvePath, inBody); got.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	if w.service.resolved != 1 {
		t.Errorf("done %d times", w.service.resolved)
	}
	other := strings.Replace(resolveJSON, "7403851013", "7403851021", 1)
	if p := w.post(c, resolvePath, other, "Idempotency-Key", key).problem(t); p.Reason != "REQUEST_ID_REUSED" {
		t.Errorf("another body under the key: %+v", p)
	}
	if p := w.post(c, resolvePath, inBody, "Idempotency-Key", "another-key-of-mine").problem(t); p.Reason != "INVALID_REQUEST" || p.Violations[0].Field != "requestId" {
		t.Errorf("two keys: %+v", p)
	}
}

// How the quota stands is told on every answer, and when it is used up how long to wait.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.client(otherFund)
	body := strings.ReplaceAll(verifyJSON, fund, otherFund)
	for i, left := range []string{"2", "1", "0"} {
		got := w.post(c, verifyPath, body)
		if got.StatusCode != http.StatusOK || got.Header.Get("RateLimit-Policy") != `"agreement";q=3;w=86400` ||
			!strings.HasPrefix(got.Header.Get("RateLimit"), `"agreement";r=`+left+`;t=`) {
			t.Errorf("call %d: %d %v", i+1, got.StatusCode, got.Header)
		}
	}
	got := w.post(c, verifyPath, body)
	p := got.problem(t)
	if got.StatusCode != http.StatusTooManyRequests || p.Reason != "QUOTA_EXCEEDED" || got.Header.Get("Retry-After") == "" || p.RetryAfter < 1 || p.RetryAfter > 86400 {
		t.Errorf("%d %+v %v", got.StatusCode, p, got.Header)
	}
	if got := w.post(w.client(fund), verifyPath, verifyJSON); got.StatusCode != http.StatusOK || got.Header.Get("RateLimit") != "" {
		t.Errorf("another organisation: %d %v", got.StatusCode, got.Header)
	}
}

// Only POST routes exist, none takes anything from its path, and each stands in the documentation.
//
// covers: SEC-06
func TestRoutesCarryNothing(t *testing.T) {
	t.Parallel()
	w := start(t)
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	got := w.get(w.clientWith(nil), w.public+"/openapi.json")
	if err := json.Unmarshal(got.body, &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Paths) == 0 {
		t.Fatal("no routes")
	}
	for path, ops := range doc.Paths {
		if strings.ContainsAny(path, "{}?") || len(ops) != 1 || ops["post"] == nil {
			t.Errorf("%s: %d operations", path, len(ops))
		}
	}
}
