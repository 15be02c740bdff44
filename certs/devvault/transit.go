package devvault

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"samvirke.dev/certs/internal/clock"
)

const (
	kindAES     = "aes256-gcm96"
	kindEd25519 = "ed25519"
)

// transit serves one transit mount.
type transit struct{ keys map[string]*transitKey }

type transitKey struct {
	name, kind string
	// versions[0] is version 1.
	versions               []keyVersion
	minDecrypt, minEncrypt int
	deletable              bool
}

type keyVersion struct {
	created time.Time
	aes     []byte
	sign    ed25519.PrivateKey
	hmac    []byte
}

func newTransit() *transit { return &transit{keys: map[string]*transitKey{}} }

func (t *transit) open(operation, string) bool { return false }

// exists lets a policy without "create" use a key and yet not make one: encrypting under an unknown name creates it.
func (t *transit) exists(path string) (known, exists bool) {
	name, ok := strings.CutPrefix(path, "encrypt/")
	if !ok {
		return false, false
	}
	_, exists = t.keys[name]
	return true, exists
}

func (t *transit) handle(req *request) (*response, error) {
	head, rest, _ := strings.Cut(req.path, "/")
	if head == "keys" {
		return t.manage(req, rest)
	}
	if req.op != opUpdate && req.op != opCreate {
		return nil, errUnsupported()
	}
	switch head {
	case "encrypt":
		return t.encrypt(req, rest)
	case "decrypt":
		return t.batch(req, rest, "ciphertext", decryptItem)
	case "rewrap":
		return t.batch(req, rest, "ciphertext", rewrapItem)
	case "datakey":
		return t.dataKey(req, rest)
	case "sign":
		return t.withAlgorithm(req, rest, "input", signItem)
	case "hmac":
		return t.withAlgorithm(req, rest, "input", hmacItem)
	case "verify":
		return t.withAlgorithm(req, rest, "input", verifyItem)
	default:
		return nil, errUnknownPath()
	}
}

func (t *transit) manage(req *request, rest string) (*response, error) {
	name, action, _ := strings.Cut(rest, "/")
	if name == "" {
		if req.op != opList {
			return nil, errUnsupported()
		}
		if len(t.keys) == 0 {
			return nil, errNotFound()
		}
		return &response{data: map[string]any{"keys": slices.Sorted(maps.Keys(t.keys))}}, nil
	}
	k, ok := t.keys[name]
	switch {
	case action == "" && req.op == opUpdate:
		return t.create(req, name)
	case action == "" && req.op == opRead && !ok:
		return nil, errNotFound()
	case !ok && action == "config":
		return nil, fail(http.StatusBadRequest, "no existing key named %s could be found", name)
	case !ok && action == "rotate":
		return nil, fail(http.StatusBadRequest, "key not found")
	case !ok:
		return nil, fail(http.StatusBadRequest, "could not delete key; not found")
	case action == "" && req.op == opRead:
		return &response{data: k.describe()}, nil
	case action == "" && req.op == opDelete:
		if !k.deletable {
			return nil, fail(http.StatusBadRequest, "error deleting policy %s: deletion is not allowed for this key", name)
		}
		delete(t.keys, name)
		return nil, nil
	case action == "rotate" && req.op == opUpdate:
		k.versions = append(k.versions, newKeyVersion(k.kind))
		return &response{data: k.describe()}, nil
	case action == "config" && req.op == opUpdate:
		return k.configure(req.body)
	default:
		return nil, errUnsupported()
	}
}

