package vaulttest_test

const (
	get  = "GET"
	post = "POST"
	del  = "DELETE"
	list = "LIST"
)

type m = map[string]any

func sysSteps() []step {
	return []step{
		{name: "health", method: get, path: "sys/health", status: 200},
		{name: "seal status", method: get, path: "sys/seal-status", status: 200},
		{name: "initialised", method: get, path: "sys/init", status: 200},
		{name: "second init", method: post, path: "sys/init", body: m{"secret_shares": 1, "secret_threshold": 1}, status: 400, err: "is already"},
		{name: "no token", method: get, path: "sys/mounts", status: 403, err: "permission denied"},
		{name: "bogus token", as: "bogus", method: get, path: "sys/mounts", status: 403, err: "permission denied"},
		{name: "no route", as: "root", method: get, path: "nowhere/at/all", status: 404, err: "no handler for route"},
		{name: "no route, no token", method: get, path: "nowhere/at/all", status: 403, err: "permission denied"},
		{name: "mount transit", as: "root", method: post, path: "sys/mounts/transit", body: m{"type": "transit"}, status: 204},
		{name: "mount again", as: "root", method: post, path: "sys/mounts/transit", body: m{"type": "transit"}, status: 400, err: "path is already in use"},
		{name: "mount below", as: "root", method: post, path: "sys/mounts/transit/sub", body: m{"type": "transit"}, status: 400, err: "already in use"},
		{name: "mount unknown kind", as: "root", method: post, path: "sys/mounts/x", body: m{"type": "no-such-engine"}, status: 400},
		{name: "mount pki", as: "root", method: post, path: "sys/mounts/pki-root", body: m{"type": "pki", "config": m{"max_lease_ttl": "87600h"}}, status: 204},
		{name: "mount second pki", as: "root", method: post, path: "sys/mounts/pki-int", body: m{"type": "pki"}, status: 204},
		{name: "list mounts", as: "root", method: get, path: "sys/mounts", status: 200, data: []string{"transit/", "pki-root/", "sys/"}},
		{name: "read tune", as: "root", method: get, path: "sys/mounts/pki-root/tune", status: 200, is: m{"max_lease_ttl": 315360000}},
		{name: "tune", as: "root", method: post, path: "sys/mounts/pki-int/tune", body: m{"max_lease_ttl": "43800h"}, status: 204},
		{name: "enable approle", as: "root", method: post, path: "sys/auth/approle", body: m{"type": "approle"}, status: 204},
		{name: "enable approle again", as: "root", method: post, path: "sys/auth/approle", body: m{"type": "approle"}, status: 400, err: "path is already in use"},
		{name: "list auth", as: "root", method: get, path: "sys/auth", status: 200, data: []string{"approle/", "token/"}},
		{name: "malformed body", as: "root", method: post, path: "sys/policies/acl/x", body: m{"policy": "path \"a\" { capabilities = [\"nonsense\"] }"}, status: 400},
		{name: "delete on a list", as: "root", method: del, path: "sys/mounts", status: 405, err: "unsupported operation"},
	}
}

