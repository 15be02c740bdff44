package transfer

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // civil dates must not depend on what the machine has installed

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/tink"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/page"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/transfer/internal/api"
	"samvirke.dev/services/transfer/internal/assertion"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/rules"
	"samvirke.dev/services/transfer/internal/core/workday"
	"samvirke.dev/services/transfer/internal/parcel"
	"samvirke.dev/services/transfer/internal/peer"
	"samvirke.dev/services/transfer/internal/store"
	"samvirke.dev/services/transfer/internal/store/sqlstore"
	"samvirke.dev/services/transfer/internal/upkeep"
)

// name is the service's name: of its workload, its key-encryption keys and its records.
const name = "transfer"

// Names of the service's keysets.
const (
	caseSeal    = "case.seal"
	subjects    = "case.subjects"
	fundSeal    = "fund.seal"
	tokenSeal   = "token.seal"
	tokenExpiry = time.Hour
)

// Keysets returns the service's own keysets. The one of subjects is not to be rotated: the database holds to it that a person moves once
// at a time.
func Keysets() []keys.Spec {
	return []keys.Spec{
		{Name: caseSeal, Kind: keys.KindAEAD, KEK: chassis.KEK(name, "case")},
		{Name: fundSeal, Kind: keys.KindAEAD, KEK: chassis.KEK(name, "case")},
		{Name: tokenSeal, Kind: keys.KindAEAD, KEK: chassis.KEK(name, "case")},
		{Name: subjects, Kind: keys.KindPRF, KEK: chassis.KEK(name, "index")},
	}
}

// Signer signs the data packages of a hosted fund; signing.Key is one.
type Signer interface {
	Sign(ctx context.Context, message []byte) (signature []byte, version int, err error)
	Versions() map[int]ed25519.PublicKey
}

// Outside is what the service has from outside of its process.
type Outside struct {
	DB       *sqlkit.DB
	Keys     *keys.Ring
	Recorder *audit.Recorder // writes the records of what timers do
	Clock    clock.Clock
	Log      *slog.Logger
	// Signer opens the signing key of a fund that is served here, Source its certificate.
	Signer func(ctx context.Context, f Fund) (Signer, error)
	Source func(f Fund) (mtls.Source, error)
}

// Parts are the insides of the service over a database and keys that are open already; tests build them without Vault.
type Parts struct {
	cfg        Config
	outside    Outside
	core       *core.Service
	api        *api.Server
	store      *sqlstore.Store
	peers      *peer.Peers
	assertions *assertion.Verifier
	dispatcher *peer.Dispatcher
	keys       *parcel.Keys
	seal       *keys.AEAD
	signers    map[string]Signer
}

