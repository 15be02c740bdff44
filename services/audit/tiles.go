package audit

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/services/audit/internal/tiles"
	"samvirke.dev/services/platform/app"
)

// Bounds of a call for a tile.
const (
	tileHeader = 5 * time.Second
	tileWhole  = 30 * time.Second
	tileDrain  = 5 * time.Second
)

// tiles serves the logs over HTTPS with the service's own certificate. Callers need none: what is served holds nothing about persons, and
// whoever checks the ledger need not be known to us.
func (p *Parts) tiles(source mtls.Source) app.Component {
	server := &http.Server{
		Handler: tiles.Handler(p.cfg.Ledger.Dir, p.Ledger.Keys), ReadHeaderTimeout: tileHeader, ReadTimeout: tileWhole, WriteTimeout: tileWhole,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return source.Certificate() }},
	}
	return app.Component{Name: "tiles", Run: func(ctx context.Context) error {
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", p.cfg.Tiles.Listen)
		if err != nil {
			return err
		}
		p.d.Log.InfoContext(ctx, "serving tiles", "tiles", listener.Addr().String())
		failed := make(chan error, 1)
		go func() { failed <- server.ServeTLS(listener, "", "") }()
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
		}
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), tileDrain)
		defer cancel()
		err = server.Shutdown(limit)
		if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}}
}
