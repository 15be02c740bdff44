package insurance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
	_ "time/tzdata" // civil dates must not depend on what the machine has installed

	"google.golang.org/protobuf/proto"

	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	"samvirke.dev/services/insurance/internal/api"
	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/insurance/internal/store/sealed"
	"samvirke.dev/services/insurance/internal/store/sqlstore"
	"samvirke.dev/services/insurance/internal/upkeep"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/page"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/platform/sqlkit"
)

// name is the service's name: of its workload, its key-encryption keys and its records.
const name = "insurance"

// Names of the service's keysets.
const (
	memberSeal = "member.seal"
	cursorSeal = "cursor.seal"
)

// Keysets returns the service's own keysets.
func Keysets() []keys.Spec {
	return []keys.Spec{
		{Name: memberSeal, Kind: keys.KindAEAD, KEK: chassis.KEK(name, "member")},
		{Name: cursorSeal, Kind: keys.KindAEAD, KEK: chassis.KEK(name, "member")},
	}
}

// Parts are the insides of the service over a database and keys that are open already; tests build them without Vault.
type Parts struct {
	api      *api.Server
	service  *core.Service
	subjects *subjects
	store    core.Store
	rows     *sqlstore.Store
	keep     core.Retention
}

// NewParts builds the insides.
func NewParts(cfg Config, db *sqlkit.DB, ring *keys.Ring, clk clock.Clock, identity core.Identity) (*Parts, error) {
	zone, err := time.LoadLocation(cfg.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("time_zone: %w", err)
	}
	seal, err1 := ring.AEAD(memberSeal)
	token, err2 := ring.AEAD(cursorSeal)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	rows := sqlstore.New(db)
	store, err := sealed.New(rows, seal)
	if err != nil {
		return nil, err
	}
	p := &Parts{rows: rows, subjects: &subjects{ring: ring, prfs: map[string]*keys.PRF{}}, store: store}
	p.service, err = core.New(core.Deps{
		Store: store, Identity: identity, Subjects: p.subjects, Notes: notes{}, Clock: clk, Zone: zone, Policies: cfg.policies(),
	})
	if err != nil {
		return nil, err
	}
	p.api, err = api.New(api.Deps{
		UseCases: p.service, Caller: caller, Item: audit.WithItem, EventID: eventID,
		Cursors: page.NewCodec[api.Position](token, clk, cfg.Cursors.Keep), Pages: page.NewCodec[api.Position](token, clk, 0),
	})
	const year = 365 * 24 * time.Hour
	p.keep = core.Retention{Contact: cfg.Keep.ContactYears, Items: cfg.Keep.Items, Disclosures: time.Duration(cfg.Keep.DisclosureYears) * year}
	return p, err
}

// Register adds the service's RPCs.
func (p *Parts) Register(s *rpc.Server) {
	insurancev1.RegisterInsuranceServiceServer(s.Registrar(), p.api)
	insurancev1.RegisterShareServiceServer(s.Registrar(), p.api)
	insurancev1.RegisterMemberDirectoryServiceServer(s.Registrar(), p.api)
	s.FetchFirst(insurancev1.InsuranceService_RegisterAgreement_FullMethodName, p.api.FetchAgreement)
	s.FetchFirst(insurancev1.InsuranceService_ShareContact_FullMethodName, p.api.FetchShare)
	s.FetchFirst(insurancev1.ShareService_FetchShares_FullMethodName, p.fetchMailbox)
	s.FetchFirst(insurancev1.ShareService_GetSharedSubject_FullMethodName, p.api.FetchSubject)
}

// fetchMailbox tells the chain when a look into a mailbox changes nothing: most don't, since partners poll.
func (p *Parts) fetchMailbox(ctx context.Context, request proto.Message) context.Context {
	if ctx = p.api.FetchMailbox(ctx, request); core.IsSettled(ctx) {
		return rpc.Unchanging(ctx)
	}
	return ctx
}

// Gather makes partners who poll at the same time ask the database together. Call end before the database is closed.
func (p *Parts) Gather(ctx context.Context) (end func(context.Context) error) {
	return p.rows.Gather(ctx)
}

// Prepare readies the keys of every partner with whom there is an agreement, so that a missing one is known at start.
func (p *Parts) Prepare(ctx context.Context) error {
	partners, err := p.store.Partners(ctx)
	if err != nil {
		return err
	}
	var problems []error
	for _, partner := range partners {
		problems = append(problems, p.subjects.Prepare(ctx, partner))
	}
	return errors.Join(problems...)
}

// upkeep returns the background work.
func (p *Parts) upkeep(cfg Config, log *slog.Logger) (*upkeep.Upkeep, error) {
	return upkeep.New(upkeep.Config{Sweep: cfg.Jobs.Sweep, Tidy: cfg.Jobs.Tidy, Keep: p.keep}, p.service, log)
}
