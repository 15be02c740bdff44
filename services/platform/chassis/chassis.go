package chassis

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync/atomic"

	"github.com/hashicorp/vault/api"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/pki"
	"samvirke.dev/certs/vault"
	"samvirke.dev/certs/workload"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/platform/agreement"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/maintenance"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/subjects"
	"samvirke.dev/services/platform/telemetry"
)

//go:embed migrations
var migrations embed.FS

// Options is what a service adds to the configuration.
type Options struct {
	Name       string // such as identity; also its SPIFFE name and the prefix of its key-encryption keys
	Version    string
	Migrations fs.FS // folders sqlite and postgres
	Keysets    []keys.Spec
	Log        io.Writer
	Clock      clock.Clock
	SpanNames  []string // of spans besides those of the service's own RPCs; constants only
	// Controller, if set, is called for each controller that the agreements name, at start and after each change: the place
	// to prepare its keys.
	Controller func(ctx context.Context, id string) error
}

// Chassis is a service without its RPCs. New opens everything; Close undoes it.
type Chassis struct {
	Log       *slog.Logger
	Clock     clock.Clock
	DB        *sqlkit.DB
	Keys      *keys.Ring
	Server    *rpc.Server
	Telemetry *telemetry.Telemetry
	Records   *audit.Reader
	Subjects  *subjects.Server

	cfg      Config
	opts     Options
	vault    *vault.Client
	pki      *pki.Source
	recorder *audit.Recorder
	deals    atomic.Pointer[agreement.Store]
	shipper  *audit.Shipper // nil when records stay here
	closers  []func(context.Context) error
}

// New builds every part, in order: telemetry, database, Vault, keys, certificate, audit, server. If a step fails, what was
// opened is closed again, and the error says what an operator must do.
func New(ctx context.Context, cfg Config, opts Options) (c *Chassis, err error) {
	c, err = open(ctx, cfg, opts)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close(context.WithoutCancel(ctx)))
			c = nil
		}
	}()
	for _, step := range []func(context.Context) error{c.openCertificate, c.openAudit, c.openShipping, c.openServer} {
		if err := step(ctx); err != nil {
			return c, err
		}
	}
	return c, nil
}

// Open builds what offline commands need: telemetry, database, Vault and keys, but no certificate and no server.
func Open(ctx context.Context, cfg Config, opts Options) (*Chassis, error) {
	return open(ctx, cfg, opts)
}

func open(ctx context.Context, cfg Config, opts Options) (c *Chassis, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c = &Chassis{cfg: cfg, opts: opts, Clock: opts.Clock}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close(context.WithoutCancel(ctx)))
			c = nil
		}
	}()
	for _, step := range []func(context.Context) error{c.openProfile, c.openTelemetry, c.openDatabase, c.openVault, c.openKeys} {
		if err := step(ctx); err != nil {
			return c, err
		}
	}
	return c, nil
}

// Close releases everything, the last opened first.
func (c *Chassis) Close(ctx context.Context) error {
	var problems []error
	for i := len(c.closers) - 1; i >= 0; i-- {
		problems = append(problems, c.closers[i](ctx))
	}
	c.closers = nil
	return errors.Join(problems...)
}

// Vault returns the client for uses of Vault that are the service's own.
func (c *Chassis) Vault() *api.Logical { return c.vault.Logical() }

// Certificates returns the source of the service's certificate and of whom it trusts, for listeners of its own.
func (c *Chassis) Certificates() *pki.Source { return c.pki }

// OrganisationName returns an organisation's name as the agreements in force write it, or "" when none does or Run has not begun.
func (c *Chassis) OrganisationName(id string) string {
	if deals := c.deals.Load(); deals != nil {
		return deals.Set().Name(id)
	}
	return ""
}

func (c *Chassis) onClose(fn func(context.Context) error) { c.closers = append(c.closers, fn) }

func (c *Chassis) openTelemetry(ctx context.Context) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.cfg.Telemetry.LogLevel)); err != nil {
		return errors.New("telemetry.log_level: want debug, info, warn or error")
	}
	instance, err := c.cfg.instance()
	if err != nil {
		return fmt.Errorf("instance: %w", err)
	}
	t, err := telemetry.New(ctx, telemetry.Config{
		Endpoint: c.cfg.Telemetry.Endpoint, CAFile: c.cfg.Telemetry.CAFile, SampleRatio: c.cfg.Telemetry.SampleRatio,
		ServiceName: c.opts.Name, ServiceVersion: c.opts.Version, InstanceID: instance, LogLevel: level, LogWriter: c.opts.Log,
		SpanNames: c.opts.SpanNames, QueueDir: c.cfg.Telemetry.QueueDir, QueueLimit: int64(c.cfg.Telemetry.QueueLimit),
	})
	if err != nil {
		return err
	}
	c.Telemetry, c.Log = t, t.Logger()
	c.onClose(t.Shutdown)
	return nil
}

