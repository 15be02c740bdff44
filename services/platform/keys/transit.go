package keys

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/api"

	"samvirke.dev/certs/vault"
)

// TransitWriter is the part of Vault's client that wrapping needs; *api.Logical has it.
type TransitWriter interface {
	WriteWithContext(ctx context.Context, path string, data map[string]any) (*api.Secret, error)
}

var _ TransitWriter = (*api.Logical)(nil)

// TransitWrapper reaches key-encryption keys in Vault's transit engine mounted at mount ("transit"). The keys must
// exist (type aes256-gcm96, not derived, not exportable) and the service's policy must grant update, not create, on
// encrypt/<kek> and decrypt/<kek>: with create, Vault would invent a key for a misspelt name.
//
// tink-go-hcvault speaks the same two requests but takes no context; a Vault that hangs would then hang a start or
// a refresh beyond its deadline. The bytes are compatible.
func TransitWrapper(w TransitWriter, mount string) WrapFunc {
	mount = strings.Trim(mount, "/")
	return func(kek string) (Wrapper, error) {
		if mount == "" || !kekGrammar.MatchString(kek) {
			return nil, fmt.Errorf("keys: malformed transit mount or key name %q", kek)
		}
		return &transit{w: w, encrypt: mount + "/encrypt/" + kek, decrypt: mount + "/decrypt/" + kek}, nil
	}
}

type transit struct {
	w                TransitWriter
	encrypt, decrypt string
}

var _ Wrapper = (*transit)(nil)

// EncryptWithContext wraps. Errors: ErrUnwrap, ErrUnreachable.
func (t *transit) EncryptWithContext(ctx context.Context, plaintext, ad []byte) ([]byte, error) {
	out, err := t.call(ctx, t.encrypt, "ciphertext", map[string]any{
		"plaintext":       base64.StdEncoding.EncodeToString(plaintext),
		"associated_data": base64.StdEncoding.EncodeToString(ad),
	})
	return []byte(out), err
}

// DecryptWithContext unwraps. Errors: ErrUnwrap, ErrUnreachable.
func (t *transit) DecryptWithContext(ctx context.Context, ciphertext, ad []byte) ([]byte, error) {
	out, err := t.call(ctx, t.decrypt, "plaintext", map[string]any{
		"ciphertext":      string(ciphertext),
		"associated_data": base64.StdEncoding.EncodeToString(ad),
	})
	if err != nil {
		return nil, err
	}
	plain, err := base64.StdEncoding.DecodeString(out)
	if err != nil {
		// The decoder's error names an offset only, but this is key material: say nothing of it.
		return nil, fmt.Errorf("%w: answer is not base64", ErrUnreachable)
	}
	return plain, nil
}

func (t *transit) call(ctx context.Context, path, field string, body map[string]any) (string, error) {
	secret, err := t.w.WriteWithContext(ctx, path, body)
	if err != nil {
		return "", fmt.Errorf("%w: %w", classify(err), vault.Explain(err))
	}
	if secret == nil {
		return "", fmt.Errorf("%w: empty answer from %s", ErrUnreachable, path)
	}
	out, ok := secret.Data[field].(string)
	if !ok || out == "" {
		return "", fmt.Errorf("%w: no %s in the answer from %s", ErrUnreachable, field, path)
	}
	return out, nil
}

// classify separates "Vault says no" from "Vault can't be asked", because only the first is a mistake to report at
// once. A sealed or overloaded Vault answers 5xx or 429 and belongs to the second.
func classify(err error) error {
	var re *api.ResponseError
	if errors.As(err, &re) && re.StatusCode >= 400 && re.StatusCode < 500 && re.StatusCode != http.StatusTooManyRequests {
		return ErrUnwrap
	}
	return ErrUnreachable
}
