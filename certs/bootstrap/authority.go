package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/hashicorp/vault/api"

	"samvirke.dev/certs/vault"
	"samvirke.dev/certs/workload"
)

func (a *applier) mounts() []string {
	all := make([]string, 0, 2+len(a.spec.Classes))
	all = append(all, RootMount, ServiceMount)
	for _, c := range a.spec.Classes {
		all = append(all, c.Mount)
	}
	return all
}

// authorities makes the root, the intermediates and the roles of outsiders.
func (a *applier) authorities(ctx context.Context) error {
	if err := a.root(ctx); err != nil {
		return err
	}
	for _, m := range a.mounts()[1:] {
		if err := a.intermediate(ctx, m); err != nil {
			return fmt.Errorf("intermediate %s: %w", m, err)
		}
	}
	for _, c := range a.spec.Classes {
		for _, id := range c.Organisations {
			if err := putOrganisationRole(ctx, a.client, c.Mount, id, c.MaxTTL); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *applier) root(ctx context.Context) error {
	if err := a.mount(ctx, RootMount, "pki", a.spec.RootTTL); err != nil {
		return err
	}
	have, err := hasIssuer(ctx, a.client, RootMount)
	if err != nil {
		return err
	}
	if !have {
		_, err = a.write(ctx, path.Join(RootMount, "root/generate/internal"), map[string]any{
			"common_name": a.spec.TrustDomain + " root", "issuer_name": "root", "key_type": "ec", "key_bits": 384, "ttl": secs(a.spec.RootTTL),
		})
		if err != nil {
			return err
		}
	}
	return a.lists(ctx, RootMount)
}

// intermediate is signed by the root for end certificates only and for names of the trust domain only, so that even with its key
// nobody could speak for another domain. Only its own certificate is stored beside the key: the root is fetched from the
// root's mount, never trusted because an intermediate brought it along.
func (a *applier) intermediate(ctx context.Context, mount string) error {
	if err := a.mount(ctx, mount, "pki", a.spec.IntermediateTTL); err != nil {
		return err
	}
	have, err := hasIssuer(ctx, a.client, mount)
	if err != nil {
		return err
	}
	if !have {
		name := a.spec.TrustDomain + " " + mount
		req, err := a.write(ctx, path.Join(mount, "intermediate/generate/internal"), map[string]any{
			"common_name": name, "key_type": "ec", "key_bits": 256,
		})
		if err != nil {
			return err
		}
		signed, err := a.write(ctx, path.Join(RootMount, "root/sign-intermediate"), map[string]any{
			"csr": field(req, "csr"), "common_name": name, "ttl": secs(min(a.spec.IntermediateTTL, a.spec.RootTTL/2)), "max_path_length": 0,
			"permitted_uri_domains": a.spec.TrustDomain,
		})
		if err != nil {
			return err
		}
		if _, err := a.write(ctx, path.Join(mount, "intermediate/set-signed"), map[string]any{"certificate": field(signed, "certificate")}); err != nil {
			return err
		}
	}
	return a.lists(ctx, mount)
}

// lists has Vault renew revocation lists by itself. The price is that a revocation shows only after the list was rotated, which
// Revoke does at once.
func (a *applier) lists(ctx context.Context, mount string) error {
	_, err := a.write(ctx, path.Join(mount, "config/crl"), map[string]any{
		"expiry": secs(a.spec.CRLTTL), "auto_rebuild": true, "auto_rebuild_grace_period": secs(a.spec.CRLTTL / 6),
	})
	if err != nil {
		return err
	}
	if _, err := a.client.Logical().ReadWithContext(ctx, path.Join(mount, "crl/rotate")); err != nil {
		return fmt.Errorf("rotate the revocation list of %s: %w", mount, vault.Explain(err))
	}
	return nil
}

func hasIssuer(ctx context.Context, client *api.Client, mount string) (bool, error) {
	sec, err := client.Logical().ListWithContext(ctx, path.Join(mount, "issuers"))
	if notFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("list issuers of %s: %w", mount, vault.Explain(err))
	}
	if sec == nil {
		return false, nil
	}
	keys, _ := sec.Data["keys"].([]any)
	return len(keys) > 0, nil
}

// CABundle reads the root's certificate, the anchor for services and clients.
func CABundle(ctx context.Context, client *api.Client) ([]byte, error) {
	sec, err := client.Logical().ReadWithContext(ctx, path.Join(RootMount, "cert/ca"))
	if err != nil {
		return nil, fmt.Errorf("read the root certificate: %w", vault.Explain(err))
	}
	text := field(sec, "certificate")
	if text == "" {
		return nil, errors.New("read the root certificate: not there")
	}
	return []byte(text + "\n"), nil
}

// leafRole allows one URI SAN and nothing else; it is a client's role until more is set.
func leafRole(id workload.ID, ttl, longest time.Duration) map[string]any {
	return map[string]any{
		"allowed_uri_sans": id.String(), "key_type": "ec", "key_bits": 256, "ttl": secs(ttl), "max_ttl": secs(longest),
		"require_cn": false, "use_csr_common_name": false, "use_csr_sans": true, "allow_localhost": false, "allow_ip_sans": false,
		"allow_bare_domains": false, "allowed_domains": "", "server_flag": false, "client_flag": true,
		"key_usage": "DigitalSignature",
	}
}
