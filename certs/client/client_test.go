package client_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/certs/client"
	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const domain = "samvirke.example"

// server answers health checks, after failing as often as it is told.
type server struct {
	healthv1.UnimplementedHealthServer
	failures atomic.Int64
	calls    atomic.Int64
	deadline atomic.Int64
}

func (s *server) Check(ctx context.Context, _ *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	s.calls.Add(1)
	if at, ok := ctx.Deadline(); ok {
		s.deadline.Store(int64(time.Until(at)))
	}
	if s.failures.Add(-1) >= 0 {
		return nil, status.Error(codes.Unavailable, "starting")
	}
	return &healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_SERVING}, nil
}

// serve runs a server as the service of a name and returns a client's configuration for it.
func serve(t *testing.T, s *server) client.Config {
	t.Helper()
	ca := certtest.New(t, domain)
	conf, err := mtls.ServerConfig(ca.Source(ca.Service("identity")), mtls.Accept{TrustDomains: []string{domain}, Kinds: []workload.Kind{workload.KindOrganisation}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(grpc.Creds(credentials.NewTLS(conf)))
	healthv1.RegisterHealthServer(srv, s)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Stop()
		<-done //nolint:errcheck // it was stopped
	})
	files := ca.Files(ca.Organisation("DK", "10000017", "caseworker"))
	return client.Config{
		Addr: l.Addr().String(), Service: "spiffe://" + domain + "/svc/identity", CertFile: files.Cert, KeyFile: files.Key, CAFile: files.CA,
	}
}

func check(t *testing.T, cfg client.Config) error {
	t.Helper()
	conn, err := client.Dial(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // nothing is under way
	_, err = healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	return err
}

// A service that is starting is asked again, with the deadline that calls without one get.
func TestRetriesWithinDeadline(t *testing.T) {
	t.Parallel()
	s := &server{}
	cfg := serve(t, s)
	s.failures.Store(2)
	if err := check(t, cfg); err != nil || s.calls.Load() != 3 {
		t.Errorf("%d calls, %v", s.calls.Load(), err)
	}
	if left := time.Duration(s.deadline.Load()); left <= 0 || left > client.DefaultDeadline {
		t.Errorf("deadline %v", left)
	}
	s.failures.Store(100)
	if err := check(t, cfg); status.Code(err) != codes.Unavailable {
		t.Errorf("error is %v", err)
	}
}

// Whoever answers must be the service that was asked for, and whoever asks must be configured wholly.
func TestRefuses(t *testing.T) {
	t.Parallel()
	cfg := serve(t, &server{})
	other := cfg
	other.Service = "spiffe://" + domain + "/svc/income"
	if err := check(t, other); err == nil {
		t.Error("another service was taken for the one asked for")
	}
	for name, edit := range map[string]func(*client.Config){
		"no service": func(c *client.Config) { c.Service = "" }, "no address": func(c *client.Config) { c.Addr = "" },
		"no key": func(c *client.Config) { c.KeyFile = "" }, "no anchors": func(c *client.Config) { c.CAFile = "/nowhere" },
	} {
		broken := cfg
		edit(&broken)
		if conn, err := client.Dial(broken); err == nil {
			t.Errorf("%s: connected", name)
			_ = conn.Close()
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	pages := map[string][]string{"": {"a", "b"}, "t1": {}, "t2": {"c"}}
	next := map[string]string{"": "t1", "t1": "t2"}
	broken := errors.New("gone")
	list := func(failAt string) func(context.Context, string) ([]string, string, error) {
		return func(_ context.Context, token string) ([]string, string, error) {
			if token == failAt {
				return nil, "", broken
			}
			return pages[token], next[token], nil
		}
	}
	var got []string
	for item, err := range client.Pages(t.Context(), list("never")) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, item)
	}
	if !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("items %v", got)
	}
	var last error
	got = nil
	for item, err := range client.Pages(t.Context(), list("t2")) {
		last = err
		got = append(got, item)
	}
	if !errors.Is(last, broken) || strings.Join(got, "") != "ab" {
		t.Errorf("items %v, error %v", got, last)
	}
	for _, err := range client.Pages(t.Context(), list("t1")) {
		if err != nil {
			t.Error(err)
		}
		break // leaving early asks for no further page
	}
}
