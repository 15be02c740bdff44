package stack

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"samvirke.dev/certs/bootstrap"
	"samvirke.dev/certs/workload"
	"samvirke.dev/deploy/internal/proc"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/identity"
	"samvirke.dev/services/platform/clock"
)

const (
	// readyLimit is generous: a machine that builds something beside us is slow.
	readyLimit = 60 * time.Second
	// tailLines is how much of a log an error quotes.
	tailLines = 12
)

// ServingMessage is the log message with which a service says that it is ready.
const ServingMessage = "serving"

// Identity is a running identity service.
type Identity struct {
	// Addr is where it listens.
	Addr string
	// Ready is the time from start to readiness.
	Ready time.Duration
	Proc  *proc.Process
	Log   *proc.Lines

	started time.Time
}

// identityKeys are the key-encryption keys of the identity service: its own, and one for the handles of each controller. A
// service may not create keys, so they are there before it starts.
func identityKeys(controllers []Caller) []bootstrap.Key {
	var keys []bootstrap.Key
	for _, class := range []string{"person", "index", "audit", "response"} {
		keys = append(keys, bootstrap.Key{Name: identityName + "-" + class})
	}
	for _, c := range controllers {
		name := identity.HandleKEK(c.Org())
		if !slices.ContainsFunc(keys, func(k bootstrap.Key) bool { return k.Name == name }) {
			keys = append(keys, bootstrap.Key{Name: name})
		}
	}
	return keys
}

// IdentityID is the identity service's workload identity.
func IdentityID() (workload.ID, error) { return workload.Service(TrustDomain, identityName) }

// writeConfig writes identityd's configuration. JSON is YAML too, and needs no escaping of ours.
func (s *Stack) writeConfig(roleIDFile, secretIDFile string) error {
	caFile := s.path("vault-ca.pem")
	if err := os.WriteFile(caFile, s.cfg.Vault.CAPEM, 0o600); err != nil {
		return fmt.Errorf("vault's anchor: %w", err)
	}
	type m = map[string]any
	conf := m{
		"environment": "test", "instance": "identity-1", "trust_domain": TrustDomain, "listen": or(s.cfg.Listen, "127.0.0.1:0"),
		"database": m{
			"url": or(s.cfg.Database, "sqlite:"+s.path("identity.db")), "password_file": s.cfg.DatabasePasswordFile,
		},
		"vault": m{
			"address": s.cfg.Vault.Address, "ca_file": caFile, "role_id_file": roleIDFile, "secret_id_file": secretIDFile,
		},
		"pki":        m{"mount": bootstrap.ServiceMount, "role": identityName, "ttl": or(s.cfg.CertTTL, 12*time.Hour).String()},
		"transit":    m{"mount": bootstrap.TransitMount},
		"agreements": m{"dir": s.AgreementDir()},
		"accept":     m{"trust_domains": []string{TrustDomain}},
		"telemetry":  m{"endpoint": s.cfg.Telemetry, "sample_ratio": 1.0, "log_level": "info"},
		"reflection": s.cfg.Reflection, "test_persons": append([]string{}, s.cfg.TestPersons...),
	}
	if s.cfg.Registers != nil {
		conf["registers"] = s.cfg.Registers.config()
	}
	raw, err := json.MarshalIndent(conf, "", "  ")
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	s.config = s.path("identity.yaml")
	if err := os.WriteFile(s.config, raw, 0o600); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// StartIdentity starts the identity service and waits until it serves; env is added to its environment.
func (s *Stack) StartIdentity(ctx context.Context, env ...string) error {
	id, err := s.LaunchIdentity(env...)
	if err != nil {
		return err
	}
	return s.await(ctx, id)
}

// LaunchIdentity starts the identity service and does not wait, for those who want to see how it fails.
func (s *Stack) LaunchIdentity(env ...string) (*Identity, error) {
	id := &Identity{Log: &proc.Lines{Tee: io.Writer(s.logs)}, started: clock.System().Now()}
	if s.cfg.Tee != nil {
		id.Log.Tee = io.MultiWriter(s.logs, s.cfg.Tee)
	}
	var err error
	id.Proc, err = proc.Start(proc.Spec{
		Name: "identityd", Path: s.cfg.Binary, Args: []string{"serve", "--config", s.config}, Env: environment(env...), Stdout: id.Log, Stderr: id.Log,
	})
	if err != nil {
		return nil, err
	}
	s.identity = id
	return id, nil
}

func (s *Stack) await(ctx context.Context, id *Identity) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	go func() {
		select {
		case <-id.Proc.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	line, err := id.Log.Wait(ctx, func(l string) bool { return servingAddr(l) != "" })
	if err != nil {
		s.KillIdentity()
		return fmt.Errorf("identityd does not serve: %w; its last words:\n%s", errors.Join(id.Proc.Err(), err), id.Log.Tail(tailLines))
	}
	id.Ready = clock.System().Now().Sub(id.started)
	id.Addr = servingAddr(line)
	return nil
}

func servingAddr(line string) string {
	var entry struct {
		Msg  string `json:"msg"`
		Addr string `json:"addr"`
	}
	if json.Unmarshal([]byte(line), &entry) != nil || entry.Msg != ServingMessage {
		return ""
	}
	return entry.Addr
}

// StopIdentity ends the identity service in order, if it runs.
func (s *Stack) StopIdentity(ctx context.Context) error {
	if s.identity == nil {
		return nil
	}
	id := s.identity
	s.identity = nil
	return id.Proc.Stop(ctx)
}

// KillIdentity ends the identity service as a crash would.
func (s *Stack) KillIdentity() {
	if s.identity != nil {
		s.identity.Proc.Kill()
		s.identity = nil
	}
}

// Import loads persons from a file in the import format.
func (s *Stack) Import(ctx context.Context, file string) error {
	_, err := s.command(ctx, "import", file)
	return err
}

// Records are the audit records of the given events, in no particular order. An event without a record is left out.
func (s *Stack) Records(ctx context.Context, events ...string) ([]*auditv1.Record, error) {
	out, err := s.command(ctx, "audit", events...)
	if err != nil {
		return nil, err
	}
	var records []*auditv1.Record
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		r := new(auditv1.Record)
		if err := protojson.Unmarshal(lines.Bytes(), r); err != nil {
			return nil, fmt.Errorf("audit record: %w", err)
		}
		records = append(records, r)
	}
	return records, lines.Err()
}

// environment is ours without what services would read as configuration, or Vault's library as whom to trust; extra is
// added.
func environment(extra ...string) []string {
	own := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "SAMVIRKE_") || strings.HasPrefix(v, "VAULT_")
	})
	return append(own, extra...)
}

// command runs a subcommand of identityd to its end and returns its standard output.
func (s *Stack) command(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, s.cfg.Binary, append([]string{name, "--config", s.config}, args...)...) //nolint:gosec // ours
	cmd.Env = environment()
	var said bytes.Buffer
	cmd.Stderr = io.MultiWriter(&said, s.logs)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("identityd %s: %w: %s", name, err, bytes.TrimSpace(said.Bytes()))
	}
	return out, nil
}
