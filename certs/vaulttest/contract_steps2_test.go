package vaulttest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/url"
	"testing"
)

func transitVersionSteps() []step {
	return []step{
		{name: "rotate", as: "root", method: post, path: "transit/keys/kek/rotate", body: m{}, status: 200},
		{name: "two versions", as: "root", method: get, path: "transit/keys/kek", status: 200, is: m{"latest_version": 2}},
		{name: "encrypt with the new one", as: "root", method: post, path: "transit/encrypt/kek", body: m{"plaintext": "aGVq"}, status: 200, is: m{"key_version": 2}, keep: map[string]string{"k2": "ciphertext"}},
		{name: "the old text still reads", as: "root", method: post, path: "transit/decrypt/kek", body: m{"ciphertext": "{k1}"}, status: 200, is: m{"plaintext": "aGVqIG1lZCBkaWc="}},
		{name: "rewrap", as: "root", method: post, path: "transit/rewrap/kek", body: m{"ciphertext": "{k1}"}, status: 200, is: m{"key_version": 2}, keep: map[string]string{"rewrapped": "ciphertext"}},
		{name: "rewrapped text reads", as: "root", method: post, path: "transit/decrypt/kek", body: m{"ciphertext": "{rewrapped}"}, status: 200, is: m{"plaintext": "aGVqIG1lZCBkaWc="}},
		{name: "encrypt with the old one", as: "root", method: post, path: "transit/encrypt/kek", body: m{"plaintext": "aGVq", "key_version": 1}, status: 200, is: m{"key_version": 1}},
		{name: "encrypt with a future one", as: "root", method: post, path: "transit/encrypt/kek", body: m{"plaintext": "aGVq", "key_version": 3}, status: 400, err: "higher than the latest key version"},
		{name: "minimum above latest", as: "root", method: post, path: "transit/keys/kek/config", body: m{"min_decryption_version": 3}, status: 400, err: "cannot set min decryption version"},
		{name: "retire version 1", as: "root", method: post, path: "transit/keys/kek/config", body: m{"min_decryption_version": 2, "min_encryption_version": 2}, status: 200},
		{name: "version 1 is refused", as: "root", method: post, path: "transit/decrypt/kek", body: m{"ciphertext": "{k1}"}, status: 400, err: "disallowed by policy (too old)"},
		{name: "and for encryption", as: "root", method: post, path: "transit/encrypt/kek", body: m{"plaintext": "aGVq", "key_version": 1}, status: 400, err: "less than the minimum encryption key version"},
		{name: "version 2 reads", as: "root", method: post, path: "transit/decrypt/kek", body: m{"ciphertext": "{k2}"}, status: 200, is: m{"plaintext": "aGVq"}},
		{name: "config of no key", as: "root", method: post, path: "transit/keys/absent/config", body: m{"min_decryption_version": 1}, status: 400},
		{name: "rotate no key", as: "root", method: post, path: "transit/keys/absent/rotate", body: m{}, status: 400},
		{name: "allow deletion", as: "root", method: post, path: "transit/keys/implicit/config", body: m{"deletion_allowed": true}, status: 200},
		{name: "delete", as: "root", method: del, path: "transit/keys/implicit", status: 204},
		{name: "gone", as: "root", method: get, path: "transit/keys/implicit", status: 404},
		{name: "rewrap bound text without its data", as: "root", method: post, path: "transit/keys/kek/config", body: m{"min_decryption_version": 1, "min_encryption_version": 1}, status: 200},
		{name: "rewrap of a bound text fails", as: "root", method: post, path: "transit/rewrap/kek", body: m{"ciphertext": "{kad}"}, status: 400, err: "message authentication failed"},
	}
}

