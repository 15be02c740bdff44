package bootstrap

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"samvirke.dev/certs/internal/minica"
	"samvirke.dev/certs/vault"
	"samvirke.dev/certs/workload"
)

// defaultOrgTTL is the longest life of an outsider's certificate where nothing else is said.
const defaultOrgTTL = 90 * 24 * time.Hour

// Issued is a certificate with its chain, its key and the anchor that its bearer should trust, all as PEM.
type Issued struct {
	CertPEM, KeyPEM, CAPEM []byte
	// Serial is in Vault's spelling, as Revoke takes it.
	Serial string
	// NotAfter is when it ends.
	NotAfter time.Time
}

// IssueOrganisation issues a client certificate for an organisation's system from OrgMount.
func IssueOrganisation(ctx context.Context, client *api.Client, id workload.ID, ttl time.Duration) (*Issued, error) {
	return IssueFrom(ctx, client, OrgMount, id, ttl)
}

// IssueFrom issues a client certificate for an organisation's system from the mount of a class. The key is made here; Vault sees
// the request only. It puts the signing role first, so the client must be an operator's.
func IssueFrom(ctx context.Context, client *api.Client, mount string, id workload.ID, ttl time.Duration) (*Issued, error) {
	if id.Kind() != workload.KindOrganisation {
		return nil, fmt.Errorf("issue certificate: %q is no organisation", id)
	}
	if ttl < time.Second {
		return nil, errors.New("issue certificate: TTL is under a second")
	}
	if err := putOrganisationRole(ctx, client, mount, id, max(ttl, defaultOrgTTL)); err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	return sign(ctx, client, path.Join(mount, "sign", roleName(id)), id, ttl)
}

// IssueService issues a certificate in the name of a service that Configure knows, for a tool that stands in for it, such as the benchmark: the
// services themselves need nobody for theirs. The client must be an operator's.
func IssueService(ctx context.Context, client *api.Client, id workload.ID, ttl time.Duration) (*Issued, error) {
	if id.Kind() != workload.KindService {
		return nil, fmt.Errorf("issue certificate: %q is no service", id)
	}
	return sign(ctx, client, path.Join(ServiceMount, "sign", id.Name()), id, ttl)
}

func sign(ctx context.Context, client *api.Client, at string, id workload.ID, ttl time.Duration) (*Issued, error) {
	csr, keyPEM, err := newRequest(id)
	if err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	sec, err := client.Logical().WriteWithContext(ctx, at, map[string]any{
		"csr": string(csr), "ttl": secs(ttl),
	})
	if err != nil {
		return nil, fmt.Errorf("issue certificate for %s: %w", id, vault.Explain(err))
	}
	ca, err := CABundle(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("issue certificate for %s: %w", id, err)
	}
	out := &Issued{KeyPEM: keyPEM, CAPEM: ca, Serial: field(sec, "serial_number")}
	out.CertPEM = []byte(field(sec, "certificate") + "\n" + field(sec, "issuing_ca") + "\n")
	block, _ := pem.Decode(out.CertPEM)
	if block == nil {
		return nil, fmt.Errorf("issue certificate for %s: answer has no certificate", id)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("issue certificate for %s: %w", id, err)
	}
	out.NotAfter = leaf.NotAfter
	return out, nil
}

// Write puts the three PEM files cert.pem, key.pem and ca.pem into a folder that only the owner can read.
func (i *Issued) Write(dir string) (certFile, keyFile, caFile string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", "", fmt.Errorf("write certificate: %w", err)
	}
	certFile, keyFile, caFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")
	for name, content := range map[string][]byte{certFile: i.CertPEM, keyFile: i.KeyPEM, caFile: i.CAPEM} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return "", "", "", fmt.Errorf("write certificate: %w", err)
		}
	}
	return certFile, keyFile, caFile, nil
}

// Revoke withdraws a certificate and has the list rebuilt at once.
func Revoke(ctx context.Context, client *api.Client, mount, serial string) error {
	if _, err := client.Logical().WriteWithContext(ctx, path.Join(mount, "revoke"), map[string]any{"serial_number": serial}); err != nil {
		return fmt.Errorf("revoke %s of %s: %w", serial, mount, vault.Explain(err))
	}
	if _, err := client.Logical().ReadWithContext(ctx, path.Join(mount, "crl/rotate")); err != nil {
		return fmt.Errorf("rotate the revocation list of %s: %w", mount, vault.Explain(err))
	}
	return nil
}

func putOrganisationRole(ctx context.Context, client *api.Client, mount string, id workload.ID, longest time.Duration) error {
	if longest == 0 {
		longest = defaultOrgTTL
	}
	at := path.Join(mount, "roles", roleName(id))
	if _, err := client.Logical().WriteWithContext(ctx, at, leafRole(id, min(longest, 24*time.Hour), longest)); err != nil {
		return fmt.Errorf("write %s: %w", at, vault.Explain(err))
	}
	return nil
}

// roleName is the name of the signing role of an organisation's system, such as "dk-12345678-caseworker".
func roleName(id workload.ID) string {
	return strings.ToLower(strings.ReplaceAll(id.Org(), ":", "-")) + "-" + id.System()
}

func newRequest(id workload.ID) (csrPEM, keyPEM []byte, err error) {
	key, err := minica.NewKey()
	if err != nil {
		return nil, nil, err
	}
	uri, err := url.Parse(id.String())
	if err != nil {
		return nil, nil, fmt.Errorf("identity: %w", err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{URIs: []*url.URL{uri}}, key)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate request: %w", err)
	}
	keyPEM, err = minica.KeyPEM(key)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), keyPEM, nil
}
