package devvault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"net/http"
	"strconv"
	"strings"
)

const errTooOld = "ciphertext or signature version is disallowed by policy (too old)"

// itemFunc serves one element of a batch, or the request itself when there is no batch.
type itemFunc func(k *transitKey, item params, algorithm string) (map[string]any, error)

// batch runs f over batch_input, or over the body alone. Items fail one by one; the status is 400 as soon as one failed, and the
// results of the others are in that answer all the same.
func (t *transit) batch(req *request, name, wanted string, f itemFunc) (*response, error) {
	k, ok := t.keys[name]
	if !ok {
		return nil, fail(http.StatusBadRequest, "encryption key not found")
	}
	return run(k, req.body, wanted, "", f)
}

func run(k *transitKey, body params, wanted, algorithm string, f itemFunc) (*response, error) {
	if !body.has("batch_input") {
		if !body.has(wanted) {
			return nil, fail(http.StatusBadRequest, "missing %s", wanted)
		}
		data, err := f(k, body, algorithm)
		if err != nil {
			return nil, err
		}
		return &response{data: data}, nil
	}
	items, ok := body["batch_input"].([]any)
	if !ok || len(items) == 0 {
		return nil, fail(http.StatusBadRequest, "missing batch input to process")
	}
	results := make([]any, 0, len(items))
	failed := 0
	for _, raw := range items {
		item, ok := raw.(map[string]any)
		if !ok {
			return nil, fail(http.StatusBadRequest, "failed to parse batch input")
		}
		data, err := f(k, item, algorithm)
		if err != nil {
			failed++
			data = map[string]any{"error": message(err)}
		}
		if ref, ok := item["reference"].(string); ok {
			data["reference"] = ref
		}
		results = append(results, data)
	}
	resp := &response{data: map[string]any{"batch_results": results}}
	if failed > 0 {
		resp.status = http.StatusBadRequest
	}
	return resp, nil
}

func message(err error) string {
	if f, ok := err.(*failure); ok && len(f.errors) > 0 { //nolint:errorlint // made in this file, never wrapped
		return f.errors[0]
	}
	return err.Error()
}

func (t *transit) encrypt(req *request, name string) (*response, error) {
	k, ok := t.keys[name]
	if !ok {
		// The policy allowed a create, or we would not be here.
		if req.body.textOr("type", kindAES) != kindAES {
			return nil, fail(http.StatusBadRequest, "key type not supported for this operation")
		}
		k = newTransitKey(name, kindAES)
		t.keys[name] = k
	}
	return run(k, req.body, "plaintext", "", encryptItem)
}

func encryptItem(k *transitKey, item params, _ string) (map[string]any, error) {
	plain, err := base64.StdEncoding.DecodeString(item.text("plaintext"))
	if err != nil {
		return nil, fail(http.StatusBadRequest, "failed to base64-decode plaintext")
	}
	version, err := k.encryptionVersion(item)
	if err != nil {
		return nil, err
	}
	text, err := k.seal(version, plain, item)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ciphertext": text, "key_version": version}, nil
}

func decryptItem(k *transitKey, item params, _ string) (map[string]any, error) {
	plain, err := k.unseal(item.text("ciphertext"), item)
	if err != nil {
		return nil, err
	}
	return map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plain)}, nil
}

func rewrapItem(k *transitKey, item params, _ string) (map[string]any, error) {
	if item.has("associated_data") {
		// Vault's rewrap has no such field, so a ciphertext bound to associated data can't be rewrapped.
		delete(item, "associated_data")
	}
	plain, err := k.unseal(item.text("ciphertext"), item)
	if err != nil {
		return nil, err
	}
	version, err := k.encryptionVersion(item)
	if err != nil {
		return nil, err
	}
	text, err := k.seal(version, plain, item)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ciphertext": text, "key_version": version}, nil
}