func transitSigningSteps() []step {
	return []step{
		{name: "create", as: "root", method: post, path: "transit/keys/sig", body: m{"type": "ed25519"}, status: 200},
		{name: "read", as: "root", method: get, path: "transit/keys/sig", status: 200, is: m{"type": "ed25519", "supports_signing": true, "supports_encryption": false}},
		{name: "sign", as: "root", method: post, path: "transit/sign/sig", body: m{"input": "aGVq"}, status: 200, is: m{"key_version": 1}, keep: map[string]string{"s1": "signature"}},
		{name: "verify", as: "root", method: post, path: "transit/verify/sig", body: m{"input": "aGVq", "signature": "{s1}"}, status: 200, is: m{"valid": true}},
		{name: "verify another text", as: "root", method: post, path: "transit/verify/sig", body: m{"input": "aGVqIQ==", "signature": "{s1}"}, status: 200, is: m{"valid": false}},
		{name: "verify rubbish", as: "root", method: post, path: "transit/verify/sig", body: m{"input": "aGVq", "signature": "rubbish"}, status: 400, err: "invalid signature: no prefix"},
		{name: "verify nothing", as: "root", method: post, path: "transit/verify/sig", body: m{"input": "aGVq"}, status: 400},
		{name: "rotate", as: "root", method: post, path: "transit/keys/sig/rotate", body: m{}, status: 200},
		{name: "sign anew", as: "root", method: post, path: "transit/sign/sig", body: m{"input": "aGVq"}, status: 200, is: m{"key_version": 2}},
		{name: "old signature holds", as: "root", method: post, path: "transit/verify/sig", body: m{"input": "aGVq", "signature": "{s1}"}, status: 200, is: m{"valid": true}},
		{name: "retire", as: "root", method: post, path: "transit/keys/sig/config", body: m{"min_decryption_version": 2}, status: 200},
		{name: "old signature is refused", as: "root", method: post, path: "transit/verify/sig", body: m{"input": "aGVq", "signature": "{s1}"}, status: 400, err: "too old"},
		{name: "encrypt with it", as: "root", method: post, path: "transit/encrypt/sig", body: m{"plaintext": "aGVq"}, status: 400},
		{name: "sign with a cipher key", as: "root", method: post, path: "transit/sign/kek", body: m{"input": "aGVq"}, status: 400, err: "does not support signing"},
		{name: "sign with no key", as: "root", method: post, path: "transit/sign/absent", body: m{"input": "aGVq"}, status: 400, err: "signing key not found"},
		{name: "sign non-base64", as: "root", method: post, path: "transit/sign/sig", body: m{"input": "*"}, status: 400},
		{name: "hmac", as: "root", method: post, path: "transit/hmac/kek", body: m{"input": "aGVq"}, status: 200, data: []string{"hmac"}, keep: map[string]string{"h1": "hmac"}},
		{name: "verify hmac", as: "root", method: post, path: "transit/verify/kek", body: m{"input": "aGVq", "hmac": "{h1}"}, status: 200, is: m{"valid": true}},
		{name: "verify hmac of another text", as: "root", method: post, path: "transit/verify/kek", body: m{"input": "aGVqIQ==", "hmac": "{h1}"}, status: 200, is: m{"valid": false}},
		{name: "hmac by sha2-512", as: "root", method: post, path: "transit/hmac/kek/sha2-512", body: m{"input": "aGVq"}, status: 200, keep: map[string]string{"h512": "hmac"}},
		{name: "verify it", as: "root", method: post, path: "transit/verify/kek/sha2-512", body: m{"input": "aGVq", "hmac": "{h512}"}, status: 200, is: m{"valid": true}},
		{name: "hmac by no algorithm", as: "root", method: post, path: "transit/hmac/kek/md99", body: m{"input": "aGVq"}, status: 400, err: "unsupported algorithm"},
		{name: "hmac with no key", as: "root", method: post, path: "transit/hmac/absent", body: m{"input": "aGVq"}, status: 400, err: "encryption key not found"},
	}
}