func (t *transit) create(req *request, name string) (*response, error) {
	if k, ok := t.keys[name]; ok {
		return &response{data: k.describe(), warnings: []string{"key " + name + " already existed"}}, nil
	}
	if err := req.body.only("a transit key", "type", "exportable", "derived", "convergent_encryption", "allow_plaintext_backup", "auto_rotate_period"); err != nil {
		return nil, err
	}
	for _, name := range []string{"exportable", "derived", "convergent_encryption", "allow_plaintext_backup"} {
		if on, err := req.body.flag(name, false); err != nil || on {
			return nil, errNotOffered("transit keys with " + name)
		}
	}
	if period, err := req.body.duration("auto_rotate_period", 0); err != nil || period != 0 {
		return nil, errNotOffered("automatic rotation")
	}
	kind := req.body.textOr("type", kindAES)
	if kind != kindAES && kind != kindEd25519 {
		return nil, errNotOffered("transit key type " + kind)
	}
	t.keys[name] = newTransitKey(name, kind)
	return &response{data: t.keys[name].describe()}, nil
}

func newTransitKey(name, kind string) *transitKey {
	return &transitKey{name: name, kind: kind, versions: []keyVersion{newKeyVersion(kind)}, minDecrypt: 1}
}

func newKeyVersion(kind string) keyVersion {
	v := keyVersion{created: clock.Now(), hmac: randomBytes(32)}
	if kind == kindEd25519 {
		_, v.sign, _ = ed25519.GenerateKey(rand.Reader) // crypto/rand ends the process rather than fail
		return v
	}
	v.aes = randomBytes(32)
	return v
}

func (k *transitKey) latest() int { return len(k.versions) }

func (k *transitKey) describe() map[string]any {
	versions := map[string]any{}
	for i, v := range k.versions {
		if i+1 < k.minDecrypt {
			continue
		}
		if k.kind == kindEd25519 {
			pub, _ := v.sign.Public().(ed25519.PublicKey)
			versions[strconv.Itoa(i+1)] = map[string]any{
				"name": "ed25519", "public_key": base64.StdEncoding.EncodeToString(pub), "creation_time": v.created.UTC().Format(time.RFC3339Nano), "certificate_chain": "",
			}
			continue
		}
		versions[strconv.Itoa(i+1)] = v.created.Unix()
	}
	aes := k.kind == kindAES
	return map[string]any{
		"name": k.name, "type": k.kind, "keys": versions, "latest_version": k.latest(), "min_decryption_version": k.minDecrypt,
		"min_encryption_version": k.minEncrypt, "min_available_version": 0, "deletion_allowed": k.deletable, "exportable": false,
		"derived": false, "allow_plaintext_backup": false, "supports_encryption": aes, "supports_decryption": aes,
		"supports_signing": !aes, "supports_derivation": true, "auto_rotate_period": 0, "imported_key": false,
	}
}

func (k *transitKey) configure(b params) (*response, error) {
	if err := b.only("a transit key's config", "min_decryption_version", "min_encryption_version", "deletion_allowed"); err != nil {
		return nil, err
	}
	next := *k
	var err error
	if next.minDecrypt, err = b.number("min_decryption_version", k.minDecrypt); err != nil {
		return nil, err
	}
	if next.minEncrypt, err = b.number("min_encryption_version", k.minEncrypt); err != nil {
		return nil, err
	}
	if next.deletable, err = b.flag("deletion_allowed", k.deletable); err != nil {
		return nil, err
	}
	if next.minDecrypt == 0 {
		next.minDecrypt = 1
	}
	switch {
	case next.minDecrypt < 0:
		return nil, fail(http.StatusBadRequest, "min decryption version cannot be negative")
	case next.minEncrypt < 0:
		return nil, fail(http.StatusBadRequest, "min encryption version cannot be negative")
	case next.minDecrypt > k.latest():
		return nil, fail(http.StatusBadRequest, "cannot set min decryption version of %d, latest key version is %d", next.minDecrypt, k.latest())
	case next.minEncrypt > k.latest():
		return nil, fail(http.StatusBadRequest, "cannot set min encryption version of %d, latest key version is %d", next.minEncrypt, k.latest())
	case next.minEncrypt > 0 && next.minEncrypt < next.minDecrypt:
		return nil, fail(http.StatusBadRequest, "cannot set min decryption version of %d, min encryption version is %d", next.minDecrypt, next.minEncrypt)
	}
	*k = next
	return &response{data: k.describe()}, nil
}
