// Package app is the frame of every program of the suite: Main is the one place that handles signals and ends the process, and Group
// starts and stops the parts of a service in order.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
)

// Component is one part of a service. Each function may be nil.
type Component struct {
	Name string
	// Start makes the component ready and returns; the next component starts after it. It must not keep ctx for later.
	Start func(ctx context.Context) error
	// Run does the component's work until ctx ends, and then returns nil or the error of ctx. An error, or a return before ctx ends,
	// stops all components.
	Run func(ctx context.Context) error
	// Stop releases what Start took. It is called if and only if Start succeeded, after Run has been told to end, with a context of
	// its own that allows GroupConfig.StopTimeout.
	Stop func(ctx context.Context) error
}

// GroupConfig sets the time allowed to components. Zero values are replaced by the defaults named there.
type GroupConfig struct {
	StartTimeout time.Duration // for each Start; default 30 s
	StopTimeout  time.Duration // for each Stop; default 10 s
	DrainTimeout time.Duration // for all Run functions together, after they were told to end; default 20 s
	Logger       *slog.Logger  // default: slog.Default()
}

// Defaults of GroupConfig.
const (
	DefaultStartTimeout = 30 * time.Second
	DefaultStopTimeout  = 10 * time.Second
	DefaultDrainTimeout = 20 * time.Second
)

// Errors of a Group.
var (
	// ErrDrain means that a component's Run did not end in time after it was told to.
	ErrDrain = errors.New("app: components still running after the drain time")
	// ErrEnded means that a component's Run returned without an error although nobody had told it to end.
	ErrEnded = errors.New("app: component ended by itself")
)

// Group starts components in order, runs them together and stops them in reverse order. It is used once.
type Group struct {
	cfg        GroupConfig
	components []Component
}

// NewGroup returns a group of the given components, in the order in which they start.
func NewGroup(cfg GroupConfig, components ...Component) *Group {
	if cfg.StartTimeout <= 0 {
		cfg.StartTimeout = DefaultStartTimeout
	}
	if cfg.StopTimeout <= 0 {
		cfg.StopTimeout = DefaultStopTimeout
	}
	if cfg.DrainTimeout <= 0 {
		cfg.DrainTimeout = DefaultDrainTimeout
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Group{cfg: cfg, components: components}
}

// Add appends a component, which starts after those before it. Not during Run.
func (g *Group) Add(c Component) { g.components = append(g.components, c) }

// Run starts everything, runs until ctx ends or a component fails, and stops everything that was started, the last first. If a
// Start fails, nothing runs and what was started is stopped. The end of ctx is no error. All errors are joined, each with the name of its
// component.
//
// Run functions end in reverse order too: the last component, usually the listener, is told to end first and the ones it relies
// on go on until it has ended.
func (g *Group) Run(ctx context.Context) error {
	started, err := g.start(ctx)
	if err == nil && ctx.Err() == nil {
		err = g.run(ctx)
	}
	return errors.Join(err, g.stop(ctx, started))
}

// start returns the components whose Start succeeded, in order.
func (g *Group) start(ctx context.Context) ([]Component, error) {
	for i, c := range g.components {
		if err := g.startOne(ctx, c); err != nil {
			return g.components[:i], err
		}
	}
	return g.components, nil
}

func (g *Group) startOne(ctx context.Context, c Component) error {
	if c.Start == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.StartTimeout)
	defer cancel()
	if err := c.Start(ctx); err != nil {
		return fmt.Errorf("start %s: %w", c.Name, err)
	}
	g.cfg.Logger.InfoContext(ctx, "component started", slog.String("component", c.Name))
	return nil
}

// running is a component whose Run is under way.
type running struct {
	name   string
	cancel context.CancelFunc // tells Run to end
	done   chan struct{}      // closed when Run has returned
	err    error              // what Run returned; read after done is closed
}

// run runs all Run functions until ctx ends or one of them does, and then ends them.
func (g *Group) run(ctx context.Context) error {
	group, failed := errgroup.WithContext(ctx)
	var all []*running
	for _, c := range g.components {
		if c.Run == nil {
			continue
		}
		// Each has a context of its own, because they end one after the other.
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		r := &running{name: c.Name, cancel: cancel, done: make(chan struct{})}
		all = append(all, r)
		group.Go(func() error {
			defer close(r.done)
			r.err = verdict(own, c.Name, c.Run(own))
			return r.err
		})
	}
	<-failed.Done()
	g.cfg.Logger.InfoContext(ctx, "draining")
	return g.drain(ctx, all)
}

// verdict tells an ordinary end from a failure.
func verdict(ctx context.Context, name string, err error) error {
	switch {
	case ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err())):
		return nil
	case err == nil:
		return fmt.Errorf("run %s: %w", name, ErrEnded)
	default:
		return fmt.Errorf("run %s: %w", name, err)
	}
}

// drain ends the Run functions from the last to the first. What has not ended when the time is over is left behind and reported.
func (g *Group) drain(ctx context.Context, all []*running) error {
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.cfg.DrainTimeout)
	defer cancel()
	var errs []error
	for i := len(all) - 1; i >= 0; i-- {
		r := all[i]
		r.cancel()
		select {
		case <-r.done:
		case <-limit.Done():
		}
		select {
		case <-r.done: // looked at once more: ended in time although the limit has passed, too
			errs = append(errs, r.err)
		default:
			errs = append(errs, fmt.Errorf("run %s: %w", r.name, ErrDrain))
		}
	}
	return errors.Join(errs...)
}

// stop stops what was started, the last first. Every Stop has its full time, whatever those before it took.
func (g *Group) stop(ctx context.Context, started []Component) error {
	var errs []error
	for i := len(started) - 1; i >= 0; i-- {
		errs = append(errs, g.stopOne(context.WithoutCancel(ctx), started[i]))
	}
	return errors.Join(errs...)
}

func (g *Group) stopOne(ctx context.Context, c Component) error {
	if c.Stop == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.StopTimeout)
	defer cancel()
	if err := c.Stop(ctx); err != nil {
		return fmt.Errorf("stop %s: %w", c.Name, err)
	}
	g.cfg.Logger.InfoContext(ctx, "component stopped", slog.String("component", c.Name))
	return nil
}
