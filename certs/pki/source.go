// Package pki holds a workload's certificate: it has Vault sign a key that never leaves the process, renews it at two thirds
// of its life, and follows the trust anchors and revocation lists of the issuers that it trusts.
//
// While Vault is away the source serves on with what it has; what has expired fails closed: an expired leaf is no longer handed
// out, and a revocation list past its next update and the grace refuses every peer of its issuer.
package pki

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
	"golang.org/x/sync/errgroup"

	"samvirke.dev/certs/internal/clock"
	"samvirke.dev/certs/internal/crl"
	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/vault"
	"samvirke.dev/certs/workload"
)

// MetricExpiry is the name of the gauge that tells the seconds until the leaf in use expires.
const MetricExpiry = "samvirke.certificate.expiry"

const (
	retryMin = 100 * time.Millisecond
	retryMax = 30 * time.Second
)

// ErrExpired is returned when the leaf's time is up and Vault gave no new one.
var ErrExpired = errors.New("own certificate has expired and could not be renewed")

var (
	_ mtls.Source  = (*Source)(nil)
	_ mtls.Voucher = (*Source)(nil)
)

// Source is a leaf and a view of the trusted issuers, safe for concurrent use. Readers never wait for Vault.
type Source struct {
	cfg   Config
	vault *vault.Client
	log   *slog.Logger

	leaf  atomic.Pointer[leaf]
	trust atomic.Pointer[trust]
	gauge metric.Registration
}

type leaf struct {
	cert *tls.Certificate
	// issued is when we asked for it. Vault dates certificates back by half a minute against clock skew, so NotBefore
	// would put two thirds of a short life in the past.
	issued time.Time
}

type trust struct {
	roots *x509.CertPool
	lists *crl.Set
	// speaks says by issuer (its certificate as bytes) for which kind of workload it may sign.
	speaks map[string]workload.Kind
}

// New fetches trust anchors and revocation lists, has the first leaf signed and registers the gauge. It fails when any of that
// fails: a process without a certificate must not start. The client stays the caller's; Close releases the gauge.
func New(ctx context.Context, client *vault.Client, cfg Config, log *slog.Logger, meter metric.Meter) (*Source, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if client == nil {
		return nil, errors.New("certificate source: no vault client")
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Source{cfg: cfg.withDefaults(), vault: client, log: log}
	if err := s.refresh(ctx); err != nil {
		return nil, fmt.Errorf("certificate source: %w", err)
	}
	if err := s.renew(ctx); err != nil {
		return nil, fmt.Errorf("certificate source: %w", err)
	}
	if meter != nil {
		if err := s.observe(meter); err != nil {
			return nil, fmt.Errorf("certificate source: %w", err)
		}
	}
	return s, nil
}

// Certificate is the current leaf, or ErrExpired once it has run out.
func (s *Source) Certificate() (*tls.Certificate, error) {
	l := s.leaf.Load()
	if clock.Now().After(l.cert.Leaf.NotAfter) {
		return nil, fmt.Errorf("%w: it ended at %s", ErrExpired, l.cert.Leaf.NotAfter.Format(time.RFC3339))
	}
	return l.cert, nil
}

// Roots are the current trust anchors.
func (s *Source) Roots() *x509.CertPool { return s.trust.Load().roots }

// Revoked judges by the newest lists fetched. It errs for issuers outside Config.TrustMounts and for lists past the grace.
func (s *Source) Revoked(cert *x509.Certificate) (bool, error) {
	return s.trust.Load().lists.Revoked(cert, clock.Now())
}

// Vouches implements mtls.Voucher: issuers of Config.Mount speak for services and for nobody else, those of the other trusted
// mounts for organisations and for nobody else, anchors for nobody.
func (s *Source) Vouches(id workload.ID, issuer *x509.Certificate) error {
	kind, ok := s.trust.Load().speaks[string(issuer.Raw)]
	if !ok || kind != id.Kind() {
		return fmt.Errorf("issuer %q may not speak for a workload of kind %s", issuer.Subject, id.Kind())
	}
	return nil
}

// ExpiresAt is when the leaf in use runs out.
func (s *Source) ExpiresAt() time.Time { return s.leaf.Load().cert.Leaf.NotAfter }

// SerialNumber is the serial of the leaf in use, in lower-case hexadecimal.
func (s *Source) SerialNumber() string { return s.leaf.Load().cert.Leaf.SerialNumber.Text(16) }

// Close releases the gauge. It does not end Run.
func (s *Source) Close() error {
	if s.gauge == nil {
		return nil
	}
	return s.gauge.Unregister()
}

// Run renews the leaf and refreshes the trust until ctx ends, then returns nil. Trouble with Vault is logged and tried again
// with growing pauses; it never ends Run. Run is called once per source.
func (s *Source) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		s.loop(ctx, "certificate", s.untilRenewal, s.renew)
		return nil
	})
	g.Go(func() error {
		s.loop(ctx, "trust", func() time.Duration { return clock.Jitter(s.cfg.Refresh) }, s.refresh)
		return nil
	})
	return g.Wait()
}

// loop waits, works, and on failure works again after growing pauses, until ctx ends.
func (s *Source) loop(ctx context.Context, what string, wait func() time.Duration, work func(context.Context) error) {
	back := clock.Backoff{Min: retryMin, Max: retryMax}
	for pause := wait(); clock.Wait(ctx, pause) == nil; {
		err := work(ctx)
		switch {
		case err == nil:
			back.Reset()
			pause = wait()
		case ctx.Err() != nil:
			return
		default:
			pause = back.Next()
			s.log.WarnContext(ctx, "not refreshed from vault", "what", what, "error", err, "retry_in", pause, "certificate_expires", s.ExpiresAt())
		}
	}
}

// untilRenewal is the time left until two thirds of the leaf's life are over. The jitter only ever shortens it.
func (s *Source) untilRenewal() time.Duration {
	l := s.leaf.Load()
	life := l.cert.Leaf.NotAfter.Sub(l.issued)
	due := l.issued.Add(clock.Jitter(life * 6 / 10))
	return max(due.Sub(clock.Now()), 0)
}

func (s *Source) observe(meter metric.Meter) error {
	g, err := meter.Float64ObservableGauge(MetricExpiry, metric.WithUnit("s"),
		metric.WithDescription("Seconds until the certificate in use expires; negative once it has."))
	if err != nil {
		return fmt.Errorf("gauge: %w", err)
	}
	s.gauge, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveFloat64(g, s.ExpiresAt().Sub(clock.Now()).Seconds())
		return nil
	}, g)
	if err != nil {
		return fmt.Errorf("gauge: %w", err)
	}
	return nil
}
