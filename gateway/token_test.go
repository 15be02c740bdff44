package gateway_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"samvirke.dev/gateway"
	"samvirke.dev/services/platform/suitetest"
)

const identityService = "samvirke.identity.v1.IdentityService"

func withTokens(c *gateway.Config, _ *suitetest.Options) { c.Token.Key = "gateway-token" }

// token asks for one.
func (w *world) token(c *http.Client, form url.Values) (reply, map[string]any) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got := w.do(c, req)
	var body map[string]any
	if err := json.Unmarshal(got.body, &body); err != nil {
		w.t.Fatalf("%v: %s", err, got.body)
	}
	return got, body
}

func credentials(more ...string) url.Values {
	form := url.Values{"grant_type": {"client_credentials"}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Add(more[i], more[i+1])
	}
	return form
}

// A token works with the certificate that it was issued to and with no other, within its scope and nowhere else, and is worth nothing
// once it is changed.
func TestTokenIsBoundToTheCertificate(t *testing.T) {
	t.Parallel()
	w := start(t, withTokens)
	cert := w.CA.Issue(w.system(fund))
	mine, renewed, theirs := w.clientWith(cert), w.client(fund), w.client(otherFund)
	got, body := w.token(mine, credentials())
	if got.StatusCode != http.StatusOK {
		t.Log(w.logs.String())
	}
	if got.StatusCode != http.StatusOK || body["token_type"] != "Bearer" || body["scope"] != identityService || body["expires_in"] != 600.0 {
		t.Fatalf("%d %v", got.StatusCode, body)
	}
	raw, _ := body["access_token"].(string)
	bearer := "Bearer " + raw
	if got := w.post(mine, verifyPath, verifyJSON, "Authorization", bearer); got.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	parts := strings.Split(raw, ".")
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt","kid":"gateway-token-1"}`)) + "." + parts[1] + "."
	otherKid := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","typ":"at+jwt","kid":"gateway-token-2"}`)) + "." + parts[1] + "." + parts[2]
	for name, tc := range map[string]struct {
		client *http.Client
		header string
	}{
		"another organisation":                    {theirs, bearer},
		"another certificate of the same":         {renewed, bearer},
		"payload changed":                         {mine, "Bearer " + parts[0] + "." + flipped(parts[1]) + "." + parts[2]},
		"signature changed":                       {mine, "Bearer " + parts[0] + "." + parts[1] + "." + flipped(parts[2])},
		"not signed":                              {mine, "Bearer " + unsigned},
		"signed by a version that does not exist": {mine, "Bearer " + otherKid},
		"no token":                                {mine, "Bearer "},
		"garbage":                                 {mine, "Bearer a.b.c"},
	} {
		got := w.post(tc.client, verifyPath, verifyJSON, "Authorization", tc.header)
		if p := got.problem(t); got.StatusCode != http.StatusUnauthorized || p.Reason != "CALLER_UNKNOWN" || !strings.Contains(got.Header.Get("WWW-Authenticate"), "invalid_token") {
			t.Errorf("%s: %d %+v", name, got.StatusCode, p)
		}
	}
	if strings.Contains(w.logs.String(), parts[2]) {
		t.Error("the log holds a token")
	}
}

// flipped changes one character in the middle.
func flipped(s string) string {
	b := []byte(s)
	if b[len(b)/2] == 'A' {
		b[len(b)/2] = 'B'
	} else {
		b[len(b)/2] = 'A'
	}
	return string(b)
}

func TestTokenScope(t *testing.T) {
	t.Parallel()
	w := start(t, withTokens)
	c := w.client(fund)
	_, body := w.token(c, credentials("scope", identityService+"/ResolveSubject"))
	raw, _ := body["access_token"].(string)
	if got := w.post(c, resolvePath, resolveJSON, "Authorization", "Bearer "+raw); got.StatusCode != http.StatusOK {
		t.Errorf("within the scope: %d %s", got.StatusCode, got.body)
	}
	p := w.post(c, verifyPath, verifyJSON, "Authorization", "Bearer "+raw).problem(t)
	if p.Status != http.StatusForbidden || p.Reason != "RPC_NOT_GRANTED" {
		t.Errorf("outside of the scope: %+v", p)
	}
}

func TestTokenRefused(t *testing.T) {
	t.Parallel()
	w := start(t, withTokens)
	c := w.client(fund)
	for name, tc := range map[string]struct {
		form   url.Values
		status int
		word   string
	}{
		"no grant":        {url.Values{}, 400, "unsupported_grant_type"},
		"password":        {url.Values{"grant_type": {"password"}}, 400, "unsupported_grant_type"},
		"somebody else":   {credentials("client_id", w.system(otherFund).String()), 401, "invalid_client"},
		"unknown scope":   {credentials("scope", "everything"), 400, "invalid_scope"},
		"parameter twice": {credentials("scope", identityService, "scope", identityService), 400, "invalid_request"},
		"too large":       {credentials("x", strings.Repeat("a", 9<<10)), 400, "invalid_request"},
	} {
		if got, body := w.token(c, tc.form); got.StatusCode != tc.status || body["error"] != tc.word || body["error_description"] == "" {
			t.Errorf("%s: %d %v", name, got.StatusCode, body)
		}
	}
	if got, body := w.token(c, credentials("client_id", w.system(fund).String())); got.StatusCode != http.StatusOK {
		t.Errorf("named by its own id: %d %v", got.StatusCode, body)
	}
}

// Anybody can find out how to get a token and how to check one.
func TestTokenMetadata(t *testing.T) {
	t.Parallel()
	w := start(t, withTokens)
	open := w.clientWith(nil)
	var meta struct {
		Issuer string   `json:"issuer"`
		Bound  bool     `json:"tls_client_certificate_bound_access_tokens"`
		Scopes []string `json:"scopes_supported"`
	}
	if err := json.Unmarshal(w.get(open, w.public+"/.well-known/oauth-authorization-server").body, &meta); err != nil {
		t.Fatal(err)
	}
	if meta.Issuer != "https://localhost" || !meta.Bound || len(meta.Scopes) < 2 {
		t.Errorf("metadata %+v", meta)
	}
	var keys struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(w.get(open, w.public+"/oauth2/jwks").body, &keys); err != nil {
		t.Fatal(err)
	}
	if len(keys.Keys) != 1 || keys.Keys[0]["kty"] != "OKP" || keys.Keys[0]["kid"] != "gateway-token-1" || keys.Keys[0]["d"] != "" {
		t.Errorf("keys %v", keys)
	}
	if got := w.get(w.client(fund), w.public+"/oauth2/token"); got.StatusCode != http.StatusNotFound {
		t.Errorf("tokens are issued where no certificate is asked for: %d", got.StatusCode)
	}
}
