package keys

import (
	"encoding/binary"
	"fmt"
)

// tinkPrefix is the first byte of a ciphertext made with a key of Tink's own output variant; four bytes of key id follow.
const (
	tinkPrefix    = 0x01
	tinkPrefixLen = 5
)

// AEAD encrypts and decrypts with one keyset. Safe for concurrent use; never calls Vault. Covers SEC-03.
type AEAD struct{ e *entry }

// Encrypt seals plaintext with the primary key. The associated data (table, column, row key) is not stored and must
// be given again to decrypt: it keeps a ciphertext from being moved to another row. Errors: ErrExpired.
func (a *AEAD) Encrypt(plaintext, ad []byte) ([]byte, error) {
	st, err := a.e.live()
	if err != nil {
		return nil, err
	}
	out, err := st.aead.Encrypt(plaintext, ad)
	if err != nil {
		return nil, fmt.Errorf("keys: encrypt with %s: %w", a.e.spec.Name, err)
	}
	return out, nil
}

// Decrypt opens a ciphertext of any enabled key version. Errors: ErrExpired, ErrUnknownVersion, ErrDecrypt.
func (a *AEAD) Decrypt(ciphertext, ad []byte) ([]byte, error) {
	st, err := a.e.live()
	if err != nil {
		return nil, err
	}
	out, err := st.aead.Decrypt(ciphertext, ad)
	if err != nil {
		// Tink's text says no more than that it failed, and must not become an oracle if that ever changes.
		return nil, fmt.Errorf("%w: keyset %s", a.refusal(st, ciphertext), a.e.spec.Name)
	}
	return out, nil
}

// Version reads the key version out of a ciphertext, for jobs that re-encrypt what an old key sealed; false if it
// is no ciphertext of this package.
func (a *AEAD) Version(ciphertext []byte) (uint32, bool) {
	return ciphertextVersion(ciphertext)
}

// String names the keyset and nothing else, whatever the formatting verb.
func (a *AEAD) String() string { return "aead:" + a.e.spec.Name }

// GoString keeps %#v from walking into the key.
func (a *AEAD) GoString() string { return a.String() }

func (a *AEAD) refusal(st *state, ciphertext []byte) error {
	v, ok := ciphertextVersion(ciphertext)
	if !ok {
		return ErrDecrypt
	}
	if _, known := st.versions[v]; known {
		return ErrDecrypt
	}
	a.e.askRefresh()
	return ErrUnknownVersion
}

func ciphertextVersion(ciphertext []byte) (uint32, bool) {
	if len(ciphertext) < tinkPrefixLen || ciphertext[0] != tinkPrefix {
		return 0, false
	}
	return binary.BigEndian.Uint32(ciphertext[1:tinkPrefixLen]), true
}
