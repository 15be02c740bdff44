package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"samvirke.dev/certs/vault"
	"samvirke.dev/certs/workload"
)

// Result is what services and clients must be given.
type Result struct {
	// Credentials are by service name.
	Credentials map[string]Credentials
	// CAPEM is the root, the anchor of every certificate issued.
	CAPEM []byte
}

// Credentials are an AppRole's role id and a fresh secret id. They don't print.
type Credentials struct {
	RoleID   string
	SecretID string
}

// String hides the secret.
func (c Credentials) String() string { return "credentials of AppRole " + c.RoleID }

// GoString hides the secret from %#v as well.
func (c Credentials) GoString() string { return c.String() }

// LogValue hides the secret from logs.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Write puts the two into files role-id and secret-id of a folder that only the owner can read, and returns their paths.
func (c Credentials) Write(dir string) (roleIDFile, secretIDFile string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", fmt.Errorf("write credentials: %w", err)
	}
	roleIDFile, secretIDFile = filepath.Join(dir, "role-id"), filepath.Join(dir, "secret-id")
	for name, text := range map[string]string{roleIDFile: c.RoleID, secretIDFile: c.SecretID} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return "", "", fmt.Errorf("write credentials: %w", err)
		}
	}
	return roleIDFile, secretIDFile, nil
}

// Apply brings a Vault to the state of the spec, with a client that may do so (a root token, or one of an operator's policy). Each
// call mints a new secret id for each service; older ones stay good.
func Apply(ctx context.Context, client *api.Client, spec Spec) (*Result, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	a := &applier{client: client, spec: spec.withDefaults()}
	if err := a.authorities(ctx); err != nil {
		return nil, fmt.Errorf("bootstrap authorities: %w", err)
	}
	if err := a.keys(ctx); err != nil {
		return nil, fmt.Errorf("bootstrap keys: %w", err)
	}
	creds, err := a.services(ctx)
	if err != nil {
		return nil, fmt.Errorf("bootstrap services: %w", err)
	}
	ca, err := CABundle(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	return &Result{Credentials: creds, CAPEM: ca}, nil
}

type applier struct {
	client *api.Client
	spec   Spec
}

func (a *applier) write(ctx context.Context, at string, data map[string]any) (*api.Secret, error) {
	sec, err := a.client.Logical().WriteWithContext(ctx, at, data)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", at, vault.Explain(err))
	}
	return sec, nil
}

// mount makes sure that an engine of the kind is mounted.
func (a *applier) mount(ctx context.Context, at, kind string, longest time.Duration) error {
	mounts, err := a.client.Sys().ListMountsWithContext(ctx)
	if err != nil {
		return fmt.Errorf("list mounts: %w", vault.Explain(err))
	}
	if m, ok := mounts[at+"/"]; ok {
		if m.Type != kind {
			return fmt.Errorf("mount %s is of type %s, want %s", at, m.Type, kind)
		}
		return nil
	}
	in := &api.MountInput{Type: kind}
	if longest > 0 {
		in.Config.MaxLeaseTTL = secs(longest)
	}
	if err := a.client.Sys().MountWithContext(ctx, at, in); err != nil {
		return fmt.Errorf("mount %s at %s: %w", kind, at, vault.Explain(err))
	}
	return nil
}

func (a *applier) keys(ctx context.Context) error {
	if err := a.mount(ctx, TransitMount, "transit", 0); err != nil {
		return err
	}
	for _, k := range a.spec.Keys {
		kind := k.Type
		if kind == "" {
			kind = AES256GCM
		}
		at := path.Join(TransitMount, "keys", k.Name)
		have, err := a.client.Logical().ReadWithContext(ctx, at)
		if err != nil {
			return fmt.Errorf("read %s: %w", at, vault.Explain(err))
		}
		if have != nil {
			if have.Data["type"] != string(kind) {
				return fmt.Errorf("key %s is of type %v, want %s", k.Name, have.Data["type"], kind)
			}
			continue
		}
		if _, err := a.write(ctx, at, map[string]any{"type": string(kind)}); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) services(ctx context.Context) (map[string]Credentials, error) {
	if err := a.enableAppRole(ctx); err != nil {
		return nil, err
	}
	out := map[string]Credentials{}
	for _, svc := range a.spec.Services {
		c, err := a.service(ctx, svc)
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", svc.Name, err)
		}
		out[svc.Name] = c
	}
	return out, nil
}

