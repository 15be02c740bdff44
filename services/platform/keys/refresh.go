package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sethvargo/go-retry"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"go.opentelemetry.io/otel/metric"
)

// Pace of Run after a failure: quick at first, because most outages are a restart, then no slower than the
// normal interval.
const (
	firstRetry    = 500 * time.Millisecond
	jitterPercent = 20
	// conflictTries bounds rotation against other replicas that rotate the same keyset at the same moment.
	conflictTries = 5
)

// Refresh loads and unwraps every keyset again. It goes on after a failure, so one bad keyset does not age the
// others; the joined errors name the keysets. A failed keyset stays usable until MaxAge.
func (r *Ring) Refresh(ctx context.Context) error {
	var errs []error
	for _, e := range r.entries() {
		if err := e.refresh(ctx); err != nil {
			errs = append(errs, fmt.Errorf("keyset %s: %w", e.spec.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (e *entry) refresh(ctx context.Context) error {
	e.change.Lock()
	defer e.change.Unlock()
	st, err := e.load(ctx)
	if err != nil {
		return err
	}
	return e.install(st)
}

// Run refreshes every Config.RefreshEvery until ctx ends, sooner after a failure (with back-off) and sooner when an
// unknown key version was met. It returns ctx's error, never a refresh failure: those are logged, and answered by
// ErrExpired once MaxAge has passed.
func (r *Ring) Run(ctx context.Context) error {
	pause := retry.NewConstant(r.cfg.RefreshEvery)
	failing := false
	for {
		if err := r.wait(ctx, pause); err != nil {
			return err
		}
		err := r.Refresh(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !failing:
			failing, pause = true, r.backoff()
			r.logFailure(ctx, err)
		case err != nil:
			r.logFailure(ctx, err)
		case failing:
			failing, pause = false, retry.NewConstant(r.cfg.RefreshEvery)
			r.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "keysets refreshed again")
		}
	}
}

func (r *Ring) backoff() retry.Backoff {
	b := retry.NewExponential(min(firstRetry, r.cfg.RefreshEvery))
	return retry.WithCappedDuration(r.cfg.RefreshEvery, retry.WithJitterPercent(jitterPercent, b))
}

// wait returns after the pause, or early on a nudge, but never sooner than firstRetry: a stream of garbage
// ciphertexts must not become a stream of requests to Vault.
func (r *Ring) wait(ctx context.Context, pause retry.Backoff) error {
	d, _ := pause.Next()
	floor := min(firstRetry, d)
	if err := sleep(ctx, floor, nil); err != nil {
		return err
	}
	return sleep(ctx, d-floor, r.nudge)
}

func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-wake:
		return nil
	case <-t.C:
		return nil
	}
}

func (r *Ring) logFailure(ctx context.Context, err error) {
	r.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "keyset refresh failed; going on with the keys in memory",
		slog.Duration("age", r.age()), slog.Duration("max_age", r.cfg.MaxAge), slog.Any("error", err))
}

// Rotate gives the keyset a new primary key. Old keys stay enabled, so what they made stays readable (SEC-10).
//
// If Stage has added a key that is not yet primary, the youngest such key is promoted; otherwise one is generated.
// With more than one replica, call Stage first and Rotate after RefreshEvery, so that every replica can read what
// the new key makes before anyone makes it; without Stage another replica answers ErrUnknownVersion until its next refresh.
func (r *Ring) Rotate(ctx context.Context, name string) error {
	return r.update(ctx, name, promote)
}

// Stage adds a key without making it primary: every replica learns to read it before Rotate lets anyone use it.
func (r *Ring) Stage(ctx context.Context, name string) error {
	return r.update(ctx, name, func(m *keyset.Manager, k Kind, _ *keyset.Handle) error {
		_, err := addKey(m, k)
		return err
	})
}

// promote relies on Tink appending new keys: a key behind the primary has been staged and not used yet.
func promote(m *keyset.Manager, k Kind, h *keyset.Handle) error {
	last, err := h.Entry(h.Len() - 1)
	if err != nil {
		return err
	}
	if last.IsPrimary() || last.KeyStatus() != keyset.Enabled {
		return addPrimary(m, k)
	}
	return m.SetPrimary(last.KeyID())
}

type changeFunc func(*keyset.Manager, Kind, *keyset.Handle) error

func (r *Ring) update(ctx context.Context, name string, change changeFunc) error {
	e, err := r.entry(name)
	if err != nil {
		return err
	}
	e.change.Lock()
	defer e.change.Unlock()
	for range conflictTries {
		if err = e.updateOnce(ctx, change); !errors.Is(err, ErrConflict) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("keyset %s: %w", name, err)
	}
	return nil
}

func (e *entry) updateOnce(ctx context.Context, change changeFunc) error {
	st, h, err := e.loadHandle(ctx)
	if err != nil {
		return err
	}
	m := keyset.NewManagerFromHandle(h)
	if err := change(m, e.spec.Kind, h); err != nil {
		return fmt.Errorf("change keyset: %w", err)
	}
	wrapped, err := e.wrapKeyset(ctx, m)
	if err != nil {
		return err
	}
	if err := e.cfg.Store.Save(ctx, e.spec.Name, wrapped, st.revision); err != nil {
		return fmt.Errorf("save: %w", err)
	}
	// Read back rather than install what is at hand: only what the store and Vault give back counts.
	st, err = e.load(ctx)
	if err != nil {
		return err
	}
	return e.install(st)
}

// age is the time since the least recently confirmed keyset was unwrapped.
func (r *Ring) age() time.Duration {
	var oldest time.Duration
	now := r.cfg.Now()
	for _, e := range r.entries() {
		if st := e.state.Load(); st != nil {
			oldest = max(oldest, now.Sub(st.confirmed))
		}
	}
	return oldest
}

// registerGauge has no label per keyset: names contain controllers, and the oldest is the one that matters.
func (r *Ring) registerGauge() error {
	if r.cfg.Meter == nil {
		return nil
	}
	g, err := r.cfg.Meter.Float64ObservableGauge("samvirke.keys.age",
		metric.WithUnit("s"),
		metric.WithDescription("Time since the least recently confirmed keyset was unwrapped."))
	if err != nil {
		return fmt.Errorf("keys: gauge: %w", err)
	}
	reg, err := r.cfg.Meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveFloat64(g, r.age().Seconds())
		return nil
	}, g)
	if err != nil {
		return fmt.Errorf("keys: gauge: %w", err)
	}
	r.unregister = reg.Unregister
	return nil
}
