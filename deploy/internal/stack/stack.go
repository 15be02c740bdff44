// Package stack starts the suite as an operator would: programs built and run as processes, a Vault brought to the state
// that they need, agreements and certificates in files. The sandbox, the benchmark and the end-to-end tests all stand on it, so
// there is one place that knows how the parts are put together.
package stack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"samvirke.dev/certs/bootstrap"
	"samvirke.dev/certs/workload"
	"samvirke.dev/deploy/internal/localca"
)

// TrustDomain is the trust domain of everything that a stack starts.
const TrustDomain = "samvirke.example"

// callerLife is how long the certificates of callers live: longer than any sandbox or test runs.
const callerLife = 7 * 24 * time.Hour

// Config says what a stack is made of.
type Config struct {
	// Dir is the folder for data, certificates and logs.
	Dir string
	// Programs are the services, in the order in which they start.
	Programs []Program
	// Binaries are the programs' files, by the service's name.
	Binaries map[string]string
	Vault    *Vault
	// Database is the URL of a PostgreSQL database in which each service gets a schema of its own; SQLite files in Dir when empty.
	Database string
	// DatabasePasswordFile holds the database's password; empty for none.
	DatabasePasswordFile string
	// Listen are the services' addresses by name; a free port of the loopback interface for those that are missing.
	Listen map[string]string
	// Agreements are the agreement files.
	Agreements fs.FS
	// Callers are the organisations' systems that get client certificates.
	Callers []Caller
	// CertTTL is the life of the services' certificates; 12 hours when zero.
	CertTTL time.Duration
	// Telemetry is an OTLP endpoint, or empty.
	Telemetry string
	// Reflection switches gRPC reflection on.
	Reflection bool
	// Tee gets the services' logs too.
	Tee io.Writer
}

// Caller is a system of an organisation.
type Caller struct {
	Country string
	Number  string
	System  string
	// Partner says that its certificate comes from the authority for partners.
	Partner bool
}

// Org is the organisation as agreements name it.
func (c Caller) Org() string { return c.Country + ":" + c.Number }

// ID is the caller's workload identity.
func (c Caller) ID() (workload.ID, error) {
	return workload.Organisation(TrustDomain, c.Country, c.Number, c.System)
}

// Stack is a suite that was prepared, and may be running.
type Stack struct {
	cfg      Config
	operator *api.Client
	idle     func()
	files    map[Caller]localca.Files
	addrs    map[string]string // where each program listens
	public   string            // where the gateway shows its documentation
	// consoleAddr is where the audit service shows its console, consoleToken signs in there once.
	consoleAddr, consoleToken string
	logs                      map[string]*os.File // by program
	mu                        sync.RWMutex        // guards running, and the addresses in it
	running                   map[string]*Service
}

// Prepare brings Vault to the state that the services need and writes every file. Close undoes what is not a file.
func Prepare(ctx context.Context, cfg Config) (_ *Stack, err error) {
	s := &Stack{
		cfg: cfg, files: map[Caller]localca.Files{}, addrs: map[string]string{}, logs: map[string]*os.File{}, running: map[string]*Service{},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close(context.WithoutCancel(ctx)))
		}
	}()
	if s.operator, s.idle, err = cfg.Vault.operator(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("stack folder: %w", err)
	}
	for _, step := range []func(context.Context) error{s.openLogs, s.chooseAddrs, s.makeSchemas, s.bootstrap} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return s, s.writeAgreements()
}

