// Package stack starts the suite as an operator would: programs built and run as processes, a Vault brought to the state
// that they need, agreements and certificates in files. The sandbox, the benchmark and the end-to-end tests all stand on it, so
// there is one place that knows how the parts are put together.
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/vault/api"

	"samvirke.dev/certs/bootstrap"
	"samvirke.dev/certs/workload"
	"samvirke.dev/deploy/internal/localca"
)

// TrustDomain is the trust domain of everything that a stack starts.
const TrustDomain = "samvirke.example"

// identityName is the identity service's name in its SPIFFE id, its AppRole and its signing role.
const identityName = "identity"

// callerLife is how long the certificates of callers live: longer than any sandbox or test runs.
const callerLife = 7 * 24 * time.Hour

// Config says what a stack is made of.
type Config struct {
	// Dir is the folder for data, certificates and logs.
	Dir string
	// Binary is identityd.
	Binary string
	Vault  *Vault
	// Database is identityd's database URL; SQLite in Dir when empty.
	Database string
	// DatabasePasswordFile holds the database's password; empty for none.
	DatabasePasswordFile string
	// Listen is identityd's address; a free port of the loopback interface when empty.
	Listen string
	// Agreements are the agreement files.
	Agreements fs.FS
	// Callers are the organisations' systems that get client certificates.
	Callers []Caller
	// TestPersons are the national numbers outside the synthetic ranges that identityd shall take.
	TestPersons []string
	// CertTTL is the life of identityd's certificate; 12 hours when zero.
	CertTTL time.Duration
	// Telemetry is an OTLP endpoint, or empty.
	Telemetry string
	// Reflection switches gRPC reflection on.
	Reflection bool
	// Registers are the population registers that identityd asks; nil for none.
	Registers *Registers
	// Tee gets identityd's log too.
	Tee io.Writer
}

// Caller is a system of an organisation.
type Caller struct {
	Country string
	Number  string
	System  string
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
	config   string
	logs     *os.File
	identity *Identity
}

// Prepare brings Vault to the state that the services need and writes every file. Close undoes what is not a file.
func Prepare(ctx context.Context, cfg Config) (_ *Stack, err error) {
	s := &Stack{cfg: cfg, files: map[Caller]localca.Files{}}
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
	if s.logs, err = os.OpenFile(s.path("identity.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, fmt.Errorf("log file: %w", err)
	}
	if err := s.bootstrap(ctx); err != nil {
		return nil, err
	}
	return s, s.writeAgreements()
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
	roleID, secretID, err := result.Credentials[identityName].Write(s.path("identity"))
	if err != nil {
		return err
	}
	for _, c := range s.cfg.Callers {
		if err := s.issue(ctx, c); err != nil {
			return err
		}
	}
	return s.writeConfig(roleID, secretID)
}

func (s *Stack) spec() (bootstrap.Spec, error) {
	orgs := bootstrap.Class{Mount: bootstrap.OrgMount}
	for _, c := range s.cfg.Callers {
		id, err := c.ID()
		if err != nil {
			return bootstrap.Spec{}, err
		}
		orgs.Organisations = append(orgs.Organisations, id)
	}
	return bootstrap.Spec{
		TrustDomain: TrustDomain,
		Classes:     []bootstrap.Class{orgs},
		Services: []bootstrap.Service{{
			Name:   identityName,
			Grants: []bootstrap.Grant{{Key: "identity-*", Uses: []bootstrap.Use{bootstrap.Encrypt, bootstrap.Decrypt}}},
		}},
		Keys: identityKeys(s.cfg.Callers),
	}, nil
}

// issue writes a caller's certificate into clients/<organisation>-<system>.
func (s *Stack) issue(ctx context.Context, c Caller) error {
	id, err := c.ID()
	if err != nil {
		return err
	}
	issued, err := bootstrap.IssueOrganisation(ctx, s.operator, id, callerLife)
	if err != nil {
		return err
	}
	cert, key, ca, err := issued.Write(s.path("clients", c.Country+"-"+c.Number+"-"+c.System))
	s.files[c] = localca.Files{Cert: cert, Key: key, CA: ca}
	return err
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

// AgreementDir is the folder from which the services read agreements.
func (s *Stack) AgreementDir() string { return s.path("agreements") }

// Dir is the folder of data, certificates and logs.
func (s *Stack) Dir() string { return s.cfg.Dir }

// Files are a caller's certificate files.
func (s *Stack) Files(c Caller) localca.Files { return s.files[c] }

// Registers are the simulated registers, or nil.
func (s *Stack) Registers() *Registers { return s.cfg.Registers }

// Identity is the running identity service, or nil.
func (s *Stack) Identity() *Identity { return s.identity }

// Close ends the services and lets go of Vault, which stays its owner's.
func (s *Stack) Close(ctx context.Context) error {
	err := s.StopIdentity(ctx)
	if s.idle != nil {
		s.idle()
	}
	if s.logs != nil {
		err = errors.Join(err, s.logs.Close())
		s.logs = nil
	}
	return err
}

func (s *Stack) path(parts ...string) string {
	return filepath.Join(append([]string{s.cfg.Dir}, parts...)...)
}
