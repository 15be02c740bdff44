// Package gateway is the REST edge of the suite: TLS 1.3 with client certificates in front, mutual-TLS gRPC behind, in the name of the
// partner whose certificate was verified. It keeps no state: quotas, agreements, audit and idempotency are the services', so any number
// of replicas may stand beside each other. This package is its composition root.
package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/pki"
	"samvirke.dev/certs/signing"
	"samvirke.dev/certs/vault"
	"samvirke.dev/certs/workload"
	"samvirke.dev/gateway/internal/backend"
	"samvirke.dev/gateway/internal/docs"
	"samvirke.dev/gateway/internal/edge"
	"samvirke.dev/gateway/internal/token"
	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/telemetry"
)

// name is the gateway's name: of its workload, its AppRole and its signing role.
const name = "gateway"

// drain is how long calls under way may last after the gateway was told to stop.
const drain = 15 * time.Second

// scopeName is the name under which tracer and meter are found.
const scopeName = "samvirke.dev/gateway"

// App is the gateway, ready to run.
type App struct {
	cfg      Config
	log      *slog.Logger
	tel      *telemetry.Telemetry
	transit  signing.Transit
	source   mtls.Source     // our certificate, and whom we trust
	upkeep   []app.Component // what keeps the two alive
	backends *backend.Backends
	edge     *edge.Edge
	api      http.Handler // what is behind client certificates
	public   http.Handler // what is not
	closers  []func(context.Context) error
}

// New builds every part, in order: telemetry, Vault, certificate, services, routes. If a step fails, what was opened is closed again, and
// the error says what an operator must do.
func New(ctx context.Context, cfg Config, log io.Writer) (a *App, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a = &App{cfg: cfg}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close(context.WithoutCancel(ctx)))
			a = nil
		}
	}()
	return a, a.open(ctx, log, a.openTelemetry, a.openVault, a.openBackends, a.openRoutes)
}

func (a *App) open(ctx context.Context, log io.Writer, steps ...func(context.Context, io.Writer) error) error {
	for _, step := range steps {
		if err := step(ctx, log); err != nil {
			return err
		}
	}
	return nil
}

// Close releases everything, the last opened first.
func (a *App) Close(ctx context.Context) error {
	var problems []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		problems = append(problems, a.closers[i](ctx))
	}
	a.closers = nil
	return errors.Join(problems...)
}

func (a *App) onClose(fn func(context.Context) error) { a.closers = append(a.closers, fn) }

func (a *App) openTelemetry(ctx context.Context, log io.Writer) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.cfg.Telemetry.LogLevel)); err != nil {
		return errors.New("telemetry.log_level: want debug, info, warn or error")
	}
	instance := a.cfg.Instance
	if instance == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("instance: %w", err)
		}
		instance = host
	}
	t := a.cfg.Telemetry
	tel, err := telemetry.New(ctx, telemetry.Config{
		Endpoint: t.Endpoint, CAFile: t.CAFile, SampleRatio: t.SampleRatio, ServiceName: name, ServiceVersion: version, InstanceID: instance,
		LogLevel: level, LogWriter: log, SpanNames: []string{edge.SpanName},
	})
	if err != nil {
		return err
	}
	a.tel, a.log = tel, tel.Logger()
	a.onClose(tel.Shutdown)
	return nil
}

// openVault connects to Vault and takes our certificate from it.
func (a *App) openVault(ctx context.Context, _ io.Writer) error {
	v := a.cfg.Vault
	client, err := vault.New(ctx, vault.Config{
		Address: v.Address, CAFile: v.CAFile, RoleIDFile: v.RoleIDFile, SecretIDFile: v.SecretIDFile, Namespace: v.Namespace,
	}, a.log)
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	a.transit, a.upkeep = client.Logical(), append(a.upkeep, app.Component{Name: "vault", Run: client.Run})
	a.onClose(func(context.Context) error { client.Close(); return nil })
	return a.openCertificate(ctx, client)
}

