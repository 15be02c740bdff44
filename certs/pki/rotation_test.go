package pki_test

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/pki"
	"samvirke.dev/certs/vaulttest"
	"samvirke.dev/certs/workload"
)

// serve runs a gRPC server on the source until the test ends.
func serve(t *testing.T, src mtls.Source) string {
	t.Helper()
	cfg, err := mtls.ServerConfig(src, mtls.Accept{TrustDomains: []string{domain}, Kinds: []workload.Kind{workload.KindService}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.Creds(credentials.NewTLS(cfg)))
	healthpb.RegisterHealthServer(s, health.NewServer())
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func dial(t *testing.T, addr string, cfg *tls.Config) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(credentials.NewTLS(cfg)))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// check calls without any retry and returns the serial of the certificate that the server showed.
func check(ctx context.Context, conn *grpc.ClientConn) (serial string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var p peer.Peer
	if _, err = healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.Peer(&p)); err != nil {
		return "", err
	}
	if info, ok := p.AuthInfo.(credentials.TLSInfo); ok {
		serial = info.State.PeerCertificates[0].SerialNumber.Text(16)
	}
	return serial, nil
}

// TestRotationUnderLoad: both sides live on leaves of two seconds. One client keeps its connection, another dials anew for every call; the
// served serial changes again and again, and no call fails.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		res := vaulttest.Bootstrap(t, v, spec())
		brief := func(name string) *pki.Source {
			return start(t, v, res.Credentials[name], pki.Config{Role: name, ID: service(t, name), TTL: 2 * time.Second}, nil)
		}
		server, client := brief("identity"), brief("gateway")
		addr := serve(t, server)
		cfg, err := mtls.ClientConfig(client, service(t, "identity"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { hold(ctx, t, addr, cfg) })
		seen := map[string]bool{}
		calls := 0
		within(t, 60*time.Second, "five serials", func() bool {
			conn := dial(t, addr, cfg)
			defer shut(t, conn)
			serial, err := check(t.Context(), conn)
			if err != nil {
				t.Errorf("call %d failed: %v", calls, err)
			}
			calls++
			seen[serial] = true
			return len(seen) >= 5
		})
		cancel()
		wg.Wait()
		t.Logf("%d calls on fresh connections saw %d serials", calls, len(seen))
	})
}

// hold calls on one connection until ctx ends.
func hold(ctx context.Context, t *testing.T, addr string, cfg *tls.Config) {
	conn := dial(t, addr, cfg)
	defer shut(t, conn)
	for ctx.Err() == nil {
		if _, err := check(ctx, conn); err != nil && ctx.Err() == nil {
			t.Errorf("call on the standing connection failed: %v", err)
			return
		}
	}
}

func shut(t *testing.T, conn *grpc.ClientConn) {
	t.Helper()
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}
