package audit

import (
	"context"
	"errors"
	"log/slog"
	"time"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/audit/internal/api"
	"samvirke.dev/services/audit/internal/codec"
	"samvirke.dev/services/audit/internal/console"
	"samvirke.dev/services/audit/internal/core"
	"samvirke.dev/services/audit/internal/ledger"
	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/audit/internal/store/sqlstore"
	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/authz"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/ids"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/page"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/platform/sqlkit"
)

// name is the service's name: of its workload, its key-encryption keys and its records.
const name = "audit"

// Names of the service's keysets.
const (
	recordSeal = "record.seal"
	recordCase = "record.case"
	pageToken  = "record.page"
)

// Keysets returns the service's own keysets.
func Keysets() []keys.Spec {
	return []keys.Spec{
		{Name: recordSeal, Kind: keys.KindAEAD, KEK: chassis.KEK(name, "record")},
		{Name: recordCase, Kind: keys.KindPRF, KEK: chassis.KEK(name, "record")},
		{Name: pageToken, Kind: keys.KindAEAD, KEK: chassis.KEK(name, "record")},
	}
}

// KeyClasses are the classes of the service's key-encryption keys, which an operator creates in Vault as audit-<class>; besides them it
// needs the Ed25519 key that signs checkpoints.
func KeyClasses() []string { return []string{"record", "audit", "response"} }

// Deps is what the insides stand on; tests give their own.
type Deps struct {
	DB     *sqlkit.DB
	Keys   *keys.Ring
	Clock  clock.Clock
	Log    *slog.Logger
	Signer ledger.Signer
}

// Parts are the insides of the service over a database and keys that are open already.
type Parts struct {
	Store  store.Store
	Ledger *ledger.Ledger
	Core   *core.Service

	cfg   Config
	d     Deps
	api   *api.Server
	fleet *fleet
}

// NewParts builds the insides; Close them before the database.
func NewParts(ctx context.Context, cfg Config, d Deps) (*Parts, error) {
	seal, err1 := d.Keys.AEAD(recordSeal)
	cases, err2 := d.Keys.PRF(recordCase)
	token, err3 := d.Keys.AEAD(pageToken)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	p := &Parts{cfg: cfg, d: d, Store: sqlstore.New(d.DB), fleet: &fleet{now: d.Clock.Now, seen: map[string]console.Member{}}}
	p.Ledger = ledger.New(ledger.Config{Dir: cfg.Ledger.Dir, Origin: cfg.Ledger.Origin, Leaves: p.Store, Signer: d.Signer, Log: d.Log})
	p.Core = core.New(ctx, core.Deps{
		Store: p.Store, Ledger: p.Ledger, Codec: codec.Codec{}, Seal: seal, Cases: cases, Clock: d.Clock, Alerts: alerts{d.Log},
		Keep: core.Keep{Months: cfg.Keep.Months, RegisterMonths: cfg.Keep.RegisterMonths},
	})
	p.api = api.New(api.Deps{
		UseCases: p.Core, Writer: p.writer, Reader: reader, Approved: audit.Approver, NewID: ids.NewEventID,
		Tokens: page.NewCodec[store.Key](token, d.Clock, 0),
	})
	return p, nil
}

// Close stops what runs in the background.
func (p *Parts) Close(ctx context.Context) error { return p.Core.Close(ctx) }

// Register adds the service's RPCs.
func (p *Parts) Register(s *rpc.Server) {
	auditv1.RegisterIngestServiceServer(s.Registrar(), p.api)
	auditv1.RegisterLedgerServiceServer(s.Registrar(), p.api)
	auditv1.RegisterAuditorServiceServer(s.Registrar(), p.api)
	auditv1.RegisterRestoreServiceServer(s.Registrar(), p.api)
}

// Components are what runs beside the calls.
func (p *Parts) Components() []app.Component {
	copies := &ledger.Copies{Ledger: p.Ledger, Dir: p.cfg.Checkpoints.Dir, Every: p.cfg.Checkpoints.Every}
	return []app.Component{
		{Name: "ledger", Run: p.Ledger.Run},
		{Name: "checkpoints", Run: copies.Run},
		{Name: "retention", Run: p.expire},
	}
}

// expire erases what has been kept long enough, until ctx ends.
func (p *Parts) expire(ctx context.Context) error {
	timer := time.NewTicker(p.cfg.Keep.Every)
	defer timer.Stop()
	for {
		n, err := p.Core.Expire(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			p.d.Log.ErrorContext(ctx, "records whose time is over can't be erased", "error", err.Error())
		case n > 0:
			p.d.Log.InfoContext(ctx, "records whose time was over were erased", "records", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
	}
}

// Own takes the service's own records: reading the audit is audited.
func (p *Parts) Own() audit.Sink { return own{p.Core} }

type own struct{ core *core.Service }

// Ship implements audit.Sink.
func (o own) Ship(ctx context.Context, batches [][][]byte) (int, error) {
	for i, records := range batches {
		if _, err := o.core.Ingest(ctx, name, records); err != nil {
			return i, api.Failure(err)
		}
	}
	return len(batches), nil
}

// writer notes which certificate the call bears, for the console, and names its service.
func (p *Parts) writer(ctx context.Context) string {
	service := writer(ctx)
	p.fleet.saw(ctx, service)
	return service
}

// writer is the service whose certificate the call bears. What another named, to act for it, does not count.
func writer(ctx context.Context) string {
	if e := audit.From(ctx); e.Via.IsZero() {
		return e.Caller.Name()
	}
	return ""
}

// reader tells the use cases who asks, from the decision that let the call through.
func reader(ctx context.Context) core.Reader {
	d := authz.From(ctx)
	if d == nil {
		return core.Reader{}
	}
	return core.Reader{
		Organisation: d.Organisation, Controller: d.Controller, Employee: d.Context.GetActorId(),
		Auditor: d.Role == vocabularyv1.Role_ROLE_AUDITOR || d.Role == vocabularyv1.Role_ROLE_SUPERVISOR,
	}
}

// alerts tells those who watch the log.
type alerts struct{ log *slog.Logger }

// Access implements core.Alerts. It is a warning that no configuration can silence short of switching off warnings.
func (a alerts) Access(ctx context.Context, access store.Access) {
	state := "requested"
	if access.Approver != "" {
		state = "approved"
	}
	a.log.WarnContext(ctx, "break-glass access", "alert", "break-glass", "state", state, "access_id", access.ID, "organisation", access.Organisation,
		"controller", access.Owner, "reason", auditv1.AccessReason(access.Reason).String())
}

// Restore implements core.Alerts. What is restored and why stand in the call's record like a decision: which service as its rule, the
// backup's moment as its version.
func (a alerts) Restore(ctx context.Context, r core.Restore) {
	audit.Rule(ctx, &auditv1.RuleDecision{
		RuleId: "IT-RESTORE-" + r.Service, RuleVersion: r.Backup.UTC().Format(time.RFC3339), Outcome: r.Reason,
	})
	a.log.WarnContext(ctx, "data are being restored from a backup", "alert", "restore", "service", r.Service, "backup_time", r.Backup,
		"organisation", r.Organisation, "controller", r.Controller, "reason", r.Reason)
}
