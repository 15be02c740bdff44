// Package registers simulates the registers that the suite asks: SPAR Personsök 2021.1, CPR's SF1520 in versions 4 and 5, CPR's subscription
// service and eIndkomst, the Danish income register, over SOAP 1.1 and mutual TLS, and CPR Direkte's deliveries as files. The simulators are
// written from the published contracts, know the registers' published fictitious test persons, and share no code with the adapters that
// call them. What they know and how they behave can be changed at run time, from Go or over HTTP on the loopback interface. See README.md.
package registers

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"samvirke.dev/deploy/registers/cpr"
	"samvirke.dev/deploy/registers/direkte"
	"samvirke.dev/deploy/registers/persons"
	"samvirke.dev/deploy/registers/serviceplatform"
	"samvirke.dev/deploy/registers/sf1520"
	"samvirke.dev/deploy/registers/spar"
	"samvirke.dev/deploy/registers/subscription"
	"samvirke.dev/deploy/registers/trouble"
	"samvirke.dev/services/platform/clock"
)

// Config says what to simulate.
type Config struct {
	// SPAR, SF1520 and Admin are the listeners, `host:port`; port 0 takes a free one. Admin must be a loopback address; empty for no
	// admin listener.
	SPAR   string
	SF1520 string
	Admin  string
	// SPARPaths, SF1520Path, SF1520V5Path and SubscriptionPath are where the operations are served, the last three on one listener; the
	// registers' own paths when empty.
	SPARPaths        []string
	SF1520Path       string
	SF1520V5Path     string
	SubscriptionPath string
	// TLS is the servers' configuration, with a certificate and the authorities of clients; see LoadTLS.
	TLS *tls.Config
	// Deliveries is the folder for CPR Direkte's files.
	Deliveries string
	// Assignments are SPAR's permissions, Invocations SF1520's contexts and Subscriptions those of the subscription service;
	// DefaultAssignments, DefaultInvocation and DefaultSubscription when empty.
	Assignments   []spar.Assignment
	Invocations   []serviceplatform.Invocation
	Subscriptions []serviceplatform.Invocation
	// Income is eIndkomst.
	Income Income
}

// Deps are what a simulator needs.
type Deps struct {
	Clock  clock.Clock
	Logger *slog.Logger
}

// Simulator is the registers with their listeners. It is safe for concurrent use.
type Simulator struct {
	cfg        Config
	log        *slog.Logger
	spar       *spar.Service
	sparHost   *trouble.Host
	register   *cpr.Register
	sf1520Host *trouble.Host
	deliveries *direkte.Deliveries
	income     *income

	admin     *http.Server
	adminAddr string
	wg        sync.WaitGroup
}

// New puts a simulator together; Start opens its listeners.
func New(cfg Config, d Deps) (*Simulator, error) {
	if d.Clock == nil || d.Logger == nil {
		return nil, errors.New("registers: a dependency is missing")
	}
	if cfg.TLS == nil {
		return nil, ErrNoTLS
	}
	if err := loopback(cfg.Admin); err != nil {
		return nil, err
	}
	defaults(&cfg)
	s := &Simulator{cfg: cfg, log: d.Logger}
	if err := s.swedish(d); err != nil {
		return nil, err
	}
	if err := s.danish(d); err != nil {
		return nil, err
	}
	var err error
	if s.income, err = newIncome(&s.cfg, d); err != nil {
		return nil, err
	}
	return s, nil
}

// defaults fills in what was left empty.
func defaults(cfg *Config) {
	if len(cfg.SPARPaths) == 0 {
		cfg.SPARPaths = []string{spar.Path, spar.OtherPath}
	}
	cfg.SF1520Path = cmp.Or(cfg.SF1520Path, sf1520.Path(sf1520.Version4))
	cfg.SF1520V5Path = cmp.Or(cfg.SF1520V5Path, sf1520.Path(sf1520.Version5))
	cfg.SubscriptionPath = cmp.Or(cfg.SubscriptionPath, subscription.Path)
	if len(cfg.Assignments) == 0 {
		cfg.Assignments = DefaultAssignments()
	}
	if len(cfg.Invocations) == 0 {
		cfg.Invocations = []serviceplatform.Invocation{DefaultInvocation()}
	}
	if len(cfg.Subscriptions) == 0 {
		cfg.Subscriptions = []serviceplatform.Invocation{DefaultSubscription()}
	}
}