// NewParts builds the insides; Close them before the database.
func NewParts(ctx context.Context, cfg Config, o Outside) (*Parts, error) {
	p := &Parts{cfg: cfg, outside: o, store: sqlstore.New(o.DB), keys: parcel.NewKeys(), signers: map[string]Signer{}}
	peers, err := p.reach()
	if err != nil {
		return nil, err
	}
	p.peers = peers
	if err := p.build(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	for _, f := range cfg.Funds {
		if err := p.serve(ctx, f); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	return p, nil
}

// reach says whom to call, and with whose certificate.
func (p *Parts) reach() (*peer.Peers, error) {
	cfg := peer.Config{
		Sources: map[string]mtls.Source{}, Funds: map[string]peer.Endpoint{}, Identity: map[string]peer.Endpoint{},
		References: p.legal(),
	}
	identity, err := endpoint(p.cfg.Identity.Address, p.cfg.Identity.Service)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	for _, f := range p.cfg.Funds {
		if cfg.Sources[f.ID], err = p.outside.Source(f); err != nil {
			return nil, fmt.Errorf("certificate of %s: %w", f.ID, err)
		}
		cfg.Identity[f.ID] = identity
	}
	for _, o := range p.cfg.Directory {
		if o.Kind != kindFund {
			continue
		}
		if cfg.Funds[o.ID], err = endpoint(o.Address, o.Service); err != nil {
			return nil, fmt.Errorf("directory: %s: %w", o.ID, err)
		}
	}
	return peer.New(cfg), nil
}

func endpoint(address, service string) (peer.Endpoint, error) {
	id, err := workload.Parse(service)
	return peer.Endpoint{Address: address, ID: id}, err
}

// build puts core and API together.
func (p *Parts) build() error {
	zone, err0 := time.LoadLocation(p.cfg.TimeZone)
	seal, err1 := p.outside.Keys.AEAD(caseSeal)
	index, err2 := p.outside.Keys.PRF(subjects)
	token, err3 := p.outside.Keys.AEAD(tokenSeal)
	fund, err4 := p.outside.Keys.AEAD(fundSeal)
	if err := errors.Join(err0, err1, err2, err3, err4); err != nil {
		return err
	}
	p.seal = fund
	var issuers []assertion.Issuer
	for _, i := range p.cfg.Issuers {
		issuers = append(issuers, assertion.Issuer(i))
	}
	assertions, err := assertion.New(issuers, zone, p.outside.Log)
	if err != nil {
		return fmt.Errorf("issuers: %w", err)
	}
	p.assertions = assertions
	parcels, err := parcel.New(p.keys.Own, p.peers.FundKeys())
	if err != nil {
		return err
	}
	t, m := p.cfg.Terms, p.cfg.Membership
	p.core, err = core.New(core.Deps{
		Store: p.store, Directory: directory{p.cfg}, Sealer: seal, Index: subjectIndex{index}, Assertions: assertions, Parcels: parcels,
		Machine: cases.NewMachine(cases.Terms{
			AckWorkdays: t.AckWorkdays, DeliverWorkdays: t.DeliverWorkdays, ReminderEvery: t.ReminderEvery, PoAValidDays: t.PoAValidDays,
		}, workday.New()),
		Clock: p.outside.Clock, Zone: zone, Notes: notes{}, Records: p.records(), NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
		Wake: func() { p.dispatcher.Wake() },
		Membership: core.MembershipRules{
			Pension: rules.DanishPensionTable(), AdmissionArea: m.AdmissionAuto, DeletionArea: m.DeletionAuto,
			Deletion: rules.DeletionTerms{ReminderDays: m.ReminderDays, GraceDays: m.GraceDays, ReinstateDays: m.ReinstateDays, HearingRequired: true},
		},
	})
	if err != nil {
		return err
	}
	p.dispatcher = peer.NewDispatcher(p.peers, p.store, p.core, p.outside.Clock, p.outside.Log, p.cfg.Exchange)
	p.api, err = api.New(api.Deps{
		Core: p.core, Persons: p.peers.Persons(), Caller: caller, Organisation: organisation, EventID: eventID, Public: p.public,
		Tokens: page.NewCodec[store.Position](token, p.outside.Clock, tokenExpiry), Poll: p.cfg.Watch,
	})
	return err
}

// records writes what timers do.
func (p *Parts) records() records { return records{p.outside.Recorder, p.legal()} }

// legal is the legal reference of each country.
func (p *Parts) legal() map[string]string {
	return map[string]string{rules.Denmark: p.cfg.Reference.DK, rules.Sweden: p.cfg.Reference.SE}
}

// serve readies the keys of a fund that is served here.
func (p *Parts) serve(ctx context.Context, f Fund) error {
	signer, err := p.outside.Signer(ctx, f)
	if err != nil {
		return fmt.Errorf("signing key of %s: %w", f.ID, err)
	}
	p.signers[f.ID] = signer
	var seal tink.AEAD = p.seal
	return p.keys.Load(ctx, p.store, seal, f.ID, signer, p.outside.Clock.Now())
}

// public returns the public keys of a fund that is served here.
func (p *Parts) public(fund string) (parcel.Public, bool) {
	encryption, ok := p.keys.Encryption(fund)
	if !ok {
		return parcel.Public{}, false
	}
	return parcel.Public{Signing: p.signers[fund].Versions(), Encryption: encryption}, true
}

// Close ends the connections to others.
func (p *Parts) Close() error { return p.peers.Close() }

// Register adds the service's RPCs.
func (p *Parts) Register(s *rpc.Server) {
	transferv1.RegisterTransferServiceServer(s.Registrar(), p.api)
	transferv1.RegisterTransferExchangeServiceServer(s.Registrar(), p.api)
	transferv1.RegisterMembershipServiceServer(s.Registrar(), p.api)
	for method, fetch := range p.api.Fetches() {
		s.FetchFirst(method, fetch)
	}
}

// Components are what runs beside the calls: telling other funds, and following the issuers' keys. What the calendar brings about runs as jobs, see jobs.
func (p *Parts) Components() []app.Component {
	return []app.Component{
		{Name: "exchange", Run: p.dispatcher.Run},
		{Name: "issuers", Run: func(ctx context.Context) error { return p.assertions.Run(ctx, p.cfg.Reload) }},
	}
}

// Sweep runs once what the jobs run again and again.
func (p *Parts) Sweep(ctx context.Context) error { return upkeep.Run(ctx, p.core, p.peers.Persons()) }

// directory is the configured one.
type directory struct{ cfg Config }

// Find implements core.Directory.
func (d directory) Find(id string) (core.Fund, bool) {
	i := slices.IndexFunc(d.cfg.Directory, func(o Organisation) bool { return o.ID == id })
	if i < 0 {
		return core.Fund{}, false
	}
	country, _, _ := strings.Cut(id, ":")
	hosted := slices.ContainsFunc(d.cfg.Funds, func(f Fund) bool { return f.ID == id })
	return core.Fund{ID: id, Country: country, IsFund: d.cfg.Directory[i].Kind == kindFund, Hosted: hosted}, true
}

// Hosted implements core.Directory.
func (d directory) Hosted() []string {
	out := make([]string, 0, len(d.cfg.Funds))
	for _, f := range d.cfg.Funds {
		out = append(out, f.ID)
	}
	return out
}
