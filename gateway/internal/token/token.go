// Package token issues and checks access tokens that are bound to the client certificate (RFC 8705), for partners whose software wants a
// bearer token. A token never opens more than the certificate does: it narrows a call to its scope and ends sooner. Tokens are JWTs
// (RFC 9068) signed with a key in Vault, so that every replica accepts what any of them issued and none keeps state.
package token

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"samvirke.dev/certs/signing"
	"samvirke.dev/certs/workload"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/ids"
)

// typ is the media type of an access token (RFC 9068).
const typ = "at+jwt"

// leeway allows for clocks that differ between replicas.
const leeway = 30 * time.Second

// ErrInvalid means that a token is not to be accepted; its text says why, and nothing of the token.
var ErrInvalid = errors.New("token is not valid")

// Issuer issues and checks tokens.
type Issuer struct {
	key   *signing.Key
	name  string
	ttl   time.Duration
	clock clock.Clock
}

// New returns an issuer. name is its URL, which tokens carry as issuer and audience; ttl the life of a token.
func New(key *signing.Key, name string, ttl time.Duration, c clock.Clock) *Issuer {
	return &Issuer{key: key, name: name, ttl: ttl, clock: c}
}

// claims are those of RFC 9068 and RFC 8705.
type claims struct {
	jwt.Claims
	ClientID     string       `json:"client_id"`
	Scope        string       `json:"scope"`
	Confirmation confirmation `json:"cnf"`
}

type confirmation struct {
	Thumbprint string `json:"x5t#S256"`
}

// Thumbprint is the SHA-256 of a certificate as RFC 8705 writes it.
func Thumbprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Issue signs a token for a caller with a verified certificate.
func (i *Issuer) Issue(ctx context.Context, id workload.ID, cert *x509.Certificate, scope []string) (raw string, life time.Duration, err error) {
	now := i.clock.Now()
	version := i.key.Latest()
	public, err := i.key.Public(version)
	if err != nil {
		return "", 0, fmt.Errorf("token: %w", err)
	}
	opaque := &vaultSigner{ctx: ctx, key: i.key, version: version, public: jose.JSONWebKey{Key: public, KeyID: i.kid(version), Algorithm: string(jose.EdDSA)}}
	options := (&jose.SignerOptions{}).WithType(typ)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: opaque}, options)
	if err != nil {
		return "", 0, fmt.Errorf("token: %w", err)
	}
	raw, err = jwt.Signed(signer).Claims(claims{
		Claims: jwt.Claims{
			Issuer: i.name, Subject: id.String(), Audience: jwt.Audience{i.name}, ID: ids.NewEventID(),
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(i.ttl)),
		},
		ClientID: id.String(), Scope: strings.Join(scope, " "), Confirmation: confirmation{Thumbprint(cert)},
	}).Serialize()
	if err != nil {
		return "", 0, fmt.Errorf("token: %w", err)
	}
	return raw, i.ttl, nil
}

// Check returns the scope of a token that was shown over a connection with the given identity and certificate. Errors wrap ErrInvalid.
func (i *Issuer) Check(raw string, id workload.ID, cert *x509.Certificate) ([]string, error) {
	parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil || len(parsed.Headers) != 1 {
		return nil, fmt.Errorf("%w: it is no signed token", ErrInvalid)
	}
	version, ok := i.version(parsed.Headers[0].KeyID)
	if !ok || parsed.Headers[0].ExtraHeaders["typ"] != typ {
		return nil, fmt.Errorf("%w: it was not issued here", ErrInvalid)
	}
	public, err := i.key.Public(version)
	if err != nil {
		return nil, fmt.Errorf("%w: it was not issued here", ErrInvalid)
	}
	var c claims
	if err := parsed.Claims(public, &c); err != nil {
		return nil, fmt.Errorf("%w: its signature is wrong", ErrInvalid)
	}
	expected := jwt.Expected{Issuer: i.name, AnyAudience: jwt.Audience{i.name}, Time: i.clock.Now()}
	if err := c.ValidateWithLeeway(expected, leeway); err != nil || c.Expiry == nil {
		return nil, fmt.Errorf("%w: it has expired or is not for here", ErrInvalid)
	}
	if subtle.ConstantTimeCompare([]byte(c.Confirmation.Thumbprint), []byte(Thumbprint(cert))) != 1 || c.Subject != id.String() {
		return nil, fmt.Errorf("%w: it is bound to another certificate", ErrInvalid)
	}
	return strings.Fields(c.Scope), nil
}

// Keys are the public keys with which anybody can check tokens (RFC 7517).
func (i *Issuer) Keys() jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	for version, public := range i.key.Versions() {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: public, KeyID: i.kid(version), Algorithm: string(jose.EdDSA), Use: "sig"})
	}
	return set
}

func (i *Issuer) kid(version int) string { return i.key.Name() + "-" + strconv.Itoa(version) }

func (i *Issuer) version(kid string) (int, bool) {
	number, ok := strings.CutPrefix(kid, i.key.Name()+"-")
	version, err := strconv.Atoi(number)
	return version, ok && err == nil
}

// vaultSigner signs one token; the library's interface takes no context.
type vaultSigner struct {
	ctx     context.Context //nolint:containedctx // lives for one call of Issue
	key     *signing.Key
	version int
	public  jose.JSONWebKey
}

var _ jose.OpaqueSigner = (*vaultSigner)(nil)

// Public implements jose.OpaqueSigner.
func (s *vaultSigner) Public() *jose.JSONWebKey { return &s.public }

// Algs implements jose.OpaqueSigner.
func (s *vaultSigner) Algs() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{jose.EdDSA} }

// SignPayload implements jose.OpaqueSigner.
func (s *vaultSigner) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	return s.key.SignWith(s.ctx, payload, s.version)
}