func (k *transitKey) encryptionVersion(item params) (int, error) {
	v, err := item.number("key_version", 0)
	switch {
	case err != nil:
		return 0, err
	case v == 0:
		return k.latest(), nil
	case v < 0:
		return 0, fail(http.StatusBadRequest, "requested version for encryption is negative")
	case v > k.latest():
		return 0, fail(http.StatusBadRequest, "requested version for encryption is higher than the latest key version")
	case v < k.minEncrypt:
		return 0, fail(http.StatusBadRequest, "requested version for encryption is less than the minimum encryption key version")
	}
	return v, nil
}

func (k *transitKey) aead(version int) (cipher.AEAD, error) {
	if k.kind != kindAES {
		return nil, fail(http.StatusBadRequest, "message encryption not supported for key type %s", k.kind)
	}
	block, err := aes.NewCipher(k.versions[version-1].aes)
	if err != nil {
		return nil, fail(http.StatusInternalServerError, "internal error")
	}
	return cipher.NewGCM(block)
}

func associated(item params) ([]byte, error) {
	ad, err := base64.StdEncoding.DecodeString(item.text("associated_data"))
	if err != nil {
		return nil, fail(http.StatusBadRequest, "failed to base64-decode associated_data")
	}
	return ad, nil
}

func (k *transitKey) seal(version int, plain []byte, item params) (string, error) {
	gcm, err := k.aead(version)
	if err != nil {
		return "", err
	}
	ad, err := associated(item)
	if err != nil {
		return "", err
	}
	nonce := randomBytes(gcm.NonceSize())
	return prefix(version) + base64.StdEncoding.EncodeToString(gcm.Seal(nonce, nonce, plain, ad)), nil
}

func (k *transitKey) unseal(text string, item params) ([]byte, error) {
	version, raw, err := k.split(text, "ciphertext")
	if err != nil {
		return nil, err
	}
	gcm, err := k.aead(version)
	if err != nil {
		return nil, err
	}
	ad, err := associated(item)
	if err != nil {
		return nil, err
	}
	if len(raw) < gcm.NonceSize() {
		return nil, fail(http.StatusBadRequest, "invalid ciphertext length")
	}
	plain, err := gcm.Open(nil, raw[:gcm.NonceSize()], raw[gcm.NonceSize():], ad)
	if err != nil {
		return nil, fail(http.StatusBadRequest, "cipher: message authentication failed")
	}
	return plain, nil
}

func prefix(version int) string { return "vault:v" + strconv.Itoa(version) + ":" }

// split reads "vault:v<version>:<base64>" and judges the version.
func (k *transitKey) split(text, what string) (int, []byte, error) {
	rest, ok := strings.CutPrefix(text, "vault:v")
	if !ok {
		return 0, nil, fail(http.StatusBadRequest, "invalid %s: no prefix", what)
	}
	number, encoded, ok := strings.Cut(rest, ":")
	if !ok {
		return 0, nil, fail(http.StatusBadRequest, "invalid %s: wrong number of fields", what)
	}
	version, err := strconv.Atoi(number)
	switch {
	case err != nil || version < 1:
		return 0, nil, fail(http.StatusBadRequest, "invalid %s: version number could not be decoded", what)
	case version > k.latest():
		return 0, nil, fail(http.StatusBadRequest, "invalid %s: version is too new", what)
	case version < k.minDecrypt:
		return 0, nil, fail(http.StatusBadRequest, errTooOld)
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return 0, nil, fail(http.StatusBadRequest, "invalid %s: could not decode base64", what)
	}
	return version, raw, nil
}

func (t *transit) dataKey(req *request, rest string) (*response, error) {
	form, name, _ := strings.Cut(rest, "/")
	if form != "plaintext" && form != "wrapped" {
		return nil, fail(http.StatusBadRequest, "Invalid path, must be 'plaintext' or 'wrapped'")
	}
	k, ok := t.keys[name]
	if !ok {
		return nil, fail(http.StatusBadRequest, "encryption key not found")
	}
	bits, err := req.body.number("bits", 256)
	if err != nil || bits != 128 && bits != 256 && bits != 512 {
		return nil, fail(http.StatusBadRequest, "invalid bit length")
	}
	key := randomBytes(bits / 8)
	text, err := k.seal(k.latest(), key, req.body)
	if err != nil {
		return nil, err
	}
	data := map[string]any{"ciphertext": text, "key_version": k.latest()}
	if form == "plaintext" {
		data["plaintext"] = base64.StdEncoding.EncodeToString(key)
	}
	return &response{data: data}, nil
}

