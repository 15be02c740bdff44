package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/signing"
)

// NewWith is New with a certificate and a transit engine of the test's own, in place of Vault's.
func NewWith(ctx context.Context, cfg Config, log io.Writer, source mtls.Source, transit signing.Transit) (*App, error) {
	a := &App{cfg: cfg, source: source, transit: transit}
	if err := errors.Join(cfg.Validate(), a.open(ctx, log, a.openTelemetry, a.openBackends, a.openRoutes)); err != nil {
		return nil, errors.Join(err, a.Close(ctx))
	}
	return a, nil
}

// Handler is what answers on the REST listener, for tests that call it thousands of times without a socket.
func (a *App) Handler() http.Handler { return a.api }
