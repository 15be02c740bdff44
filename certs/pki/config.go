package pki

import (
	"errors"
	"fmt"
	"net"
	"time"

	"samvirke.dev/certs/workload"
)

// Config says which leaf to hold and whom to trust.
type Config struct {
	// Mount and Role are where the leaf is signed: <Mount>/sign/<Role>. Mount is "pki-svc" when empty.
	Mount string
	Role  string
	// ID is the one URI SAN of the leaf.
	ID workload.ID
	// DNSNames and IPs are further SANs, for clients that check host names (REST); the role must allow them.
	DNSNames []string
	IPs      []net.IP
	// TTL is the life asked for; 4 hours when zero. Vault may give less.
	TTL time.Duration
	// RootMounts are the mounts whose self-signed issuers are the trust anchors; "pki-root" alone when empty.
	RootMounts []string
	// TrustMounts are the mounts of the intermediates for organisations. Their revocation lists are followed, as are Mount's; a
	// peer of any other issuer is refused, even if it chains to an anchor. Issuers of Mount speak for services only, issuers
	// of TrustMounts for organisations only.
	TrustMounts []string
	// Refresh is how often anchors and revocation lists are fetched; 1 minute when zero.
	Refresh time.Duration
	// Grace is how long after its next update a revocation list is still believed while Vault can't be asked; 6 hours when
	// zero. After that every peer of its issuer is refused.
	Grace time.Duration
}

// AddNames adds host names and IP addresses in their text form to the leaf.
func (c *Config) AddNames(names ...string) {
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			c.IPs = append(c.IPs, ip)
		} else {
			c.DNSNames = append(c.DNSNames, n)
		}
	}
}

// Validate reports every problem at once, joined.
func (c Config) Validate() error {
	var errs []error
	if c.Role == "" {
		errs = append(errs, errors.New("role is missing"))
	}
	if c.ID.IsZero() {
		errs = append(errs, errors.New("workload identity is missing"))
	}
	for what, d := range map[string]time.Duration{"TTL": c.TTL, "refresh": c.Refresh, "grace": c.Grace} {
		if d < 0 {
			errs = append(errs, fmt.Errorf("%s is negative", what))
		}
	}
	if c.TTL != 0 && c.TTL < time.Second {
		errs = append(errs, errors.New("TTL is under a second, which Vault can't express"))
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("certificate configuration: %w", errors.Join(errs...))
}

func (c Config) withDefaults() Config {
	if c.Mount == "" {
		c.Mount = "pki-svc"
	}
	if len(c.RootMounts) == 0 {
		c.RootMounts = []string{"pki-root"}
	}
	if c.TTL == 0 {
		c.TTL = 4 * time.Hour
	}
	if c.Refresh == 0 {
		c.Refresh = time.Minute
	}
	if c.Grace == 0 {
		c.Grace = 6 * time.Hour
	}
	return c
}
