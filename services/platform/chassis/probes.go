package chassis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"samvirke.dev/services/platform/app"
)

// probeTime bounds everything about a probe; who asks waits for a second or two.
const probeTime = 2 * time.Second

// prober answers an orchestrator's probes, which have no certificate and can't speak mutual TLS: one status, no body, nothing about
// anybody. It opens the port at once, so that an address that is taken stops the boot.
func (c *Chassis) prober(ctx context.Context) (app.Component, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.cfg.Probes)
	if err != nil {
		return app.Component{}, fmt.Errorf("probes: %w", err)
	}
	server := &http.Server{Handler: ProbeRoutes(c.Server.Serving), ReadTimeout: probeTime, WriteTimeout: probeTime, IdleTimeout: time.Minute, MaxHeaderBytes: 4 << 10}
	c.Log.InfoContext(ctx, "answering probes", "endpoint", l.Addr().String())
	return app.Component{Name: "probes", Run: func(ctx context.Context) error {
		failed := make(chan error, 1)
		go func() { failed <- server.Serve(l) }()
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
		}
		err := server.Close() // whoever asks now is answered by nobody: it is ending
		if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}}, nil
}

// ProbeRoutes are the answers to probes; serving says whether traffic can pass.
func ProbeRoutes(serving func(context.Context) bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if serving(r.Context()) {
			w.WriteHeader(http.StatusNoContent)
		} else {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	return mux
}
