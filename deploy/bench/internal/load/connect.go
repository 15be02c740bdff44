package load

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
)

func (w *Worker) connect(ctx context.Context, c Connect) error {
	id, err := workload.Parse(c.ServerID)
	if err != nil {
		return fmt.Errorf("server identity: %w", err)
	}
	src, err := mtls.Files(c.Files.Cert, c.Files.Key, c.Files.CA)
	if err != nil {
		return err
	}
	conf, err := mtls.ClientConfig(src, id)
	if err != nil {
		return err
	}
	if old, ok := w.targets[c.Target]; ok {
		old.close()
	}
	t := &Target{}
	w.targets[c.Target] = t
	for range c.Conns {
		if c.HTTP {
			t.rest = append(t.rest, newRESTClient(conf.Clone()))
			t.base = "https://" + c.Addr
			continue
		}
		conn, err := grpc.NewClient("passthrough:///"+c.Addr, grpc.WithTransportCredentials(credentials.NewTLS(conf)))
		if err != nil {
			return fmt.Errorf("connect to %s: %w", c.Target, err)
		}
		t.conns = append(t.conns, conn)
		if err := ready(ctx, conn); err != nil {
			return fmt.Errorf("connect to %s: %w", c.Target, err)
		}
	}
	return nil
}

// ready waits for the handshake, so that no measured call pays for it.
func ready(ctx context.Context, conn *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn.Connect()
	for state := conn.GetState(); state != connectivity.Ready; state = conn.GetState() {
		if !conn.WaitForStateChange(ctx, state) {
			return errors.New("no connection in time")
		}
	}
	return nil
}

func (t *Target) close() {
	for _, c := range t.conns {
		// Nothing is in flight any more, and the process ends next.
		_ = c.Close()
	}
	for _, c := range t.rest {
		c.CloseIdleConnections()
	}
}