func (c *Chassis) openDatabase(ctx context.Context) error {
	db, err := sqlkit.Open(ctx, c.cfg.Database)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	c.DB = db
	c.onClose(func(context.Context) error { return db.Close() })
	if err := MigratePlatform(ctx, db); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if c.opts.Migrations == nil {
		return nil
	}
	if err := db.Migrate(ctx, c.opts.Migrations, c.opts.Name); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

// MigratePlatform brings the tables that every service has up to date: keysets, audit outbox, idempotency, quotas.
func MigratePlatform(ctx context.Context, db *sqlkit.DB) error {
	platform, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return db.Migrate(ctx, platform, "platform")
}

func (c *Chassis) openVault(ctx context.Context) error {
	v := c.cfg.Vault
	client, err := vault.New(ctx, vault.Config{
		Address: v.Address, CAFile: v.CAFile, RoleIDFile: v.RoleIDFile, SecretIDFile: v.SecretIDFile, Namespace: v.Namespace,
	}, c.Log)
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	c.vault = client
	c.onClose(func(context.Context) error { client.Close(); return nil })
	return nil
}

// Names of the keysets that every service has.
const (
	auditSeal     = "audit.seal"
	auditSubjects = "audit.subjects"
	// ResponseSeal encrypts the answers that are kept for idempotency, RequestIDs digests the ids under which they are kept.
	ResponseSeal = "response.seal"
	RequestIDs   = "response.ids"
)

// PlatformKeysets returns the keysets that every service has.
func PlatformKeysets(service string) []keys.Spec {
	return []keys.Spec{
		{Name: auditSeal, Kind: keys.KindAEAD, KEK: KEK(service, "audit")},
		{Name: auditSubjects, Kind: keys.KindPRF, KEK: KEK(service, "audit")},
		{Name: ResponseSeal, Kind: keys.KindAEAD, KEK: KEK(service, "response")},
		{Name: RequestIDs, Kind: keys.KindPRF, KEK: KEK(service, "response")},
	}
}

// KEK returns the name of the service's key-encryption key for a class of data.
func KEK(service, class string) string { return service + "-" + class }

func (c *Chassis) openKeys(ctx context.Context) error {
	ring, err := keys.Open(ctx, keys.Config{
		Store: keys.NewSQLStore(c.DB, c.Clock.Now), Wrap: keys.TransitWrapper(c.vault.Logical(), c.cfg.Transit.Mount),
		MaxAge: c.cfg.Keys.MaxAge, RefreshEvery: c.cfg.Keys.RefreshEvery, Now: c.Clock.Now,
		Meter: c.Telemetry.MeterProvider().Meter("samvirke.dev/services/platform/keys"), Logger: c.Log,
	}, append(PlatformKeysets(c.opts.Name), c.opts.Keysets...)...)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	c.Keys = ring
	c.onClose(func(context.Context) error { return ring.Close() })
	seal, err := ring.AEAD(auditSeal)
	c.Records = audit.NewReader(c.DB, seal)
	return err
}

func (c *Chassis) openCertificate(ctx context.Context) error {
	id, err := workload.Service(c.cfg.TrustDomain, c.opts.Name)
	if err != nil {
		return err
	}
	role := c.cfg.PKI.Role
	if role == "" {
		role = c.opts.Name
	}
	conf := pki.Config{
		Mount: c.cfg.PKI.Mount, Role: role, ID: id, TTL: c.cfg.PKI.TTL, TrustMounts: c.cfg.PKI.TrustMounts,
		Refresh: c.cfg.PKI.Refresh, Grace: c.cfg.PKI.Grace,
	}
	conf.AddNames(c.cfg.PKI.Names...)
	source, err := pki.New(ctx, c.vault, conf, c.Log, c.Telemetry.MeterProvider().Meter("samvirke.dev/certs/pki"))
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	c.pki = source
	c.onClose(func(context.Context) error { return source.Close() })
	return nil
}

func (c *Chassis) openAudit(ctx context.Context) error {
	instance, err := c.cfg.instance()
	if err != nil {
		return err
	}
	c.recorder, _, err = NewRecorder(context.WithoutCancel(ctx), c.DB, c.Keys, c.Clock,
		&auditv1.Writer{Service: c.opts.Name, Version: c.opts.Version, Instance: instance})
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	c.onClose(c.recorder.Close)
	return nil
}

// openShipping prepares the way of the records to the audit service, where the configuration names one.
func (c *Chassis) openShipping(context.Context) error {
	if c.cfg.Shipping.Address == "" {
		return nil
	}
	receiver, err := workload.Service(c.cfg.TrustDomain, auditName)
	if err != nil {
		return err
	}
	config, err := mtls.ClientConfig(c.pki, receiver)
	if err != nil {
		return fmt.Errorf("shipping: %w", err)
	}
	remote, err := audit.NewRemote(c.cfg.Shipping.Address, config)
	if err != nil {
		return fmt.Errorf("shipping: %w", err)
	}
	c.onClose(func(context.Context) error { return remote.Close() })
	return c.ShipTo(remote)
}

// auditName is the name of the service that receives records and that alone may ask under which pseudonyms they know a person.
const auditName = "audit"

// ShipTo has records shipped to a sink: for the audit service, which is its own receiver.
func (c *Chassis) ShipTo(sink audit.Sink) error {
	seal, err := c.Keys.AEAD(auditSeal)
	if err != nil {
		return err
	}
	c.shipper = audit.NewShipper(c.DB, seal, sink, c.Log)
	stop, err := audit.Watch(c.Telemetry.MeterProvider().Meter("samvirke.dev/services/platform/audit"), c.DB, c.Clock)
	if err != nil {
		return err
	}
	c.onClose(func(context.Context) error { return stop() })
	return nil
}

// Recorder writes the records of what the service does by itself.
func (c *Chassis) Recorder() *audit.Recorder { return c.recorder }

// NewRecorder returns the recorder and the reader of a service's audit records.
func NewRecorder(
	ctx context.Context, db *sqlkit.DB, ring *keys.Ring, clk clock.Clock, writer *auditv1.Writer,
) (*audit.Recorder, *audit.Reader, error) {
	seal, err1 := ring.AEAD(auditSeal)
	subjects, err2 := ring.PRF(auditSubjects)
	if err := errors.Join(err1, err2); err != nil {
		return nil, nil, err
	}
	recorder := audit.NewRecorder(ctx, audit.Config{DB: db, Clock: clk, Writer: writer, Seal: seal, Subjects: subjects})
	return recorder, audit.NewReader(db, seal), nil
}

func (c *Chassis) openServer(context.Context) error {
	tlsConfig, err := mtls.ServerConfig(c.pki, mtls.Accept{
		TrustDomains: c.cfg.trustDomains(), Kinds: []workload.Kind{workload.KindOrganisation, workload.KindService},
	})
	if err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	seal, err1 := c.Keys.AEAD(ResponseSeal)
	ids, err2 := c.Keys.PRF(RequestIDs)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	limits := rpc.DefaultConfig()
	limits.Reflection = c.cfg.Reflection
	windows, err := maintenance.Parse(c.cfg.Maintenance)
	if err != nil {
		return err
	}
	limits.Maintenance = windows
	limits.ActFor = rpc.ActFor{Edges: c.cfg.Accept.Edges, Services: c.cfg.Accept.Services}
	c.Server, err = rpc.New(limits, rpc.Deps{
		TLS: tlsConfig, Log: c.Log, Clock: c.Clock, DB: c.DB, Recorder: c.recorder, Seal: seal, RequestIDs: ids,
		TracerProvider: c.Telemetry.TracerProvider(), MeterProvider: c.Telemetry.MeterProvider(), Propagator: c.Telemetry.Propagator(),
	})
	if err != nil {
		return err
	}
	refs, err := c.Keys.PRF(auditSubjects)
	if err != nil {
		return err
	}
	c.Subjects = subjects.New(refs, auditName)
	auditv1.RegisterSubjectServiceServer(c.Server.Registrar(), c.Subjects)
	c.onClose(c.Server.Stop) // also when it never served: its workers wait already
	return nil
}

// agreements checks that every RPC has a rule and loads the agreements; an error stops the boot.
func (c *Chassis) agreements(ctx context.Context) (*agreement.Store, error) {
	methods, err := c.Server.Cover()
	if err != nil {
		return nil, err
	}
	store, err := agreement.NewStore(os.DirFS(c.cfg.Agreements.Dir), methods, c.Log,
		c.Telemetry.MeterProvider().Meter("samvirke.dev/services/platform/agreement"), c.prepare)
	if err != nil {
		return nil, err
	}
	if err := c.prepare(ctx, store.Set()); err != nil {
		return nil, err
	}
	c.Server.Use(store.Current)
	c.deals.Store(store)
	return store, nil
}

// prepare readies what the controllers of a set need, before the set is put in force.
func (c *Chassis) prepare(ctx context.Context, set *agreement.Set) error {
	if c.opts.Controller == nil {
		return nil
	}
	var problems []error
	for _, id := range set.Controllers() {
		problems = append(problems, c.opts.Controller(ctx, id))
	}
	return errors.Join(problems...)
}

// listen opens the port.
func (c *Chassis) listen(ctx context.Context) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", c.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}
