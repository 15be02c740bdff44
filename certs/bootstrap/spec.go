// Package bootstrap configures a Vault for this project: authorities, signing roles, key-encryption keys, policies and AppRoles.
// Apply may be run again at any time, on a fresh or a configured Vault, real or development: what exists is kept or brought
// up to date, keys and authorities are never replaced.
//
// The layout: one root (mount "pki-root") that signs intermediates only; one intermediate for our own services ("pki-svc");
// one per class of outsiders ("pki-org", "pki-partner"). Each signing role allows exactly one SPIFFE id, and each service's policy
// allows exactly its own role and its own uses of its own keys.
package bootstrap

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"samvirke.dev/certs/workload"
)

// Names of the mounts that are not up to the Spec.
const (
	RootMount    = "pki-root"
	ServiceMount = "pki-svc"
	// OrgMount is where IssueOrganisation issues.
	OrgMount     = "pki-org"
	TransitMount = "transit"
	AppRoleMount = "approle"
	PartnerMount = "pki-partner"
)

const (
	mountPattern = `^[a-z][a-z0-9-]{0,62}$`
	keyPattern   = `^[a-z][a-zA-Z0-9_.-]{0,126}\*?$`
)

// Spec says what Vault shall hold.
type Spec struct {
	// TrustDomain is the domain of every identity issued; intermediates are constrained to it.
	TrustDomain string
	// Classes are the mounts for outsiders, such as OrgMount and PartnerMount.
	Classes []Class
	// Services get a signing role, a policy and an AppRole each.
	Services []Service
	// Keys are the transit keys that must exist.
	Keys []Key
	// RootTTL and IntermediateTTL are the lives of the authorities; 10 and 5 years when zero.
	RootTTL, IntermediateTTL time.Duration
	// LeafTTL is the life of a service's certificate unless it asks for less, and MaxLeafTTL the longest it may ask for; 4
	// and 24 hours when zero.
	LeafTTL, MaxLeafTTL time.Duration
	// TokenTTL is the life of a service's token, renewed by the service, and TokenMaxTTL when it must log in again; 1 and
	// 24 hours when zero.
	TokenTTL, TokenMaxTTL time.Duration
	// CRLTTL is how long a revocation list is good for, at least 2 minutes; 72 hours when zero. Vault renews it by itself when
	// a sixth is left.
	CRLTTL time.Duration
}

// Class is a kind of outsiders with an intermediate of its own.
type Class struct {
	// Mount is the PKI mount.
	Mount string
	// Organisations may be issued certificates here; others get their role when IssueOrganisation is called.
	Organisations []workload.ID
	// MaxTTL is the longest life of a certificate; 90 days when zero.
	MaxTTL time.Duration
}

// Service is one of ours.
type Service struct {
	// Name is the service's name in its identity; role, policy and AppRole carry it too.
	Name string
	// DNSNames and AllowIPs open the role for clients that check host names, such as those of the REST gateway.
	DNSNames []string
	AllowIPs bool
	// Grants are the transit keys it may use and how.
	Grants []Grant
}

// KeyType is a type of transit key.
type KeyType string

// The types of key used here: authenticated encryption and signing.
const (
	AES256GCM KeyType = "aes256-gcm96"
	Ed25519   KeyType = "ed25519"
)

// Key is a transit key.
type Key struct {
	Name string
	// Type is AES256GCM when empty.
	Type KeyType
}

// Use is one operation on a transit key.
type Use string

// What a service may be granted. Creating, rotating, configuring, exporting and deleting keys is never granted to a service.
const (
	Encrypt Use = "encrypt"
	Decrypt Use = "decrypt"
	Rewrap  Use = "rewrap"
	DataKey Use = "datakey"
	Sign    Use = "sign"
	Verify  Use = "verify"
	HMAC    Use = "hmac"
	// Describe reads versions and public keys.
	Describe Use = "describe"
)

// Grant lets a service use a key.
type Grant struct {
	// Key is a name, or a prefix that ends in "*".
	Key  string
	Uses []Use
}

// Validate reports every problem at once, joined.
func (s Spec) Validate() error {
	var errs []error
	if _, err := workload.Service(s.TrustDomain, "probe"); err != nil {
		errs = append(errs, fmt.Errorf("trust domain: %w", err))
	}
	for _, c := range s.Classes {
		errs = append(errs, c.validate(s.TrustDomain))
	}
	key := regexp.MustCompile(keyPattern)
	for _, k := range s.Keys {
		if !key.MatchString(k.Name) || strings.HasSuffix(k.Name, "*") {
			errs = append(errs, fmt.Errorf("unusable key name %q", k.Name))
		}
	}
	seen := map[string]bool{}
	for _, svc := range s.Services {
		if _, err := workload.Service(s.TrustDomain, svc.Name); err != nil || seen[svc.Name] {
			errs = append(errs, fmt.Errorf("unusable or repeated service name %q", svc.Name))
		}
		seen[svc.Name] = true
		errs = append(errs, svc.validate(key))
	}
	if s.CRLTTL != 0 && s.CRLTTL < 2*time.Minute {
		errs = append(errs, errors.New("CRL TTL is under two minutes, which Vault's own renewal can't keep up with"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	return nil
}

func (c Class) validate(trustDomain string) error {
	var errs []error
	if !regexp.MustCompile(mountPattern).MatchString(c.Mount) || c.Mount == RootMount || c.Mount == ServiceMount {
		errs = append(errs, fmt.Errorf("class has unusable mount %q", c.Mount))
	}
	for _, id := range c.Organisations {
		if id.Kind() != workload.KindOrganisation || id.TrustDomain() != trustDomain {
			errs = append(errs, fmt.Errorf("class %s: %q is no organisation of %s", c.Mount, id, trustDomain))
		}
	}
	return errors.Join(errs...)
}

func (svc Service) validate(key *regexp.Regexp) error {
	var errs []error
	for _, g := range svc.Grants {
		if !key.MatchString(g.Key) || len(g.Uses) == 0 {
			errs = append(errs, fmt.Errorf("service %s: unusable grant on key %q", svc.Name, g.Key))
		}
		for _, u := range g.Uses {
			if _, ok := usePaths[u]; !ok {
				errs = append(errs, fmt.Errorf("service %s: unknown use %q of key %q", svc.Name, u, g.Key))
			}
		}
	}
	return errors.Join(errs...)
}

func (s Spec) withDefaults() Spec {
	const year = 365 * 24 * time.Hour
	for into, d := range map[*time.Duration]time.Duration{
		&s.RootTTL: 10 * year, &s.IntermediateTTL: 5 * year, &s.LeafTTL: 4 * time.Hour, &s.MaxLeafTTL: 24 * time.Hour,
		&s.TokenTTL: time.Hour, &s.TokenMaxTTL: 24 * time.Hour, &s.CRLTTL: 72 * time.Hour,
	} {
		if *into == 0 {
			*into = d
		}
	}
	return s
}

// usePaths are the paths below the transit mount that a use needs; %s is the key.
var usePaths = map[Use][]string{ //nolint:gochecknoglobals // a constant table
	Encrypt: {"encrypt/%s"}, Decrypt: {"decrypt/%s"}, Rewrap: {"rewrap/%s"}, DataKey: {"datakey/plaintext/%s"},
	Sign: {"sign/%s"}, Verify: {"verify/%s"}, HMAC: {"hmac/%s", "hmac/%s/*"}, Describe: {"keys/%s"},
}