func (s *Simulator) swedish(d Deps) error {
	// The service counts through the host, which serves it; the host exists only after the service.
	count := func(outcome string) { s.sparHost.Count(outcome) }
	service, err := spar.New(spar.Deps{Clock: d.Clock, Assignments: s.cfg.Assignments, Count: count})
	if err != nil {
		return err
	}
	s.spar = service
	routes := map[string]simulated{}
	for _, path := range s.cfg.SPARPaths {
		routes[path] = service
	}
	s.sparHost, err = host(s.cfg.TLS, d.Logger.With("register", "spar"), routes)
	return err
}

func (s *Simulator) danish(d Deps) error {
	var err error
	if s.register, err = cpr.New(d.Clock); err != nil {
		return err
	}
	if s.deliveries, err = direkte.New(direkte.Deps{Register: s.register, Dir: s.cfg.Deliveries, Logger: d.Logger}); err != nil {
		return err
	}
	count := func(outcome string) { s.sf1520Host.Count(outcome) }
	routes := map[string]simulated{}
	for path, version := range map[string]string{s.cfg.SF1520Path: sf1520.Version4, s.cfg.SF1520V5Path: sf1520.Version5} {
		deps := sf1520.Deps{Register: s.register, Version: version, Invocations: s.cfg.Invocations, Count: count}
		if routes[path], err = sf1520.New(deps); err != nil {
			return err
		}
	}
	routes[s.cfg.SubscriptionPath], err = subscription.New(subscription.Deps{
		Register: s.register, Deliveries: s.deliveries, Invocations: s.cfg.Subscriptions, Count: count,
	})
	if err != nil {
		return err
	}
	if len(routes) != danishServices {
		return errors.New("registers: two services of SF1520's listener have the same path")
	}
	s.sf1520Host, err = host(s.cfg.TLS, d.Logger.With("register", "sf1520"), routes)
	return err
}

// danishServices is how many services SF1520's listener has.
const danishServices = 3

// simulated is a service of a register.
type simulated interface {
	Handler() http.Handler // as always
	General() http.Handler // when the register says that something is wrong
}

func host(conf *tls.Config, log *slog.Logger, routes map[string]simulated) (*trouble.Host, error) {
	handlers, general := map[string]http.Handler{}, map[string]http.Handler{}
	for path, service := range routes {
		handlers[path], general[path] = service.Handler(), service.General()
	}
	return trouble.New(trouble.Deps{TLS: conf, Logger: log, Handler: at(handlers), General: at(general)})
}

// at serves handlers at exactly these paths. A ServeMux would take a path that ends in a slash for a whole tree, and redirect.
func at(handlers map[string]http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := handlers[r.URL.Path]; h != nil {
			h.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	})
}

// Start opens the listeners. When it fails, nothing is left open.
func (s *Simulator) Start(ctx context.Context) error {
	err := s.sparHost.Open(ctx, s.cfg.SPAR)
	if err == nil {
		err = s.sf1520Host.Open(ctx, s.cfg.SF1520)
	}
	if err == nil && s.cfg.Income.Listen != "" {
		err = s.income.host.Open(ctx, s.cfg.Income.Listen)
	}
	if err == nil && s.cfg.Admin != "" {
		err = s.openAdmin(ctx)
	}
	if err != nil {
		s.Close()
		return fmt.Errorf("registers: %w", err)
	}
	return nil
}

// The admin listener's timeouts.
const adminTimeout = 30 * time.Second

func (s *Simulator) openAdmin(ctx context.Context) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", s.cfg.Admin)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	s.adminAddr = ln.Addr().String()
	s.admin = &http.Server{
		Handler: s.AdminHandler(), ReadTimeout: adminTimeout, ReadHeaderTimeout: adminTimeout, WriteTimeout: adminTimeout,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.wg.Go(func() {
		if err := s.admin.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.log.ErrorContext(ctx, "the admin listener failed", "error", err)
		}
	})
	return nil
}