func (a *applier) enableAppRole(ctx context.Context) error {
	methods, err := a.client.Sys().ListAuthWithContext(ctx)
	if err != nil {
		return fmt.Errorf("list auth methods: %w", vault.Explain(err))
	}
	if _, ok := methods[AppRoleMount+"/"]; ok {
		return nil
	}
	if err := a.client.Sys().EnableAuthWithOptionsWithContext(ctx, AppRoleMount, &api.EnableAuthOptions{Type: "approle"}); err != nil {
		return fmt.Errorf("enable AppRole: %w", vault.Explain(err))
	}
	return nil
}

func (a *applier) service(ctx context.Context, svc Service) (Credentials, error) {
	id, err := workload.Service(a.spec.TrustDomain, svc.Name)
	if err != nil {
		return Credentials{}, err
	}
	role := leafRole(id, a.spec.LeafTTL, a.spec.MaxLeafTTL)
	role["server_flag"] = true
	role["allowed_domains"] = strings.Join(svc.DNSNames, ",")
	role["allow_bare_domains"] = len(svc.DNSNames) > 0
	role["allow_ip_sans"] = svc.AllowIPs
	if _, err := a.write(ctx, path.Join(ServiceMount, "roles", svc.Name), role); err != nil {
		return Credentials{}, err
	}
	policy := "samvirke-" + svc.Name
	if err := a.client.Sys().PutPolicyWithContext(ctx, policy, a.policy(svc)); err != nil {
		return Credentials{}, fmt.Errorf("write policy %s: %w", policy, vault.Explain(err))
	}
	return a.appRole(ctx, svc.Name, policy)
}

func (a *applier) appRole(ctx context.Context, name, policy string) (Credentials, error) {
	at := path.Join("auth", AppRoleMount, "role", name)
	_, err := a.write(ctx, at, map[string]any{
		"token_policies": policy, "token_ttl": secs(a.spec.TokenTTL), "token_max_ttl": secs(a.spec.TokenMaxTTL), "bind_secret_id": true,
	})
	if err != nil {
		return Credentials{}, err
	}
	sec, err := a.client.Logical().ReadWithContext(ctx, path.Join(at, "role-id"))
	if err != nil {
		return Credentials{}, fmt.Errorf("read role id: %w", vault.Explain(err))
	}
	roleID := field(sec, "role_id")
	if sec, err = a.write(ctx, path.Join(at, "secret-id"), map[string]any{}); err != nil {
		return Credentials{}, err
	}
	secretID := field(sec, "secret_id")
	if roleID == "" || secretID == "" {
		return Credentials{}, errors.New("vault gave no role id or secret id")
	}
	return Credentials{RoleID: roleID, SecretID: secretID}, nil
}

// policy is everything that a service may do, and nothing else; looking up and renewing its own token comes from Vault's
// default policy.
func (a *applier) policy(svc Service) string {
	var b strings.Builder
	allow := func(at, capability string) {
		fmt.Fprintf(&b, "path %q {\n  capabilities = [%q]\n}\n", at, capability)
	}
	allow(path.Join(ServiceMount, "sign", svc.Name), "update")
	for _, mount := range a.mounts() {
		allow(mount+"/issuers", "list")
		allow(mount+"/issuer/+/json", "read")
		allow(mount+"/issuer/+/crl", "read")
	}
	for _, g := range svc.Grants {
		for _, u := range g.Uses {
			capability := "update"
			if u == Describe {
				capability = "read"
			}
			for _, pattern := range usePaths[u] {
				if strings.HasSuffix(g.Key, "*") && strings.HasSuffix(pattern, "/*") {
					continue // the key's own star covers it
				}
				allow(path.Join(TransitMount, fmt.Sprintf(pattern, g.Key)), capability)
			}
		}
	}
	return b.String()
}

func field(sec *api.Secret, name string) string {
	if sec == nil {
		return ""
	}
	s, _ := sec.Data[name].(string)
	return s
}

func secs(d time.Duration) string { return fmt.Sprintf("%ds", int64(d/time.Second)) }

// notFound tells a missing thing from trouble.
func notFound(err error) bool {
	var resp *api.ResponseError
	return errors.As(err, &resp) && resp.StatusCode == http.StatusNotFound
}
