package vaulttest_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"samvirke.dev/certs/vaulttest"
)

// wire speaks plain HTTP to a Vault: the contract is about what is on the wire, not about what a library makes of it.
type wire struct {
	v      vaulttest.Vault
	client *http.Client
	tokens map[string]string
	// vars are values taken from earlier answers; "{name}" in a path or body is replaced by them.
	vars map[string]string
}

func newWire(t *testing.T, v vaulttest.Vault) *wire {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(v.CAPEM())
	tr := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}}
	t.Cleanup(tr.CloseIdleConnections)
	return &wire{v: v, client: &http.Client{Transport: tr}, tokens: map[string]string{"root": v.RootToken(), "bogus": "hvs.bogus"}, vars: map[string]string{}}
}

// step is one request and what both servers must answer.
type step struct {
	name   string
	as     string // key of tokens; empty for none
	method string
	path   string
	body   map[string]any
	status int
	// err must be contained in the joined errors; an error answer always has the "errors" list.
	err string
	// data are fields that must be there under "data", auth the same under "auth".
	data []string
	auth []string
	// is are exact values under "data".
	is map[string]any
	// keep stores data or auth fields as variables: variable name to field.
	keep map[string]string
}

type answer struct {
	status int
	raw    string
	Errors []string       `json:"errors"`
	Data   map[string]any `json:"data"`
	Auth   map[string]any `json:"auth"`
}

func (w *wire) fill(s string) string {
	for k, v := range w.vars {
		s = strings.ReplaceAll(s, "{"+k+"}", v)
	}
	return s
}

func (w *wire) call(t *testing.T, s step) answer {
	t.Helper()
	var body io.Reader
	if s.body != nil {
		raw, err := json.Marshal(s.body)
		if err != nil {
			t.Fatal(err)
		}
		var filled map[string]any
		if err := json.Unmarshal(raw, &filled); err != nil {
			t.Fatal(err)
		}
		for k, v := range filled {
			if text, ok := v.(string); ok {
				filled[k] = w.fill(text)
			}
		}
		if raw, err = json.Marshal(filled); err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(t.Context(), s.method, w.v.Addr()+"/v1/"+w.fill(s.path), body)
	if err != nil {
		t.Fatal(err)
	}
	if s.as != "" {
		token, ok := w.tokens[s.as]
		if !ok {
			token = w.vars[s.as]
		}
		req.Header.Set("X-Vault-Token", token)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // the read has the say
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, raw: string(raw)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") && len(raw) > 0 {
		if err := json.Unmarshal(raw, &a); err != nil {
			t.Fatalf("%s: not JSON: %v", s.name, err)
		}
	}
	return a
}

// run walks the steps in order; a later step may need what an earlier one made.
func (w *wire) run(t *testing.T, steps []step) {
	t.Helper()
	for _, s := range steps {
		a := w.call(t, s)
		w.judge(t, s, a)
		for variable, field := range s.keep {
			v, ok := a.Data[field]
			if !ok {
				v = a.Auth[field]
			}
			text, ok := v.(string)
			if !ok {
				t.Fatalf("%s: answer has no text %q: %s", s.name, field, a.raw)
			}
			w.vars[variable] = text
		}
	}
}

func (w *wire) judge(t *testing.T, s step, a answer) {
	t.Helper()
	if a.status != s.status {
		t.Errorf("%s: status %d, want %d: %s", s.name, a.status, s.status, a.raw)
	}
	if a.status >= 400 && a.Errors == nil && !strings.Contains(a.raw, `"sealed"`) && !strings.Contains(a.raw, "batch_results") {
		t.Errorf("%s: error answer without a list of errors: %s", s.name, a.raw)
	}
	if s.err != "" && !strings.Contains(strings.Join(a.Errors, "\n"), s.err) {
		t.Errorf("%s: errors %q, want %q among them", s.name, a.Errors, s.err)
	}
	for _, f := range s.data {
		if _, ok := a.Data[f]; !ok {
			t.Errorf("%s: no data field %q: %s", s.name, f, a.raw)
		}
	}
	for _, f := range s.auth {
		if _, ok := a.Auth[f]; !ok {
			t.Errorf("%s: no auth field %q: %s", s.name, f, a.raw)
		}
	}
	for f, want := range s.is {
		if got := a.Data[f]; !same(got, want) {
			t.Errorf("%s: data field %q is %v, want %v", s.name, f, got, want)
		}
	}
}

func same(got, want any) bool {
	a, err1 := json.Marshal(got)
	b, err2 := json.Marshal(want)
	return err1 == nil && err2 == nil && bytes.Equal(a, b)
}

// TestContract is the one suite that both servers must pass alike, endpoint by endpoint.
// covers: SEC-01
func TestContract(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		w := newWire(t, v)
		for _, part := range []struct {
			name  string
			steps []step
		}{
			{"sys", sysSteps()},
			{"policy", policySteps()},
			{"token", tokenSteps()},
			{"approle", approleSteps()},
			{"transit", transitSteps()},
			{"transit versions", transitVersionSteps()},
			{"transit signing", transitSigningSteps()},
			{"transit batch", transitBatchSteps()},
			{"pki", pkiSteps(t)},
		} {
			t.Run(part.name, func(t *testing.T) { w.run(t, part.steps) }) // in order: later parts use earlier mounts
		}
	})
}