func policySteps() []step {
	const rules = `
path "transit/encrypt/one" { capabilities = ["update"] }
path "transit/decrypt/on*" { capabilities = ["update"] }
path "transit/keys/+" { capabilities = ["read"] }
path "transit/keys" { capabilities = ["list"] }
path "transit/decrypt/ondenied" { capabilities = ["deny"] }
path "pki-root/+/json" { capabilities = ["read"] }`
	return []step{
		{name: "write", as: "root", method: post, path: "sys/policies/acl/narrow", body: m{"policy": rules}, status: 204},
		{name: "read", as: "root", method: get, path: "sys/policies/acl/narrow", status: 200, data: []string{"name", "policy"}},
		{name: "read none", as: "root", method: get, path: "sys/policies/acl/absent", status: 404},
		{name: "list", as: "root", method: list, path: "sys/policies/acl", status: 200, data: []string{"keys"}},
		{name: "broken", as: "root", method: post, path: "sys/policies/acl/broken", body: m{"policy": `path "a" {`}, status: 400},
		{name: "root is fixed", as: "root", method: post, path: "sys/policies/acl/root", body: m{"policy": rules}, status: 400},
		{name: "default stays", as: "root", method: del, path: "sys/policies/acl/default", status: 400},
		{name: "json", as: "root", method: post, path: "sys/policies/acl/json", body: m{"policy": `{"path":{"transit/keys/*":{"capabilities":["read"]}}}`}, status: 204},
		{name: "delete", as: "root", method: del, path: "sys/policies/acl/json", status: 204},

		{name: "token", as: "root", method: post, path: "auth/token/create", body: m{"policies": []string{"narrow"}, "ttl": "1h"}, status: 200,
			auth: []string{"client_token", "accessor", "policies", "lease_duration", "renewable", "token_type"}, keep: map[string]string{"narrow": "client_token"}},
		{name: "make key one", as: "root", method: post, path: "transit/keys/one", body: m{}, status: 200},
		{name: "exact allows", as: "narrow", method: post, path: "transit/encrypt/one", body: m{"plaintext": "aGVq"}, status: 200, data: []string{"ciphertext"}, keep: map[string]string{"ct": "ciphertext"}},
		{name: "exact denies sibling", as: "narrow", method: post, path: "transit/encrypt/two", body: m{"plaintext": "aGVq"}, status: 403, err: "permission denied"},
		{name: "glob allows", as: "narrow", method: post, path: "transit/decrypt/one", body: m{"ciphertext": "{ct}"}, status: 200, is: m{"plaintext": "aGVq"}},
		{name: "exact deny beats glob", as: "narrow", method: post, path: "transit/decrypt/ondenied", body: m{"ciphertext": "{ct}"}, status: 403, err: "permission denied"},
		{name: "segment allows", as: "narrow", method: get, path: "transit/keys/one", status: 200},
		{name: "segment is one segment", as: "narrow", method: get, path: "transit/keys/one/two", status: 403},
		{name: "wrong capability", as: "narrow", method: post, path: "transit/keys/one", body: m{}, status: 403, err: "permission denied"},
		{name: "list", as: "narrow", method: list, path: "transit/keys", status: 200, data: []string{"keys"}},
		{name: "unknown path is denied first", as: "narrow", method: get, path: "nowhere", status: 403, err: "permission denied"},
		{name: "mounts denied", as: "narrow", method: get, path: "sys/mounts", status: 403, err: "permission denied"},
		{name: "seal denied", as: "narrow", method: post, path: "sys/seal", status: 403, err: "permission denied"},
		{name: "own lookup by default policy", as: "narrow", method: get, path: "auth/token/lookup-self", status: 200, data: []string{"ttl", "policies", "expire_time"}},
		{name: "others' lookup denied", as: "narrow", method: post, path: "auth/token/lookup", body: m{"token": "{narrow}"}, status: 403},
		{name: "policy change works at once", as: "root", method: post, path: "sys/policies/acl/narrow", body: m{"policy": `path "transit/none" { capabilities = ["read"] }`}, status: 204},
		{name: "now denied", as: "narrow", method: post, path: "transit/encrypt/one", body: m{"plaintext": "aGVq"}, status: 403},
		{name: "sudo path without sudo", as: "root", method: post, path: "sys/policies/acl/authadmin", body: m{"policy": `path "sys/auth/*" { capabilities = ["create","update"] }`}, status: 204},
		{name: "token for it", as: "root", method: post, path: "auth/token/create", body: m{"policies": []string{"authadmin"}}, status: 200, keep: map[string]string{"authadmin": "client_token"}},
		{name: "refused without sudo", as: "authadmin", method: post, path: "sys/auth/other", body: m{"type": "approle"}, status: 403},
	}
}