func transitBatchSteps() []step {
	return []step{
		{name: "encrypt", as: "root", method: post, path: "transit/encrypt/kek", body: m{"batch_input": []m{{"plaintext": "YQ=="}, {"plaintext": "Yg=="}}}, status: 200, data: []string{"batch_results"}},
		{name: "one bad", as: "root", method: post, path: "transit/encrypt/kek", body: m{"batch_input": []m{{"plaintext": "YQ=="}, {"plaintext": "*"}}}, status: 400, data: []string{"batch_results"}},
		{name: "decrypt all bad", as: "root", method: post, path: "transit/decrypt/kek", body: m{"batch_input": []m{{"ciphertext": "x"}, {"ciphertext": "y"}}}, status: 400, data: []string{"batch_results"}},
		{name: "empty", as: "root", method: post, path: "transit/encrypt/kek", body: m{"batch_input": []m{}}, status: 400, err: "missing batch input to process"},
		{name: "sign", as: "root", method: post, path: "transit/sign/sig", body: m{"batch_input": []m{{"input": "YQ=="}, {"input": "Yg=="}}}, status: 200, data: []string{"batch_results"}},
		{name: "hmac", as: "root", method: post, path: "transit/hmac/kek", body: m{"batch_input": []m{{"input": "YQ=="}, {"input": "Yg=="}}}, status: 200, data: []string{"batch_results"}},
	}
}

