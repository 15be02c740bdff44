package console

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Bounds of a connection. Writes of a live view bound themselves.
const (
	headerLimit = 5 * time.Second
	readLimit   = 15 * time.Second
	idleLimit   = 2 * time.Minute
	headerBytes = 16 << 10
	stopLimit   = 5 * time.Second
)

// Listen opens the port and returns what serves on it until its context ends. Without a TLS configuration it serves in the clear, which it
// refuses anywhere but on loopback.
func Listen(ctx context.Context, address string, config *tls.Config, handler http.Handler, log *slog.Logger) (func(context.Context) error, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if tcp, ok := l.Addr().(*net.TCPAddr); config == nil && (!ok || !tcp.IP.IsLoopback()) {
		return nil, errors.Join(errors.New("console: in the clear on loopback only"), l.Close())
	}
	return func(ctx context.Context) error { return serve(ctx, l, config, handler, log) }, nil
}

func serve(ctx context.Context, l net.Listener, config *tls.Config, handler http.Handler, log *slog.Logger) error {
	// Live views end when the server is told to stop: their context is the server's.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	server := &http.Server{
		Handler: handler, TLSConfig: config, ReadHeaderTimeout: headerLimit, ReadTimeout: readLimit, IdleTimeout: idleLimit, MaxHeaderBytes: headerBytes,
		BaseContext: func(net.Listener) context.Context { return running }, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	log.InfoContext(ctx, "serving the console", "addr", l.Addr().String())
	failed := make(chan error, 1)
	go func() {
		if config != nil {
			failed <- server.ServeTLS(l, "", "")
			return
		}
		failed <- server.Serve(l)
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("console: %w", err)
	case <-ctx.Done():
	}
	stop()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	err := server.Shutdown(limit)
	if err != nil {
		err = server.Close()
	}
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
