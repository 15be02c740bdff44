// Package assertion verifies powers of attorney: JSON Web Tokens in JWS compact form, signed by an issuer that the configuration names,
// such as the broker of a national eID after the member has signed. Whether one is wide enough and valid today is not decided here.
package assertion

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/civil"
)

// Issuer is one whose assertions are believed.
type Issuer struct {
	Name     string // the claim iss
	JWKSFile string // file with its public keys, a JSON Web Key Set
}

// Verifier verifies assertions. It is safe for concurrent use.
type Verifier struct {
	issuers []Issuer
	zone    *time.Location
	log     *slog.Logger

	keys atomic.Pointer[map[string]jose.JSONWebKeySet] // by name of the issuer
}

var _ core.Assertions = (*Verifier)(nil)

// New reads the keys of all issuers; without any, no assertion is believed.
func New(issuers []Issuer, zone *time.Location, log *slog.Logger) (*Verifier, error) {
	v := &Verifier{issuers: issuers, zone: zone, log: log}
	keys, err := read(issuers)
	v.keys.Store(&keys)
	return v, err
}

// Reload reads the keys anew, so that an issuer may change them. Keys that can't be read change nothing: those at hand stay.
func (v *Verifier) Reload(ctx context.Context) {
	keys, err := read(v.issuers)
	if err != nil {
		v.log.ErrorContext(ctx, "keys of issuers of powers of attorney can't be read; those from before stay", "error", err)
		return
	}
	v.keys.Store(&keys)
}

// Run reloads every so often until ctx ends.
func (v *Verifier) Run(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			v.Reload(ctx)
		}
	}
}

// read reads all files. Secret keys in one are refused: they have no business there.
func read(issuers []Issuer) (map[string]jose.JSONWebKeySet, error) {
	out := map[string]jose.JSONWebKeySet{}
	for _, i := range issuers {
		raw, err := os.ReadFile(i.JWKSFile)
		if err != nil {
			return nil, fmt.Errorf("keys of issuer %s: %w", i.Name, err)
		}
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(raw, &set); err != nil {
			return nil, fmt.Errorf("keys of issuer %s: not a JSON Web Key Set", i.Name)
		}
		for _, key := range set.Keys {
			if !key.IsPublic() || !key.Valid() || key.KeyID == "" {
				return nil, fmt.Errorf("keys of issuer %s: want public keys with a kid", i.Name)
			}
		}
		if i.Name == "" || len(set.Keys) == 0 {
			return nil, errors.New("an issuer needs a name and keys")
		}
		out[i.Name] = set
	}
	return out, nil
}

// claims are what an assertion says, beside the registered claims of RFC 7519: iss, sub (canonical national number), aud (the fund that
// may act), nbf, exp, jti.
type claims struct {
	jwt.Claims

	Level   string   `json:"acr"`
	Scope   []string `json:"scope"`
	Current string   `json:"current_fund"`
}

// algorithms are those that may sign: no symmetric ones, and not none.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256, jose.ES384, jose.PS256, jose.RS256}
}

// Verify implements core.Assertions.
func (v *Verifier) Verify(text string) (cases.PowerOfAttorney, error) {
	token, err := jwt.ParseSigned(text, algorithms())
	if err != nil || len(token.Headers) != 1 {
		return cases.PowerOfAttorney{}, core.ErrAssertion
	}
	var named jwt.Claims
	if err := token.UnsafeClaimsWithoutVerification(&named); err != nil {
		return cases.PowerOfAttorney{}, core.ErrAssertion
	}
	keys, known := (*v.keys.Load())[named.Issuer]
	if !known {
		return cases.PowerOfAttorney{}, core.ErrAssertion
	}
	var c claims
	if err := token.Claims(keys, &c); err != nil { // by the key that kid names
		return cases.PowerOfAttorney{}, core.ErrAssertion
	}
	return v.read(c, text)
}

func (v *Verifier) read(c claims, text string) (cases.PowerOfAttorney, error) {
	if c.ID == "" || c.Subject == "" || len(c.Audience) != 1 || c.NotBefore == nil || c.Expiry == nil {
		return cases.PowerOfAttorney{}, core.ErrAssertion
	}
	sum := sha256.Sum256([]byte(text))
	return cases.PowerOfAttorney{
		Issuer: c.Issuer, ID: c.ID, Hash: sum[:], Level: level(c.Level), Scope: scope(c.Scope), Subject: c.Subject, Fund: c.Audience[0],
		Current: c.Current, ValidFrom: civil.Of(c.NotBefore.Time().In(v.zone)), ValidTo: civil.Of(c.Expiry.Time().Add(-time.Second).In(v.zone)),
	}, nil
}

// level reads the level of assurance, by its short name or as eIDAS writes it.
func level(acr string) cases.Level {
	switch strings.TrimPrefix(strings.ToLower(acr), "http://eidas.europa.eu/loa/") {
	case "high":
		return cases.High
	case "substantial":
		return cases.Substantial
	case "low":
		return cases.Low
	default:
		return 0
	}
}

func scope(names []string) (out cases.Scope) {
	for _, name := range names {
		switch name {
		case "contact_current_fund":
			out |= cases.ContactCurrentFund
		case "exit":
			out |= cases.Exit
		case "data":
			out |= cases.Data
		}
	}
	return out
}