func tokenSteps() []step {
	return []step{
		{name: "create", as: "root", method: post, path: "auth/token/create", body: m{"policies": []string{"default"}, "ttl": "1h", "explicit_max_ttl": "2h"}, status: 200,
			keep: map[string]string{"t1": "client_token", "a1": "accessor"}},
		{name: "look up self", as: "t1", method: get, path: "auth/token/lookup-self", status: 200, is: m{"renewable": true, "orphan": false, "creation_ttl": 3600}},
		{name: "renew self", as: "t1", method: post, path: "auth/token/renew-self", body: m{}, status: 200, auth: []string{"client_token", "lease_duration"}},
		{name: "renew with increment", as: "t1", method: post, path: "auth/token/renew-self", body: m{"increment": "30m"}, status: 200},
		{name: "child keeps to parent's policies", as: "t1", method: post, path: "auth/token/create", body: m{"policies": []string{"root"}}, status: 403},
		{name: "look up by root", as: "root", method: post, path: "auth/token/lookup", body: m{"token": "{t1}"}, status: 200, data: []string{"accessor"}},
		{name: "look up a bogus one", as: "root", method: post, path: "auth/token/lookup", body: m{"token": "hvs.nothing"}, status: 403, err: "bad token"},
		{name: "root token is not renewable", as: "root", method: post, path: "auth/token/renew-self", body: m{}, status: 400, err: "invalid lease ID"},
		{name: "revoke by root", as: "root", method: post, path: "auth/token/revoke", body: m{"token": "{t1}"}, status: 204},
		{name: "revoked token", as: "t1", method: get, path: "auth/token/lookup-self", status: 403, err: "invalid token"},
		{name: "create for one use", as: "root", method: post, path: "auth/token/create", body: m{"policies": []string{"default"}, "num_uses": 1}, status: 200, keep: map[string]string{"once": "client_token"}},
		{name: "first use", as: "once", method: get, path: "auth/token/lookup-self", status: 200},
		{name: "second use", as: "once", method: get, path: "auth/token/lookup-self", status: 403},
		{name: "create for revoke-self", as: "root", method: post, path: "auth/token/create", body: m{"policies": []string{"default"}}, status: 200, keep: map[string]string{"t2": "client_token", "a2": "accessor"}},
		{name: "revoke self", as: "t2", method: post, path: "auth/token/revoke-self", body: m{}, status: 204},
		{name: "gone", as: "t2", method: get, path: "auth/token/lookup-self", status: 403},
		{name: "create for accessor", as: "root", method: post, path: "auth/token/create", body: m{"policies": []string{"default"}}, status: 200, keep: map[string]string{"t3": "client_token", "a3": "accessor"}},
		{name: "revoke by accessor", as: "root", method: post, path: "auth/token/revoke-accessor", body: m{"accessor": "{a3}"}, status: 204},
		{name: "gone too", as: "t3", method: get, path: "auth/token/lookup-self", status: 403},
		{name: "not renewable", as: "root", method: post, path: "auth/token/create", body: m{"policies": []string{"default"}, "ttl": "1h", "renewable": false}, status: 200, keep: map[string]string{"fixed": "client_token"}},
		{name: "renewal refused", as: "fixed", method: post, path: "auth/token/renew-self", body: m{}, status: 400, err: "lease is not renewable"},
		{name: "unknown path", as: "root", method: get, path: "auth/token/no-such-thing", status: 404, err: "unsupported path"},
	}
}

