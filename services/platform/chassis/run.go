package chassis

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"google.golang.org/grpc"

	"samvirke.dev/services/platform/agreement"
	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/rpc"
)

// drain is how long calls under way may last after the service was told to stop.
const drain = 15 * time.Second

// Run serves until ctx ends, then drains. ready, if set, learns the address when the port is open.
func (c *Chassis) Run(ctx context.Context, ready func(addr string), more ...app.Component) error {
	store, err := c.agreements(ctx)
	if err != nil {
		return err
	}
	listener, err := c.listen(ctx)
	if err != nil {
		return err
	}
	if c.cfg.Probes != "" {
		prober, err := c.prober(ctx)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		more = append(more, prober)
	}
	group := app.NewGroup(app.GroupConfig{Logger: c.Log, DrainTimeout: drain + 5*time.Second}, c.components(store, listener, more)...)
	c.Log.InfoContext(ctx, "serving", "addr", listener.Addr().String())
	if ready != nil {
		ready(listener.Addr().String())
	}
	return group.Run(ctx)
}

// components are what runs beside the calls; the server is the last, so it is told to end first.
func (c *Chassis) components(store *agreement.Store, listener net.Listener, more []app.Component) []app.Component {
	out := []app.Component{
		{Name: "vault", Run: c.vault.Run},
		{Name: "certificate", Run: c.pki.Run},
		{Name: "keys", Run: c.Keys.Run},
		{Name: "agreements", Run: func(ctx context.Context) error { return store.Run(ctx, c.cfg.Agreements.Reload) }},
	}
	out = append(out, more...)
	if c.shipper != nil {
		out = append(out, app.Component{Name: "shipping", Run: c.shipper.Run})
	}
	return append(out,
		app.Component{Name: "server", Run: func(ctx context.Context) error { return c.serve(ctx, listener) }},
		app.Component{Name: "health", Run: func(ctx context.Context) error { return c.Server.Watch(ctx, c.probes()...) }},
	)
}

func (c *Chassis) serve(ctx context.Context, listener net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- c.Server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err := c.Server.Stop(limit)
	if served := <-failed; !errors.Is(served, grpc.ErrServerStopped) {
		err = errors.Join(err, served)
	}
	return err
}

// probes say whether traffic can pass: the database answers, the keys are usable, the certificate is valid.
func (c *Chassis) probes() []rpc.Probe {
	return []rpc.Probe{
		{Name: "database", Check: c.DB.Healthy},
		{Name: "keys", Check: func(context.Context) error {
			prf, err := c.Keys.PRF(auditSubjects)
			if err == nil {
				_, err = prf.Pseudonym("probe")
			}
			return err
		}},
		{Name: "certificate", Check: func(context.Context) error {
			_, err := c.pki.Certificate()
			return err
		}},
	}
}

// openProfile writes a CPU profile of the whole run where the configuration asks for one.
func (c *Chassis) openProfile(context.Context) error {
	if c.cfg.Debug.PprofFile == "" {
		return nil
	}
	f, err := os.Create(c.cfg.Debug.PprofFile)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	c.onClose(func(context.Context) error {
		pprof.StopCPUProfile()
		return f.Close()
	})
	return nil
}

// Use sets the garbage collector of the process, unless the environment does. It is for main functions: it concerns everything that
// runs in the process.
func (m Memory) Use() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(m.GCPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(m.Limit))
	}
}
