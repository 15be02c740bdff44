package devvault_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"samvirke.dev/certs/devvault"
)

func start(t testing.TB) (*devvault.Server, *http.Client) {
	t.Helper()
	s, err := devvault.Start(devvault.Config{})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.CAPEM())
	tr := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, &http.Client{Transport: tr}
}

func do(ctx context.Context, s *devvault.Server, c *http.Client, method, path, body string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.Addr()+"/v1/"+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("X-Vault-Token", s.RootToken())
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	raw, err := io.ReadAll(resp.Body)
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	return resp.StatusCode, string(raw), err
}

// TestNotOffered: what a real Vault would enforce and this server can't is refused, never dropped in silence.
func TestNotOffered(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	for _, p := range []string{
		`sys/mounts/transit {"type":"transit"}`, `sys/mounts/pki {"type":"pki"}`, `sys/auth/approle {"type":"approle"}`,
	} {
		path, body, _ := strings.Cut(p, " ")
		if status, raw, err := do(t.Context(), s, c, "POST", path, body); err != nil || status != 204 {
			t.Fatalf("%s: %d %s %v", path, status, raw, err)
		}
	}
	for _, p := range []string{
		`sys/mounts/kv {"type":"kv"}`,
		`sys/mounts/x {"type":"transit","config":{"audit_non_hmac_request_keys":["x"]}}`,
		`sys/policies/acl/p {"policy":"path \"a\" { capabilities = [\"read\"] min_wrapping_ttl = \"1s\" }"}`,
		`auth/token/create {"entity_alias":"x"}`,
		`auth/approle/role/r {"token_bound_cidrs":["10.0.0.0/8"]}`,
		`auth/approle/role/r {"bind_secret_id":false}`,
		`auth/approle/role/r {"token_type":"batch"}`,
		`transit/keys/k {"exportable":true}`,
		`transit/keys/k {"derived":true}`,
		`transit/keys/k {"auto_rotate_period":"24h"}`,
		`transit/keys/k {"type":"rsa-4096"}`,
		`pki/roles/r {"allow_any_name":true}`,
		`pki/roles/r {"policy_identifiers":["1.2.3"]}`,
		`pki/roles/r {"ext_key_usage":["CodeSigning"]}`,
		`pki/config/crl {"disable":true}`,
		`pki/config/crl {"enable_delta":true}`,
		`pki/root/generate/internal {"common_name":"x","excluded_dns_domains":"y"}`,
	} {
		path, body, _ := strings.Cut(p, " ")
		status, raw, err := do(t.Context(), s, c, "POST", path, body)
		if err != nil || status != 400 {
			t.Errorf("%s: %d %s %v", p, status, raw, err)
		}
	}
}

func TestLoopbackOnly(t *testing.T) {
	t.Parallel()
	if s, err := devvault.Start(devvault.Config{Listen: "0.0.0.0:0"}); err == nil {
		t.Error(s.Close(), "listens to the world")
	}
}

// TestFaults: down refuses, up answers on the same address, a restart may come back sealed.
func TestFaults(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	health := func() int {
		status, _, err := do(t.Context(), s, c, "GET", "sys/health", "")
		if err != nil {
			return 0
		}
		return status
	}
	steps := []struct {
		name string
		do   func() error
		want int
	}{
		{"fresh", func() error { return nil }, 200},
		{"down", s.Down, 0},
		{"down again", s.Down, 0},
		{"up", s.Up, 200},
		{"up again", s.Up, 200},
		{"restarted sealed", func() error { return s.Restart(true) }, 503},
		{"unsealed", func() error { s.Unseal(); return nil }, 200},
		{"restarted", func() error { return s.Restart(false) }, 200},
		{"closed", s.Close, 0},
	}
	addr := s.Addr()
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := health(); got != step.want || s.Addr() != addr {
			t.Errorf("%s: status %d, want %d, at %s", step.name, got, step.want, s.Addr())
		}
	}
	if err := s.Up(); err == nil {
		t.Error("came up after Close")
	}
}