// withAlgorithm serves paths of the form <key>[/<hash algorithm>].
func (t *transit) withAlgorithm(req *request, rest, wanted string, f itemFunc) (*response, error) {
	name, algorithm, _ := strings.Cut(rest, "/")
	k, ok := t.keys[name]
	if !ok {
		return nil, fail(http.StatusBadRequest, "%s key not found", map[bool]string{true: "signing", false: "encryption"}[strings.HasPrefix(req.path, "sign")])
	}
	if algorithm == "" {
		algorithm = req.body.textOr("hash_algorithm", req.body.textOr("algorithm", "sha2-256"))
	}
	resp, err := run(k, req.body, wanted, algorithm, f)
	if resp != nil {
		resp.status = http.StatusOK
	}
	return resp, err
}

func input(item params) ([]byte, error) {
	in, err := base64.StdEncoding.DecodeString(item.text("input"))
	if err != nil {
		return nil, fail(http.StatusBadRequest, "unable to decode input as base64: %s", err)
	}
	return in, nil
}

func signItem(k *transitKey, item params, _ string) (map[string]any, error) {
	in, err := input(item)
	if err != nil {
		return nil, err
	}
	if k.kind != kindEd25519 {
		return nil, fail(http.StatusBadRequest, "key type %s does not support signing", k.kind)
	}
	if on, err := item.flag("prehashed", false); err != nil || on {
		return nil, errNotOffered("prehashed signatures")
	}
	version, err := k.encryptionVersion(item)
	if err != nil {
		return nil, err
	}
	sig := ed25519.Sign(k.versions[version-1].sign, in)
	return map[string]any{"signature": prefix(version) + base64.StdEncoding.EncodeToString(sig), "key_version": version}, nil
}

func hmacItem(k *transitKey, item params, algorithm string) (map[string]any, error) {
	in, err := input(item)
	if err != nil {
		return nil, err
	}
	version, err := k.encryptionVersion(item)
	if err != nil {
		return nil, err
	}
	sum, err := k.mac(version, algorithm, in)
	if err != nil {
		return nil, err
	}
	return map[string]any{"hmac": prefix(version) + base64.StdEncoding.EncodeToString(sum)}, nil
}

func (k *transitKey) mac(version int, algorithm string, in []byte) ([]byte, error) {
	algorithms := map[string]func() hash.Hash{"sha2-256": sha256.New, "sha2-384": sha512.New384, "sha2-512": sha512.New}
	h, ok := algorithms[algorithm]
	if !ok {
		return nil, fail(http.StatusBadRequest, "unsupported algorithm %q", algorithm)
	}
	m := hmac.New(h, k.versions[version-1].hmac)
	m.Write(in)
	return m.Sum(nil), nil
}

func verifyItem(k *transitKey, item params, algorithm string) (map[string]any, error) {
	in, err := input(item)
	if err != nil {
		return nil, err
	}
	if item.has("hmac") {
		version, sum, err := k.split(item.text("hmac"), "HMAC")
		if err != nil {
			return nil, err
		}
		want, err := k.mac(version, algorithm, in)
		if err != nil {
			return nil, err
		}
		return map[string]any{"valid": hmac.Equal(sum, want)}, nil
	}
	if !item.has("signature") {
		return nil, fail(http.StatusBadRequest, "provide one of 'signature', 'hmac' or 'cmac'")
	}
	if k.kind != kindEd25519 {
		return nil, fail(http.StatusBadRequest, "key type %s does not support verification", k.kind)
	}
	version, sig, err := k.split(item.text("signature"), "signature")
	if err != nil {
		return nil, err
	}
	pub, _ := k.versions[version-1].sign.Public().(ed25519.PublicKey)
	return map[string]any{"valid": ed25519.Verify(pub, in, sig)}, nil
}