func newCSR(t *testing.T, uris []string, dns ...string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.CertificateRequest{DNSNames: dns}
	for _, s := range uris {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		tmpl.URIs = append(tmpl.URIs, u)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, tmpl, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func pkiSteps(t *testing.T) []step {
	t.Helper()
	const id = "spiffe://samvirke.test/svc/identity"
	good, other := newCSR(t, []string{id}), newCSR(t, []string{"spiffe://samvirke.test/svc/other"})
	dns, local := newCSR(t, []string{id}, "elsewhere.test"), newCSR(t, []string{id}, "localhost")
	role := m{"allowed_uri_sans": id, "key_type": "ec", "key_bits": 256, "ttl": "1h", "max_ttl": "2h", "require_cn": false, "allow_localhost": false, "allow_ip_sans": false, "key_usage": "DigitalSignature"}
	return []step{
		{name: "sign without issuer", as: "root", method: post, path: "pki-int/roles/early", body: role, status: 200},
		{name: "no issuers", as: "root", method: list, path: "pki-root/issuers", status: 404},
		{name: "root", as: "root", method: post, path: "pki-root/root/generate/internal", body: m{"common_name": "root", "issuer_name": "root", "key_type": "ec", "key_bits": 384, "ttl": "8760h"}, status: 200,
			data: []string{"certificate", "issuing_ca", "serial_number", "issuer_id", "key_id", "expiration"}, keep: map[string]string{"root_serial": "serial_number"}},
		{name: "same issuer name", as: "root", method: post, path: "pki-root/root/generate/internal", body: m{"common_name": "root", "issuer_name": "root", "key_type": "ec"}, status: 400},
		{name: "request", as: "root", method: post, path: "pki-int/intermediate/generate/internal", body: m{"common_name": "int", "key_type": "ec", "key_bits": 256}, status: 200, data: []string{"csr", "key_id"}, keep: map[string]string{"csr": "csr"}},
		{name: "an intermediate may outlive the root", as: "root", method: post, path: "pki-root/root/sign-intermediate", body: m{"csr": "{csr}", "common_name": "int", "ttl": "17520h"}, status: 200},
		{name: "sign it", as: "root", method: post, path: "pki-root/root/sign-intermediate", body: m{"csr": "{csr}", "common_name": "int", "ttl": "4380h", "max_path_length": 0, "permitted_uri_domains": "samvirke.test"}, status: 200,
			data: []string{"certificate", "issuing_ca", "ca_chain", "serial_number"}, keep: map[string]string{"int": "certificate"}},
		{name: "store it", as: "root", method: post, path: "pki-int/intermediate/set-signed", body: m{"certificate": "{int}"}, status: 200, data: []string{"imported_issuers", "mapping"}},
		{name: "store it again", as: "root", method: post, path: "pki-int/intermediate/set-signed", body: m{"certificate": "{int}"}, status: 200},
		{name: "role", as: "root", method: post, path: "pki-int/roles/identity", body: role, status: 200},
		{name: "role with ttl above max", as: "root", method: post, path: "pki-int/roles/bad", body: m{"ttl": "3h", "max_ttl": "2h"}, status: 400},
		{name: "read role", as: "root", method: get, path: "pki-int/roles/identity", status: 200, is: m{"allowed_uri_sans": []string{id}, "key_type": "ec", "max_ttl": 7200, "require_cn": false}},
		{name: "read no role", as: "root", method: get, path: "pki-int/roles/absent", status: 404},
		{name: "list roles", as: "root", method: list, path: "pki-int/roles", status: 200, data: []string{"keys"}},
		{name: "sign", as: "root", method: post, path: "pki-int/sign/identity", body: m{"csr": good, "ttl": "10m"}, status: 200,
			data: []string{"certificate", "issuing_ca", "ca_chain", "serial_number", "expiration"}, keep: map[string]string{"serial": "serial_number"}},
		{name: "sign another identity", as: "root", method: post, path: "pki-int/sign/identity", body: m{"csr": other}, status: 400},
		{name: "sign a host name", as: "root", method: post, path: "pki-int/sign/identity", body: m{"csr": dns}, status: 400, err: "not allowed by this role"},
		{name: "sign localhost", as: "root", method: post, path: "pki-int/sign/identity", body: m{"csr": local}, status: 400, err: "not allowed by this role"},
		{name: "sign a common name", as: "root", method: post, path: "pki-int/sign/identity", body: m{"csr": good, "common_name": "elsewhere.test"}, status: 400, err: "not allowed by this role"},
		{name: "long-lived role", as: "root", method: post, path: "pki-int/roles/long", body: m{"allowed_uri_sans": id, "key_type": "ec", "require_cn": false, "max_ttl": "20000h"}, status: 200},
		{name: "sign beyond the issuer", as: "root", method: post, path: "pki-int/sign/long", body: m{"csr": good, "ttl": "10000h"}, status: 400, err: "beyond the expiration of the CA certificate"},
		{name: "role outside the issuer's names", as: "root", method: post, path: "pki-int/roles/outside", body: m{"allowed_uri_sans": "spiffe://elsewhere.test/*", "key_type": "ec", "require_cn": false}, status: 200},
		{name: "sign outside the issuer's names", as: "root", method: post, path: "pki-int/sign/outside", body: m{"csr": newCSR(t, []string{"spiffe://elsewhere.test/svc/x"})}, status: 500, err: "not authorized to sign for this name"},
		{name: "rsa role", as: "root", method: post, path: "pki-int/roles/rsa", body: m{"allowed_uri_sans": id, "key_type": "rsa", "require_cn": false}, status: 200},
		{name: "sign a key of another type", as: "root", method: post, path: "pki-int/sign/rsa", body: m{"csr": good}, status: 400, err: "role requires keys of type rsa"},
		{name: "role that wants a common name", as: "root", method: post, path: "pki-int/roles/cn", body: m{"allowed_uri_sans": id, "key_type": "ec"}, status: 200},
		{name: "sign without common name", as: "root", method: post, path: "pki-int/sign/cn", body: m{"csr": good}, status: 400, err: "the common_name field is required"},
		{name: "role with a host name", as: "root", method: post, path: "pki-int/roles/host", body: m{"allowed_uri_sans": id, "key_type": "ec", "require_cn": false, "allowed_domains": "elsewhere.test", "allow_bare_domains": true}, status: 200},
		{name: "sign that host name", as: "root", method: post, path: "pki-int/sign/host", body: m{"csr": dns}, status: 200},
		{name: "sign by no role", as: "root", method: post, path: "pki-int/sign/absent", body: m{"csr": good}, status: 400, err: "unknown role"},
		{name: "sign rubbish", as: "root", method: post, path: "pki-int/sign/identity", body: m{"csr": "rubbish"}, status: 400},
		{name: "sign without request", as: "root", method: post, path: "pki-int/sign/identity", body: m{}, status: 400, err: `"csr" is empty`},
		{name: "longer than allowed is cut", as: "root", method: post, path: "pki-int/sign/identity", body: m{"csr": good, "ttl": "24h"}, status: 200},
		{name: "issue", as: "root", method: post, path: "pki-int/issue/identity", body: m{"uri_sans": id}, status: 200, data: []string{"private_key", "certificate"}},
		{name: "issue another identity", as: "root", method: post, path: "pki-int/issue/identity", body: m{"uri_sans": id + "x"}, status: 400},
		{name: "sign without token", method: post, path: "pki-int/sign/identity", body: m{"csr": good}, status: 403, err: "permission denied"},
		{name: "read issuers without token", method: list, path: "pki-int/issuers", status: 200, data: []string{"keys", "key_info"}},
		{name: "read issuer without token", method: get, path: "pki-int/issuer/default/json", status: 200, data: []string{"certificate", "ca_chain"}},
		{name: "read issuer by name", method: get, path: "pki-root/issuer/root/json", status: 200},
		{name: "read no issuer", method: get, path: "pki-root/issuer/absent/json", status: 500},
		{name: "read list without token", method: get, path: "pki-int/issuer/default/crl", status: 200, data: []string{"crl"}},
		{name: "read certificate", method: get, path: "pki-int/cert/{serial}", status: 200, data: []string{"certificate"}, is: m{"revocation_time": 0}},
		{name: "read no certificate", method: get, path: "pki-int/cert/00:11", status: 404},
		{name: "read ca", method: get, path: "pki-int/cert/ca", status: 200, data: []string{"certificate"}},
		{name: "read chain", method: get, path: "pki-int/cert/ca_chain", status: 200, data: []string{"certificate"}},
		{name: "read list", method: get, path: "pki-int/cert/crl", status: 200, data: []string{"certificate"}},
		{name: "bare ca", method: get, path: "pki-int/ca/pem", status: 200},
		{name: "bare chain", method: get, path: "pki-int/ca_chain", status: 200},
		{name: "bare list", method: get, path: "pki-int/crl/pem", status: 200},
		{name: "certificates", as: "root", method: list, path: "pki-int/certs", status: 200, data: []string{"keys"}},
		{name: "configure lists", as: "root", method: post, path: "pki-int/config/crl", body: m{"expiry": "72h", "auto_rebuild": true, "auto_rebuild_grace_period": "12h"}, status: 200, is: m{"auto_rebuild": true}},
		{name: "grace above expiry", as: "root", method: post, path: "pki-int/config/crl", body: m{"expiry": "1h", "auto_rebuild": true, "auto_rebuild_grace_period": "2h"}, status: 400},
		{name: "read it", as: "root", method: get, path: "pki-int/config/crl", status: 200, is: m{"auto_rebuild": true}},
		{name: "issuers config", as: "root", method: get, path: "pki-int/config/issuers", status: 200, data: []string{"default"}},
		{name: "urls", as: "root", method: post, path: "pki-int/config/urls", body: m{"crl_distribution_points": "https://crl.samvirke.test/x"}, status: 200},
		{name: "revoke", as: "root", method: post, path: "pki-int/revoke", body: m{"serial_number": "{serial}"}, status: 200, data: []string{"revocation_time"}},
		{name: "revoke again", as: "root", method: post, path: "pki-int/revoke", body: m{"serial_number": "{serial}"}, status: 200, data: []string{"revocation_time"}},
		{name: "revoke none", as: "root", method: post, path: "pki-int/revoke", body: m{"serial_number": "00:11"}, status: 400, err: "not found"},
		{name: "revoke nothing", as: "root", method: post, path: "pki-int/revoke", body: m{}, status: 400},
		{name: "rotate list", as: "root", method: get, path: "pki-int/crl/rotate", status: 200, is: m{"success": true}},
		{name: "rotate without token", method: get, path: "pki-int/crl/rotate", status: 403},
		{name: "delete role", as: "root", method: del, path: "pki-int/roles/early", status: 204},
	}
}
