package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // civil dates must not depend on what the machine has installed

	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/identity/internal/api"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/importer"
	"samvirke.dev/services/identity/internal/store/sealed"
	"samvirke.dev/services/identity/internal/store/sqlstore"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/page"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/platform/sqlkit"
)

// name is the service's name: of its workload, its key-encryption keys and its records.
const name = "identity"

// Names of the service's keysets.
const (
	personSeal  = "person.seal"
	personIndex = "person.index"
	feedToken   = "feed.token"
)

// Keysets returns the service's own keysets.
func Keysets() []keys.Spec {
	return []keys.Spec{
		{Name: personSeal, Kind: keys.KindAEAD, KEK: chassis.KEK(name, "person")},
		{Name: feedToken, Kind: keys.KindAEAD, KEK: chassis.KEK(name, "person")},
		{Name: personIndex, Kind: keys.KindPRF, KEK: chassis.KEK(name, "index")},
	}
}

// HandleKEK returns the name of the key-encryption key for a controller's handles, such as identity-handle-dk-12345678. An operator
// creates it in Vault before the first agreement that names the controller.
func HandleKEK(controller string) string {
	return chassis.KEK(name, "handle-"+slug(controller))
}

// slug writes a controller as names of keys allow: dk-12345678.
func slug(controller string) string { return strings.ToLower(strings.ReplaceAll(controller, ":", "-")) }

// handles are the controllers' pseudonym keys.
type handles struct {
	ring *keys.Ring
	mu   sync.RWMutex
	prfs map[string]*keys.PRF // by controller
}

func (h *handles) of(controller string) *keys.PRF {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.prfs[controller]
}

// prepare loads or makes the key of a controller.
func (h *handles) prepare(ctx context.Context, controller string) error {
	if h.of(controller) != nil {
		return nil
	}
	spec := keys.Spec{Name: "handle." + slug(controller), Kind: keys.KindPRF, KEK: HandleKEK(controller)}
	if err := h.ring.Ensure(ctx, spec); err != nil {
		return fmt.Errorf("handles of %s: %w", controller, err)
	}
	prf, err := h.ring.PRF(spec.Name)
	if err != nil {
		return fmt.Errorf("handles of %s: %w", controller, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.prfs[controller] = prf
	return nil
}

// Handle implements core.Handles.
func (h *handles) Handle(controller, canonical string) (string, error) {
	prf := h.of(controller)
	if prf == nil {
		return "", core.ErrKeysUnavailable
	}
	handle, err := prf.Pseudonym(canonical)
	if err != nil {
		return "", errors.Join(core.ErrKeysUnavailable, err)
	}
	return handle, nil
}

// Parts are the insides of the service over a database and keys that are open already; tests build them without Vault.
type Parts struct {
	api     *api.Server
	handles *handles
	store   *sqlstore.Gathered
	persons *sealed.Persons
	guard   *nationalid.Guard
	zone    *time.Location
	clock   clock.Clock
	service *core.Service
	feeds   *feeds
}

// NewParts builds the insides; Close them before the database. registers are asked live, by country; of a country without one what was
// imported is all there is.
func NewParts(
	ctx context.Context, cfg Config, db *sqlkit.DB, ring *keys.Ring, clk clock.Clock, registers map[nationalid.Country]core.Register,
) (*Parts, error) {
	zone, err := time.LoadLocation(cfg.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("time_zone: %w", err)
	}
	published, err := cfg.published()
	if err != nil {
		return nil, err
	}
	guard, err := nationalid.NewGuard(nationalid.GuardConfig{Environment: nationalid.Environment(cfg.Environment), Published: published})
	if err != nil {
		return nil, err
	}
	seal, err1 := ring.AEAD(personSeal)
	index, err2 := ring.PRF(personIndex)
	token, err3 := ring.AEAD(feedToken)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	gathered := sqlstore.Gather(ctx, sqlstore.New(db))
	p := &Parts{handles: &handles{ring: ring, prfs: map[string]*keys.PRF{}}, store: gathered, guard: guard, zone: zone, clock: clk}
	if err := p.build(cfg, seal, index, token, registers); err != nil {
		return nil, errors.Join(err, p.Close(ctx))
	}
	return p, nil
}

func (p *Parts) build(cfg Config, seal *keys.AEAD, index *keys.PRF, token *keys.AEAD, registers map[nationalid.Country]core.Register) error {
	persons, err := sealed.New(sealed.Deps{Store: p.store, AEAD: seal, Index: index, Clock: p.clock})
	if err != nil {
		return err
	}
	p.persons = persons
	p.feeds = &feeds{age: map[nationalid.Country]time.Duration{}}
	p.service, err = core.New(core.Deps{
		Persons: persons, Feed: persons, Handles: p.handles, Notes: notes{}, Clock: p.clock, Zone: p.zone, Guard: p.guard,
		ProtectedAddressLaws: cfg.ProtectedAddressLaws, Registers: registers, CopyAge: p.feeds.Age,
	})
	if err != nil {
		return err
	}
	p.api, err = api.New(api.Deps{
		UseCases: p.service, Caller: caller, Item: audit.WithItem, EventID: eventID, Workers: batchWorkers(registers),
		Tokens: page.NewCodec[api.Position](token, p.clock, cfg.Feed.Keep), Poll: cfg.Feed.Poll,
	})
	return err
}

// Close stops what runs in the background.
func (p *Parts) Close(ctx context.Context) error { return p.store.Close(ctx) }

// Register adds the service's RPCs.
func (p *Parts) Register(s *rpc.Server) {
	identityv1.RegisterIdentityServiceServer(s.Registrar(), p.api)
	s.FetchFirst(identityv1.IdentityService_ResolveSubject_FullMethodName, p.api.FetchSubject)
}

// Prepare readies the keys of a controller.
func (p *Parts) Prepare(ctx context.Context, controller string) error {
	return p.handles.prepare(ctx, controller)
}

// Import reads persons into the store; see package importer for the format.
func (p *Parts) Import(ctx context.Context, r io.ReadSeeker) (importer.Report, error) {
	im, err := importer.New(importer.Deps{Sink: p.persons, Guard: p.guard, Clock: p.clock, Zone: p.zone})
	if err != nil {
		return importer.Report{}, err
	}
	return im.Import(ctx, r)
}

// batchWorkers returns how many items of a batch are looked up at a time. The database is fastest one by one; registers are far away.
func batchWorkers(registers map[nationalid.Country]core.Register) int {
	const live = 8
	if len(registers) > 0 {
		return live
	}
	return 1
}