func (s *Stack) openLogs(context.Context) error {
	for _, p := range s.cfg.Programs {
		f, err := os.OpenFile(s.path(p.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("log file: %w", err)
		}
		s.logs[p.Name] = f
	}
	return nil
}

func (s *Stack) chooseAddrs(ctx context.Context) error {
	taken := map[string]bool{}
	for _, p := range s.cfg.Programs {
		addr := s.cfg.Listen[p.Name]
		if addr == "" {
			var err error
			if addr, err = freeAddr(ctx, taken); err != nil {
				return err
			}
		}
		s.addrs[p.Name] = addr
	}
	s.consoleToken = rand.Text()
	var err1, err2 error
	s.public, err1 = freeAddr(ctx, taken)
	s.consoleAddr, err2 = freeAddr(ctx, taken)
	return errors.Join(err1, err2)
}

// bootstrap configures Vault and takes from it what services and callers need.
func (s *Stack) bootstrap(ctx context.Context) error {
	spec, err := s.spec()
	if err != nil {
		return err
	}
	result, err := bootstrap.Apply(ctx, s.operator, spec)
	if err != nil {
		return err
	}
	for _, c := range s.cfg.Callers {
		if err := s.issue(ctx, c); err != nil {
			return err
		}
	}
	caFile := s.path("vault-ca.pem")
	if err := os.WriteFile(caFile, s.cfg.Vault.CAPEM, 0o600); err != nil {
		return fmt.Errorf("vault's anchor: %w", err)
	}
	for _, p := range s.cfg.Programs {
		roleID, secretID, err := result.Credentials[or(p.As, p.Name)].Write(s.path(p.Name))
		if err != nil {
			return err
		}
		raw, err := json.MarshalIndent(s.settings(p, roleID, secretID, caFile), "", "  ")
		if err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
		if err := os.WriteFile(s.path(p.Name+".yaml"), raw, 0o600); err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
	}
	return nil
}

func (s *Stack) spec() (bootstrap.Spec, error) {
	orgs, partners := bootstrap.Class{Mount: bootstrap.OrgMount}, bootstrap.Class{Mount: bootstrap.PartnerMount}
	for _, c := range s.cfg.Callers {
		id, err := c.ID()
		if err != nil {
			return bootstrap.Spec{}, err
		}
		if c.Partner {
			partners.Organisations = append(partners.Organisations, id)
		} else {
			orgs.Organisations = append(orgs.Organisations, id)
		}
	}
	out := bootstrap.Spec{TrustDomain: TrustDomain, Classes: []bootstrap.Class{orgs, partners}}
	for _, p := range s.cfg.Programs {
		if p.As != "" {
			continue
		}
		out.Services = append(out.Services, p.service())
		out.Keys = append(out.Keys, p.keys()...)
	}
	return out, nil
}

// issue writes a caller's certificate into clients/<organisation>-<system>.
func (s *Stack) issue(ctx context.Context, c Caller) error {
	id, err := c.ID()
	if err != nil {
		return err
	}
	mount := bootstrap.OrgMount
	if c.Partner {
		mount = bootstrap.PartnerMount
	}
	issued, err := bootstrap.IssueFrom(ctx, s.operator, mount, id, callerLife)
	if err != nil {
		return err
	}
	cert, key, ca, err := issued.Write(s.path("clients", c.Country+"-"+c.Number+"-"+c.System))
	s.files[c] = localca.Files{Cert: cert, Key: key, CA: ca}
	return err
}

// IssueService writes a certificate in the name of one of the stack's services into clients/<name>, for a tool that stands in for it.
func (s *Stack) IssueService(ctx context.Context, id workload.ID) (localca.Files, error) {
	issued, err := bootstrap.IssueService(ctx, s.operator, id, or(s.cfg.CertTTL, 12*time.Hour))
	if err != nil {
		return localca.Files{}, err
	}
	cert, key, ca, err := issued.Write(s.path("clients", id.Name()))
	return localca.Files{Cert: cert, Key: key, CA: ca}, err
}

func (s *Stack) writeAgreements() error {
	dir := s.AgreementDir()
	// A folder that is kept from an earlier run may hold agreements that are no longer among ours.
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("agreements: %w", err)
	}
	if err := os.CopyFS(dir, s.cfg.Agreements); err != nil {
		return fmt.Errorf("agreements: %w", err)
	}
	return nil
}

// Programs are the services of the stack, in the order in which they start.
func (s *Stack) Programs() []Program { return s.cfg.Programs }

// AgreementDir is the folder from which the services read agreements.
func (s *Stack) AgreementDir() string { return s.path("agreements") }

// Dir is the folder of data, certificates and logs.
func (s *Stack) Dir() string { return s.cfg.Dir }

// Files are a caller's certificate files.
func (s *Stack) Files(c Caller) localca.Files { return s.files[c] }

// Close ends the services, the last started first, and lets go of Vault, which stays its owner's.
func (s *Stack) Close(ctx context.Context) error {
	var errs []error
	for _, p := range slices.Backward(s.cfg.Programs) {
		errs = append(errs, s.Stop(ctx, p.Name))
	}
	if s.idle != nil {
		s.idle()
	}
	for _, f := range s.logs {
		errs = append(errs, f.Close())
	}
	clear(s.logs)
	return errors.Join(errs...)
}

// binary is the file of a program.
func (s *Stack) binary(name string) string { return s.cfg.Binaries[s.known(name)] }

// known is the name under which others know a program.
func (s *Stack) known(name string) string {
	for _, p := range s.cfg.Programs {
		if p.Name == name {
			return or(p.As, name)
		}
	}
	return name
}

func (s *Stack) path(parts ...string) string {
	return filepath.Join(append([]string{s.cfg.Dir}, parts...)...)
}