func approleSteps() []step {
	const role = "auth/approle/role/svc"
	return []step{
		{name: "list none", as: "root", method: list, path: "auth/approle/role", status: 404},
		{name: "read none", as: "root", method: get, path: role, status: 404},
		{name: "create", as: "root", method: post, path: role, body: m{"token_policies": "narrow", "token_ttl": "20m", "token_max_ttl": "1h"}, status: 204},
		{name: "ttl above max", as: "root", method: post, path: "auth/approle/role/bad", body: m{"token_ttl": "2h", "token_max_ttl": "1h"}, status: 400},
		{name: "read", as: "root", method: get, path: role, status: 200, is: m{"token_ttl": 1200, "token_max_ttl": 3600, "bind_secret_id": true, "secret_id_num_uses": 0, "token_policies": []string{"narrow"}}},
		{name: "list", as: "root", method: list, path: "auth/approle/role", status: 200, is: m{"keys": []string{"svc"}}},
		{name: "role id", as: "root", method: get, path: role + "/role-id", status: 200, data: []string{"role_id"}, keep: map[string]string{"role_id": "role_id"}},
		{name: "secret id", as: "root", method: post, path: role + "/secret-id", body: m{}, status: 200,
			data: []string{"secret_id", "secret_id_accessor", "secret_id_ttl", "secret_id_num_uses"}, keep: map[string]string{"secret_id": "secret_id", "secret_accessor": "secret_id_accessor"}},
		{name: "secret id of no role", as: "root", method: post, path: "auth/approle/role/absent/secret-id", body: m{}, status: 404, err: "does not exist"},
		{name: "login", method: post, path: "auth/approle/login", body: m{"role_id": "{role_id}", "secret_id": "{secret_id}"}, status: 200,
			auth: []string{"client_token", "lease_duration", "renewable", "policies", "metadata"}, keep: map[string]string{"svc": "client_token"}},
		{name: "token knows its role", as: "svc", method: get, path: "auth/token/lookup-self", status: 200, is: m{"policies": []string{"default", "narrow"}, "renewable": true, "meta": m{"role_name": "svc"}, "path": "auth/approle/login"}},
		{name: "wrong secret id", method: post, path: "auth/approle/login", body: m{"role_id": "{role_id}", "secret_id": "00000000-0000-0000-0000-000000000000"}, status: 400, err: "invalid role or secret ID"},
		{name: "wrong role id", method: post, path: "auth/approle/login", body: m{"role_id": "00000000-0000-0000-0000-000000000000", "secret_id": "{secret_id}"}, status: 400, err: "invalid role or secret ID"},
		{name: "no secret id", method: post, path: "auth/approle/login", body: m{"role_id": "{role_id}"}, status: 400, err: "missing secret_id"},
		{name: "limited secret id", as: "root", method: post, path: role + "/secret-id", body: m{"num_uses": 1}, status: 200, keep: map[string]string{"once_secret": "secret_id"}},
		{name: "its first use", method: post, path: "auth/approle/login", body: m{"role_id": "{role_id}", "secret_id": "{once_secret}"}, status: 200},
		{name: "its second use", method: post, path: "auth/approle/login", body: m{"role_id": "{role_id}", "secret_id": "{once_secret}"}, status: 400, err: "invalid role or secret ID"},
		{name: "list accessors", as: "root", method: list, path: role + "/secret-id", status: 200, data: []string{"keys"}},
		{name: "look up", as: "root", method: post, path: role + "/secret-id/lookup", body: m{"secret_id": "{secret_id}"}, status: 200, data: []string{"secret_id_accessor", "secret_id_num_uses"}},
		{name: "destroy", as: "root", method: post, path: role + "/secret-id-accessor/destroy", body: m{"secret_id_accessor": "{secret_accessor}"}, status: 204},
		{name: "destroyed", method: post, path: "auth/approle/login", body: m{"role_id": "{role_id}", "secret_id": "{secret_id}"}, status: 400, err: "invalid role or secret ID"},
		{name: "token outlives it", as: "svc", method: get, path: "auth/token/lookup-self", status: 200},
		{name: "delete role", as: "root", method: del, path: role, status: 204},
		{name: "login after that", method: post, path: "auth/approle/login", body: m{"role_id": "{role_id}", "secret_id": "{secret_id}"}, status: 400, err: "invalid role or secret ID"},
		{name: "roles denied", as: "svc", method: get, path: role, status: 403, err: "permission denied"},
	}
}