func TestUnsealByRequest(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	s.Seal()
	if status, _, err := do(t.Context(), s, c, "POST", "sys/unseal", `{"key":"wrong"}`); err != nil || status != 400 {
		t.Errorf("wrong key: %d %v", status, err)
	}
	if status, raw, err := do(t.Context(), s, c, "POST", "sys/unseal", `{"key":"`+s.UnsealKey()+`"}`); err != nil || status != 200 || !strings.Contains(raw, `"sealed":false`) {
		t.Errorf("right key: %d %s %v", status, raw, err)
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	s.SetLatency(time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if status, _, err := do(ctx, s, c, "GET", "sys/health", ""); err == nil {
		t.Errorf("answered %d within the minute", status)
	}
	s.SetLatency(0)
	if status, _, err := do(t.Context(), s, c, "GET", "sys/health", ""); err != nil || status != 200 {
		t.Errorf("%d %v", status, err)
	}
}

func TestTooLargeAndMalformed(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	for name, r := range map[string]struct {
		body string
		want int
	}{
		"too large": {`{"policy":"` + strings.Repeat("x", 33<<20) + `"}`, 413},
		"cut off":   {`{"policy":`, 400},
		"a list":    {`[]`, 400},
		"null":      {`null`, 204},
	} {
		if status, raw, err := do(t.Context(), s, c, "POST", "sys/policies/acl/x", r.body); err != nil || status != r.want {
			t.Errorf("%s: %d %.100s %v", name, status, raw, err)
		}
	}
}

// FuzzRequest: whatever is sent, the answer is Vault's shape, and never a crash (which would close the connection).
func FuzzRequest(f *testing.F) {
	s, c := start(f)
	for _, p := range []string{`sys/mounts/transit {"type":"transit"}`, `sys/mounts/pki {"type":"pki"}`, `sys/auth/approle {"type":"approle"}`,
		`pki/root/generate/internal {"common_name":"r","key_type":"ec"}`, `transit/keys/k {}`, `auth/approle/role/r {}`} {
		path, body, _ := strings.Cut(p, " ")
		if _, _, err := do(f.Context(), s, c, "POST", path, body); err != nil {
			f.Fatal(err)
		}
		f.Add("POST", path, []byte(body))
	}
	f.Add("POST", "transit/decrypt/k", []byte(`{"ciphertext":"vault:v1:AAAA"}`))
	f.Add("POST", "transit/decrypt/k", []byte(`{"batch_input":[{"ciphertext":"vault:v0:"},7]}`))
	f.Add("POST", "transit/verify/k", []byte(`{"input":"","hmac":"vault:v1:"}`))
	f.Add("POST", "transit/rewrap/k", []byte(`{"ciphertext":"vault:v-1:AAAA","key_version":"x"}`))
	f.Add("POST", "pki/sign/x", []byte(`{"csr":"-----BEGIN X-----\n-----END X-----"}`))
	f.Add("POST", "pki/intermediate/set-signed", []byte(`{"certificate":"x"}`))
	f.Add("GET", "pki/issuer/default/crl", []byte(nil))
	f.Add("LIST", "transit/keys", []byte(nil))
	f.Add("DELETE", "pki/roles/x", []byte(nil))
	f.Fuzz(func(t *testing.T, method, path string, body []byte) {
		if strings.HasPrefix(path, "sys/seal") || strings.HasPrefix(path, "auth/token/revoke") {
			t.Skip("would end the run for all")
		}
		req, err := http.NewRequestWithContext(t.Context(), method, s.Addr()+"/v1/"+path, bytes.NewReader(body))
		if err != nil || method == "CONNECT" {
			t.Skip("no request")
		}
		req.Header.Set("X-Vault-Token", s.RootToken())
		resp, err := c.Do(req)
		if err != nil {
			if strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "reset") {
				t.Fatalf("%s %q %q: the server hung up: %v", method, path, body, err)
			}
			t.Skip("no request")
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Error(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	})
}