func (a *App) openCertificate(ctx context.Context, client *vault.Client) error {
	id, err := workload.Service(a.cfg.TrustDomain, name)
	if err != nil {
		return err
	}
	conf := pki.Config{
		Mount: a.cfg.PKI.Mount, Role: a.cfg.PKI.Role, ID: id, TTL: a.cfg.PKI.TTL, TrustMounts: a.cfg.PKI.TrustMounts,
		Refresh: a.cfg.PKI.Refresh, Grace: a.cfg.PKI.Grace,
	}
	if conf.Role == "" {
		conf.Role = name
	}
	conf.AddNames(a.cfg.PKI.Names...)
	source, err := pki.New(ctx, client, conf, a.log, a.tel.MeterProvider().Meter("samvirke.dev/certs/pki"))
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	a.source, a.upkeep = source, append(a.upkeep, app.Component{Name: "certificate", Run: source.Run})
	a.onClose(func(context.Context) error { return source.Close() })
	return nil
}

func (a *App) openBackends(context.Context, io.Writer) error {
	b, err := backend.Open(backend.Config{
		Source: a.source, TrustDomain: a.cfg.TrustDomain, Addrs: a.cfg.Services, Deadline: a.cfg.Limits.CallTime,
		MaxMessage: 8 * int(a.cfg.Limits.Body), Propagator: a.tel.Propagator(),
	})
	if err != nil {
		return err
	}
	a.backends = b
	a.onClose(func(context.Context) error { return b.Close() })
	return nil
}

func (a *App) openRoutes(ctx context.Context, _ io.Writer) error {
	instruments, err := edge.NewInstruments(a.tel.MeterProvider().Meter(scopeName))
	if err != nil {
		return err
	}
	deps := edge.Deps{
		Log: a.log, Clock: clock.System(), Tracer: a.tel.TracerProvider().Tracer(scopeName), Propagator: a.tel.Propagator(), Instruments: instruments,
		Limits:      edge.Limits{Body: int64(a.cfg.Limits.Body), InFlight: a.cfg.Limits.InFlight},
		Retirements: a.cfg.retirements(), Workers: edge.NewWorkers(),
	}
	a.onClose(func(context.Context) error { deps.Workers.Close(); return nil })
	issuer, err := a.issuer(ctx)
	if err != nil {
		return err
	}
	if issuer != nil {
		deps.Tokens = issuer
	}
	a.edge = edge.New(deps)
	mux, err := a.mux(ctx)
	if err != nil {
		return err
	}
	return a.pages(mux, issuer)
}

// issuer is that of access tokens, or nil where none are wanted.
func (a *App) issuer(ctx context.Context) (*token.Issuer, error) {
	if a.cfg.Token.Key == "" {
		return nil, nil
	}
	key, err := signing.Open(ctx, a.transit, a.cfg.Token.Transit, a.cfg.Token.Key)
	if err != nil {
		return nil, fmt.Errorf("token.key: %w", err)
	}
	return token.New(key, a.cfg.URL, a.cfg.Token.TTL, clock.System()), nil
}

// mux holds the routes of the configured services. Nothing of a request's headers reaches a service but what the edge verified.
func (a *App) mux(ctx context.Context) (*runtime.ServeMux, error) {
	none := func(string) (string, bool) { return "", false }
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, edge.NewJSON()),
		runtime.WithIncomingHeaderMatcher(none), runtime.WithOutgoingHeaderMatcher(none), runtime.WithOutgoingTrailerMatcher(none),
		runtime.WithErrorHandler(a.edge.Refused), runtime.WithRoutingErrorHandler(a.edge.Lost),
		runtime.WithForwardResponseOption(a.edge.Answered), runtime.WithMiddlewares(a.edge.Routed),
		runtime.WithDisablePathLengthFallback(), runtime.WithDisableHTTPMethodOverride(), runtime.WithWriteContentLength(),
	)
	for _, svc := range a.backends.Names() {
		for _, register := range routes()[svc] {
			if err := register(ctx, mux, a.backends.Conn(svc)); err != nil {
				return nil, fmt.Errorf("routes of %s: %w", svc, err)
			}
		}
	}
	return mux, nil
}

