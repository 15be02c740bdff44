package income

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
	_ "time/tzdata" // civil dates must not depend on what the machine has installed

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	"samvirke.dev/services/income/internal/api"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/store/sqlstore"
	"samvirke.dev/services/income/internal/work"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/jobs"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/page"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/platform/sqlkit"
)

// name is the service's name: of its workload, its key-encryption keys and its records.
const name = "income"

// Names of the service's keysets.
const (
	caseSeal   = "case.seal"
	numberSeal = "number.seal"
	caseDigest = "case.digest"
	pageToken  = "page.token"
)

// Keysets returns the service's own keysets. National numbers have a key-encryption key of their own, so that access to cases gives none to
// numbers.
func Keysets() []keys.Spec {
	return []keys.Spec{
		{Name: caseSeal, Kind: keys.KindAEAD, KEK: chassis.KEK(name, "case")},
		{Name: pageToken, Kind: keys.KindAEAD, KEK: chassis.KEK(name, "case")},
		{Name: caseDigest, Kind: keys.KindPRF, KEK: chassis.KEK(name, "case")},
		{Name: numberSeal, Kind: keys.KindAEAD, KEK: chassis.KEK(name, "number")},
	}
}

// StoreKeys returns the keys of the service's store.
func StoreKeys(ring *keys.Ring) (k sqlstore.Keys, err error) {
	var err1, err2, err3 error
	k.Case, err1 = ring.AEAD(caseSeal)
	k.Number, err2 = ring.AEAD(numberSeal)
	k.Digests, err3 = ring.PRF(caseDigest)
	return k, errors.Join(err1, err2, err3)
}

// KEKs returns the names of the service's key-encryption keys, those that all services have included: an operator creates them in Vault
// before the first start.
func KEKs() []string {
	return []string{chassis.KEK(name, "case"), chassis.KEK(name, "number"), chassis.KEK(name, "audit"), chassis.KEK(name, "response")}
}

// Deps are what the insides of the service stand on. Register may be nil.
type Deps struct {
	DB       *sqlkit.DB
	Keys     *keys.Ring
	Recorder *audit.Recorder
	Clock    clock.Clock
	Log      *slog.Logger
	Meter    metric.Meter
	Tracer   trace.Tracer
	Register func(core.Numbers) (core.Register, error)
}

// Parts are the insides of the service over a database and keys that are open already; tests build them without Vault.
type Parts struct {
	api     *api.Server
	store   *sqlstore.Store
	service *core.Service
	jobs    *jobs.Jobs
	resume  time.Duration
	log     *slog.Logger
	inbox   *agiInbox // nil for none
}

// pageLife is how long a page token is good for.
const pageLife = time.Hour

// NewParts builds the insides. The database was migrated; the tables of jobs are brought up to date here. Close them before the database.
func NewParts(ctx context.Context, cfg Config, d Deps) (*Parts, error) {
	zone, err1 := time.LoadLocation(cfg.TimeZone)
	areas, err2 := cfg.areas()
	sets, err3 := cfg.sets()
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	held, err1 := StoreKeys(d.Keys)
	token, err2 := d.Keys.AEAD(pageToken)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	store, err := sqlstore.New(d.DB, held, d.Clock)
	if err != nil {
		return nil, err
	}
	if err := jobs.Migrate(ctx, d.DB); err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	w := &work.Work{Config: work.Config{Workers: cfg.Run.Workers, Daily: cfg.Run.Daily}, Logger: d.Log}
	p := &Parts{store: store, resume: cfg.Run.Resume, log: d.Log}
	p.jobs, err = jobs.New(cfg.Jobs, jobs.Deps{
		DB: d.DB, Clock: d.Clock, Logger: d.Log, Meter: d.Meter, Tracer: d.Tracer, Workers: w.Workers(), Periodic: w.Periodic(),
	})
	if err != nil {
		return nil, err
	}
	w.Enqueuer = p.jobs
	deps := core.Deps{
		Store: store, Notes: notes{}, Records: records{d.Recorder}, Queue: w, Clock: d.Clock, Zone: zone, Sets: sets, Name: name, Areas: areas,
		IncomeCondition: cfg.SE.IncomeCondition, SamePerson: !cfg.Complaint.OtherPerson, Chunk: cfg.Run.Chunk, Lease: cfg.Run.Lease, Ask: cfg.Run.Ask,
	}
	if d.Register != nil {
		if deps.Register, err = d.Register(store); err != nil {
			return nil, errors.Join(fmt.Errorf("register: %w", err), p.jobs.Close())
		}
	}
	if p.service, err = core.New(deps); err != nil {
		return nil, errors.Join(err, p.jobs.Close())
	}
	w.UseCases = p.service
	numbering := core.Numbering{Production: cfg.Environment == "production", Published: cfg.TestPersons}
	p.inbox = cfg.SE.inbox(p.service, numbering, d.Log)
	p.api, err = api.New(api.Deps{
		Service: p.service, Caller: caller, Item: audit.WithItem, EventID: eventID, Organisation: organisation, Number: numbering.Canonical,
		Tokens: page.NewCodec[api.Position](token, d.Clock, pageLife), Now: d.Clock.Now, Poll: cfg.Run.Watch,
	})
	if err != nil {
		return nil, errors.Join(err, p.jobs.Close())
	}
	return p, nil
}

// Register adds the service's RPCs.
func (p *Parts) Register(s *rpc.Server) {
	incomev1.RegisterIncomeServiceServer(s.Registrar(), p.api)
	s.FetchFirst(incomev1.IncomeService_MatchMonth_FullMethodName, p.api.FetchMonth)
}

// Work does the service's jobs until ctx ends. Every replica looks for itself for runs that nobody works on: what leads the periodic jobs may
// have died with the run.
func (p *Parts) Work(ctx context.Context) error {
	var looking sync.WaitGroup
	looking.Go(func() { p.look(ctx) })
	if p.inbox != nil {
		looking.Go(func() { p.inbox.watch(ctx, p.resume) })
	}
	defer looking.Wait()
	return p.jobs.Run(ctx)
}

func (p *Parts) look(ctx context.Context) {
	tick := time.NewTicker(p.resume)
	defer tick.Stop()
	for {
		if err := p.service.Resume(ctx); err != nil && ctx.Err() == nil {
			p.log.WarnContext(ctx, "can't look for runs to go on with", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Close releases what NewParts took. End Work first.
func (p *Parts) Close() error { return p.jobs.Close() }

// UseCases returns the service without its RPCs, for measurements and tests.
func (p *Parts) UseCases() *core.Service { return p.service }
