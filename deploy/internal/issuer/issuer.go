// Package issuer signs powers of attorney as the broker of a national eID would after a member has signed in and agreed. It is for sandbox,
// tests and benchmark: its key is made anew in each process.
package issuer

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	name  = "https://eid.sandbox.example"
	keyID = "sandbox-1"
	// life is how long a power of attorney is good for.
	life = 60 * 24 * time.Hour
)

// Issuer signs powers of attorney.
type Issuer struct {
	key    ed25519.PrivateKey
	public ed25519.PublicKey
	signer jose.Signer
}

// New makes an issuer with a fresh key.
func New() (*Issuer, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	options := (&jose.SignerOptions{}).WithHeader("kid", keyID).WithType("JWT")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: private}, options)
	return &Issuer{private, public, signer}, err
}

// Name is the claim iss.
func (i *Issuer) Name() string { return name }

// JWKS returns the public keys as a JSON Web Key Set.
func (i *Issuer) JWKS() ([]byte, error) {
	return json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.public, KeyID: keyID, Algorithm: string(jose.EdDSA), Use: "sig"}}})
}

// PowerOfAttorney signs that a member, by canonical national number, lets a fund contact the present one, for what the scopes say: any of
// contact_current_fund, exit and data.
func (i *Issuer) PowerOfAttorney(number, fund, current string, now time.Time, scopes ...string) (string, error) {
	text, err := jwt.Signed(i.signer).Claims(map[string]any{
		"iss": name, "sub": number, "aud": fund, "current_fund": current, "acr": "substantial", "jti": rand.Text(), "scope": scopes,
		"nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(life).Unix(),
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("power of attorney: %w", err)
	}
	return text, nil
}