// pages puts documentation, health and tokens beside the routes.
func (a *App) pages(api http.Handler, issuer *token.Issuer) error {
	info := docs.Info{URL: a.cfg.URL, Services: a.backends.Names(), Tokens: issuer != nil}
	pages, err := docs.Pages(info)
	if err != nil {
		return err
	}
	own, public := http.NewServeMux(), http.NewServeMux()
	both := func(path string, h http.Handler) {
		own.Handle("GET "+path, a.edge.Page(h))
		public.Handle("GET "+path, a.edge.Page(h))
	}
	for path, h := range pages {
		both(path, h)
	}
	both("/livez", http.HandlerFunc(alive))
	both("/readyz", http.HandlerFunc(a.ready))
	both("/readyz/{service}", http.HandlerFunc(a.readyFor))
	if issuer != nil {
		e := &token.Endpoint{Issuer: issuer, Scopes: func() []string { return docs.Scopes(info) }, Failed: a.tokenFailed}
		own.Handle("POST "+token.PathToken, a.edge.Page(http.HandlerFunc(e.Token)))
		both(token.PathKeys, http.HandlerFunc(e.Keys))
		both(token.PathMetadata, http.HandlerFunc(e.Metadata))
	}
	public.Handle("/", a.edge.Page(http.HandlerFunc(http.NotFound)))
	a.api, a.public = beside(own, a.edge.API(api)), public
	return nil
}

// beside sends to the pages what they have, and everything else to the routes as it came: http.ServeMux would redirect paths that it finds
// untidy, and the edge wants to refuse them.
func beside(pages *http.ServeMux, api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path == token.PathToken { // no other page takes a POST
			if h, pattern := pages.Handler(r); pattern != "" {
				h.ServeHTTP(w, r)
				return
			}
		}
		api.ServeHTTP(w, r)
	})
}

func (a *App) tokenFailed(r *http.Request, err error) {
	a.log.ErrorContext(r.Context(), "token not issued", "error", err.Error())
}

// Run serves until ctx ends, then drains. ready, if set, learns the addresses when the ports are open.
func (a *App) Run(ctx context.Context, ready func(api, public string)) error {
	conf, err := mtls.ServerConfig(a.source, mtls.Accept{
		TrustDomains: a.cfg.trustDomains(), Kinds: []workload.Kind{workload.KindOrganisation}, NextProtos: []string{"h2", "http/1.1"},
	})
	if err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	own, err := a.listen(ctx, a.cfg.Listen, conf)
	if err != nil {
		return err
	}
	components := append(slices.Clone(a.upkeep), app.Component{
		Name: "rest", Run: func(ctx context.Context) error { return a.serve(ctx, own, a.api) },
	})
	public := ""
	if a.cfg.Public.Listen != "" {
		l, err := a.listen(ctx, a.cfg.Public.Listen, a.openTLS())
		if err != nil {
			return errors.Join(err, own.Close())
		}
		public = l.Addr().String()
		components = append(components, app.Component{Name: "public", Run: func(ctx context.Context) error { return a.serve(ctx, l, a.public) }})
	}
	a.log.InfoContext(ctx, "serving", "addr", own.Addr().String(), "endpoint", public)
	if ready != nil {
		ready(own.Addr().String(), public)
	}
	return app.NewGroup(app.GroupConfig{Logger: a.log, DrainTimeout: drain + 5*time.Second}, components...).Run(ctx)
}

// openTLS is TLS 1.3 with our certificate and without the client's.
func (a *App) openTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return a.source.Certificate() },
	}
}

func (a *App) listen(ctx context.Context, addr string, conf *tls.Config) (net.Listener, error) {
	raw, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return tls.NewListener(edge.Cork(raw), conf), nil
}

func (a *App) serve(ctx context.Context, l net.Listener, h http.Handler) error {
	limits := a.cfg.Limits
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: limits.HeaderTime, ReadTimeout: limits.RequestTime, IdleTimeout: limits.IdleTime,
		WriteTimeout:   limits.RequestTime + limits.CallTime, // of a stream too: whoever wants longer ones calls over gRPC
		MaxHeaderBytes: int(limits.Header), ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) }, ConnContext: edge.Connected,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err := server.Shutdown(limit)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