func transitSteps() []step {
	return []step{
		{name: "read none", as: "root", method: get, path: "transit/keys/absent", status: 404},
		{name: "create", as: "root", method: post, path: "transit/keys/kek", body: m{"type": "aes256-gcm96"}, status: 200},
		{name: "create again", as: "root", method: post, path: "transit/keys/kek", body: m{"type": "aes256-gcm96"}, status: 200},
		{name: "unknown type", as: "root", method: post, path: "transit/keys/odd", body: m{"type": "rot13"}, status: 400},
		{name: "read", as: "root", method: get, path: "transit/keys/kek", status: 200,
			is: m{"type": "aes256-gcm96", "latest_version": 1, "min_decryption_version": 1, "min_encryption_version": 0, "deletion_allowed": false, "exportable": false, "derived": false, "supports_encryption": true, "supports_signing": false}, data: []string{"keys", "name"}},
		{name: "encrypt", as: "root", method: post, path: "transit/encrypt/kek", body: m{"plaintext": "aGVqIG1lZCBkaWc="}, status: 200, is: m{"key_version": 1}, keep: map[string]string{"k1": "ciphertext"}},
		{name: "decrypt", as: "root", method: post, path: "transit/decrypt/kek", body: m{"ciphertext": "{k1}"}, status: 200, is: m{"plaintext": "aGVqIG1lZCBkaWc="}},
		{name: "encrypt nothing", as: "root", method: post, path: "transit/encrypt/kek", body: m{}, status: 400, err: "missing plaintext"},
		{name: "encrypt the empty text", as: "root", method: post, path: "transit/encrypt/kek", body: m{"plaintext": ""}, status: 200, keep: map[string]string{"k0": "ciphertext"}},
		{name: "decrypt it", as: "root", method: post, path: "transit/decrypt/kek", body: m{"ciphertext": "{k0}"}, status: 200, is: m{"plaintext": ""}},
		{name: "plaintext not base64", as: "root", method: post, path: "transit/encrypt/kek", body: m{"plaintext": "*"}, status: 400},
		{name: "decrypt nothing", as: "root", method: post, path: "transit/decrypt/kek", body: m{}, status: 400, err: "missing ciphertext"},
		{name: "decrypt without prefix", as: "root", method: post, path: "transit/decrypt/kek", body: m{"ciphertext": "rubbish"}, status: 400, err: "invalid ciphertext: no prefix"},
		{name: "decrypt a later version", as: "root", method: post, path: "transit/decrypt/kek", body: m{"ciphertext": "vault:v9:AAAA"}, status: 400, err: "version is too new"},
		{name: "decrypt rubbish", as: "root", method: post, path: "transit/decrypt/kek", body: m{"ciphertext": "vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, status: 400, err: "message authentication failed"},
		{name: "decrypt with no such key", as: "root", method: post, path: "transit/decrypt/absent", body: m{"ciphertext": "{k1}"}, status: 400, err: "encryption key not found"},
		{name: "bind to data", as: "root", method: post, path: "transit/encrypt/kek", body: m{"plaintext": "aGVq", "associated_data": "aGVyZQ=="}, status: 200, keep: map[string]string{"kad": "ciphertext"}},
		{name: "same data", as: "root", method: post, path: "transit/decrypt/kek", body: m{"ciphertext": "{kad}", "associated_data": "aGVyZQ=="}, status: 200, is: m{"plaintext": "aGVq"}},
		{name: "other data", as: "root", method: post, path: "transit/decrypt/kek", body: m{"ciphertext": "{kad}", "associated_data": "dGhlcmU="}, status: 400, err: "message authentication failed"},
		{name: "no data", as: "root", method: post, path: "transit/decrypt/kek", body: m{"ciphertext": "{kad}"}, status: 400, err: "message authentication failed"},
		{name: "data key", as: "root", method: post, path: "transit/datakey/plaintext/kek", body: m{}, status: 200, data: []string{"plaintext", "ciphertext"}, keep: map[string]string{"dk": "ciphertext", "dkp": "plaintext"}},
		{name: "unwrap data key", as: "root", method: post, path: "transit/decrypt/kek", body: m{"ciphertext": "{dk}"}, status: 200, data: []string{"plaintext"}},
		{name: "wrapped data key", as: "root", method: post, path: "transit/datakey/wrapped/kek", body: m{}, status: 200, data: []string{"ciphertext"}},
		{name: "data key of another form", as: "root", method: post, path: "transit/datakey/other/kek", body: m{}, status: 400},
		{name: "encrypting makes a key", as: "root", method: post, path: "transit/encrypt/implicit", body: m{"plaintext": "aGVq"}, status: 200},
		{name: "there it is", as: "root", method: get, path: "transit/keys/implicit", status: 200},
		{name: "list", as: "root", method: list, path: "transit/keys", status: 200, data: []string{"keys"}},
		{name: "deletion refused", as: "root", method: del, path: "transit/keys/kek", status: 400, err: "deletion is not allowed for this key"},
		{name: "no such path", as: "root", method: post, path: "transit/no-such-thing", body: m{}, status: 404, err: "unsupported path"},
		{name: "get on encrypt", as: "root", method: get, path: "transit/encrypt/kek", status: 405, err: "unsupported operation"},
	}
}