// Close ends everything at once, whatever is under way, and waits for the listeners to end.
func (s *Simulator) Close() {
	if s.admin != nil {
		_ = s.admin.Close() // nothing is lost by an unclean end
	}
	s.sparHost.Close()
	s.sf1520Host.Close()
	s.income.host.Close()
	s.wg.Wait()
}

// SPARAddr is the address of SPAR after Start.
func (s *Simulator) SPARAddr() string { return s.sparHost.Addr() }

// SF1520Addr is the address of SF1520 and of the subscription service after Start.
func (s *Simulator) SF1520Addr() string { return s.sf1520Host.Addr() }

// AdminAddr is the address of the admin listener, empty without one.
func (s *Simulator) AdminAddr() string { return s.adminAddr }

// SPARURL is where clients call SPAR.
func (s *Simulator) SPARURL() string { return "https://" + s.SPARAddr() + s.cfg.SPARPaths[0] }

// SF1520URL is where clients call version 4 of SF1520.
func (s *Simulator) SF1520URL() string { return "https://" + s.SF1520Addr() + s.cfg.SF1520Path }

// SF1520V5URL is where clients call version 5 of SF1520.
func (s *Simulator) SF1520V5URL() string { return "https://" + s.SF1520Addr() + s.cfg.SF1520V5Path }

// SubscriptionURL is where clients call CPR's subscription service.
func (s *Simulator) SubscriptionURL() string {
	return "https://" + s.SF1520Addr() + s.cfg.SubscriptionPath
}

// SetSPARTrouble makes SPAR misbehave; the zero value ends it.
func (s *Simulator) SetSPARTrouble(ctx context.Context, t trouble.Trouble) error {
	return s.sparHost.Set(ctx, t)
}

// SetSF1520Trouble makes SF1520 misbehave; the zero value ends it.
func (s *Simulator) SetSF1520Trouble(ctx context.Context, t trouble.Trouble) error {
	return s.sf1520Host.Set(ctx, t)
}

// SPARCounts tells what SPAR has been asked.
func (s *Simulator) SPARCounts() trouble.Counts { return s.sparHost.Counts() }

// SF1520Counts tells what SF1520 and the subscription service have been asked.
func (s *Simulator) SF1520Counts() trouble.Counts { return s.sf1520Host.Counts() }

// SetSwedishAddress is spar.Service.SetAddress.
func (s *Simulator) SetSwedishAddress(number string, a persons.SwedishAddress) error {
	return s.spar.SetAddress(number, a)
}

// SetSwedishProtection is spar.Service.SetProtection.
func (s *Simulator) SetSwedishProtection(number string, mark, registration bool) error {
	return s.spar.SetProtection(number, mark, registration)
}

// SetSwedishDeath is spar.Service.SetDeath.
func (s *Simulator) SetSwedishDeath(number, day string) error { return s.spar.SetDeath(number, day) }

// SetMaxAnswers is spar.Service.SetMaxAnswers.
func (s *Simulator) SetMaxAnswers(n int) error { return s.spar.SetMaxAnswers(n) }

// SetDanishAddress is cpr.Register.SetAddress.
func (s *Simulator) SetDanishAddress(number string, a persons.DanishAddress) error {
	return s.register.SetAddress(number, a)
}

// SetDanishProtection is cpr.Register.SetProtection.
func (s *Simulator) SetDanishProtection(number, kind string, on bool) error {
	return s.register.SetProtection(number, kind, on)
}

// SetDanishDeath is cpr.Register.SetDeath.
func (s *Simulator) SetDanishDeath(number, day string) error { return s.register.SetDeath(number, day) }

// Subscribed is direkte.Deliveries.Subscribed.
func (s *Simulator) Subscribed() []string { return s.deliveries.Subscribed() }

// Subscribe is direkte.Deliveries.Subscribe.
func (s *Simulator) Subscribe(numbers ...string) error { return s.deliveries.Subscribe(numbers...) }

// Unsubscribe is direkte.Deliveries.Unsubscribe.
func (s *Simulator) Unsubscribe(numbers ...string) { s.deliveries.Unsubscribe(numbers...) }

// Deliver is direkte.Deliveries.Deliver.
func (s *Simulator) Deliver(ctx context.Context) (direkte.Delivery, error) {
	return s.deliveries.Deliver(ctx)
}
