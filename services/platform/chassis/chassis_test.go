package chassis_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"samvirke.dev/certs/bootstrap"
	"samvirke.dev/certs/vaulttest"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/keys"
)

// With everything in place the service serves, says so, records what it does under its own name, and stops in order.
func TestServes(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		s := prepare(t, v)
		s.cfg.Probes = freeAddr(t)
		c, addr := s.serve()
		conn := s.dial(addr, first)
		within(t, 20*time.Second, "health is SERVING", func() bool { return health(t, conn) == healthv1.HealthCheckResponse_SERVING })
		probe, err := httpGet(t, "http://"+s.cfg.Probes+"/readyz")
		if must(t, err); probe != http.StatusNoContent {
			t.Errorf("the probe is told %d", probe)
		}
		must(t, verify(t.Context(), conn, first))
		records, _, err := c.Records.After(t.Context(), 0, 10)
		if err != nil || len(records) != 1 || records[0].GetWriter().GetService() != "test" || records[0].GetWriter().GetInstance() != "test-1" {
			t.Errorf("records %v, %v", records, err)
		}
		leaf, err := c.Certificates().Certificate()
		must(t, err)
		for _, name := range s.cfg.PKI.Names { // as a browser at the console checks them
			if err := leaf.Leaf.VerifyHostname(name); err != nil {
				t.Error(err)
			}
		}
		if s.controllers.Load() == 0 {
			t.Error("no controller was prepared before calls were let in")
		}
		if err := verify(t.Context(), s.dial(addr, second), second); errs.ReasonOf(err).String() != "REASON_ORGANISATION_UNKNOWN" {
			t.Errorf("an organisation without agreement: %v", err)
		}
	})
}

// What keeps a service from starting is said in words that an operator can act on, and what was opened is closed again: goleak
// would find the connections of the database and the goroutines of the rest.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil func(t *testing.T, s *site)
		want  []string
	}{
		"vault down":      {func(t *testing.T, s *site) { t.Helper(); must(t, s.vault.Down()) }, []string{"vault", "unreachable"}},
		"vault sealed":    {func(t *testing.T, s *site) { t.Helper(); must(t, s.vault.Seal()) }, []string{"vault is sealed"}},
		"unknown role id": {func(t *testing.T, s *site) { t.Helper(); put(t, s.cfg.Vault.RoleIDFile, "nobody") }, []string{"refused the AppRole login"}},
		"wrong secret id": {func(t *testing.T, s *site) { t.Helper(); put(t, s.cfg.Vault.SecretIDFile, "hunter2") }, []string{"refused the AppRole login"}},
		"empty secret id": {func(t *testing.T, s *site) { t.Helper(); put(t, s.cfg.Vault.SecretIDFile, "") }, []string{"secret id", "empty"}},
		"no anchor":       {func(t *testing.T, s *site) { t.Helper(); put(t, s.cfg.Vault.CAFile, "no certificate") }, []string{"CA"}},
		"foreign anchor":  {foreignAnchor, []string{"not trusted"}},
		"role of another": {func(_ *testing.T, s *site) { s.cfg.PKI.Role = "other" }, []string{"certificate", "denied"}},
		"key of another": {func(_ *testing.T, s *site) {
			s.opts.Keysets = []keys.Spec{{Name: "x", Kind: keys.KindPRF, KEK: "foreign"}}
		}, []string{"keys", "foreign"}},
		"no transit mount": {func(_ *testing.T, s *site) { s.cfg.Transit.Mount = "nowhere" }, []string{"keys", "denied"}},
		"no such mount":    {func(_ *testing.T, s *site) { s.cfg.PKI.TrustMounts = []string{"pki-nowhere"} }, []string{"certificate", "pki-nowhere"}},
		"no database folder": {func(t *testing.T, s *site) {
			t.Helper()
			s.cfg.Database.URL = "sqlite:" + filepath.Join(t.TempDir(), "no", "x.db")
		}, []string{"database"}},
		"bad configuration": {func(_ *testing.T, s *site) { s.cfg.Environment, s.cfg.Listen = "", "" }, []string{"environment", "listen"}},
		"plaintext telemetry": {func(_ *testing.T, s *site) { s.cfg.Telemetry.Endpoint = "http://collector.example:4317" },
			[]string{"telemetry"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := prepare(t, vaulttest.StartDev(t))
			tc.spoil(t, s)
			c, err := chassis.New(t.Context(), s.cfg, s.opts)
			if err == nil || c != nil {
				t.Fatal("it started")
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the refusal lacks %q: %v", part, err)
				}
			}
			if strings.Contains(err.Error()+s.logs.String(), "hunter2") {
				t.Error("a secret was repeated")
			}
		})
	}
}

func put(t *testing.T, file, text string) {
	t.Helper()
	must(t, os.WriteFile(file, []byte(text), 0o600))
}

func foreignAnchor(t *testing.T, s *site) {
	t.Helper()
	put(t, s.cfg.Vault.CAFile, string(vaulttest.StartDev(t).CAPEM()))
}

// What is wrong with agreements, rules, controllers or the port shows when the service begins to run, before any call is let in.
func TestRefusesToRun(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil func(t *testing.T, s *site)
		want  string
	}{
		"no agreements": {func(t *testing.T, s *site) {
			t.Helper()
			must(t, os.Remove(filepath.Join(s.cfg.Agreements.Dir, "first.yaml")))
		}, "no *.yaml"},
		"bad agreement": {func(_ *testing.T, s *site) { s.write("first.yaml", "id: [") }, "first.yaml"},
		"no folder":     {func(t *testing.T, s *site) { t.Helper(); must(t, os.RemoveAll(s.cfg.Agreements.Dir)) }, "agreements"},
		"port taken":    {func(t *testing.T, s *site) { t.Helper(); _, s.cfg.Listen = prepare(t, s.vault).serve() }, "listen"},
		"no controllers": {func(_ *testing.T, s *site) {
			s.opts.Controller = func(context.Context, string) error { return context.DeadlineExceeded }
		}, "deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := prepare(t, vaulttest.StartDev(t))
			tc.spoil(t, s)
			c, err := chassis.New(t.Context(), s.cfg, s.opts)
			must(t, err)
			err = c.Run(t.Context(), func(string) { t.Error("it said that it is ready") })
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want something about %q", err, tc.want)
			}
			must(t, c.Close(t.Context()))
		})
	}
}

// Offline commands need neither certificate nor server.
func TestOpen(t *testing.T) {
	t.Parallel()
	s := prepare(t, vaulttest.StartDev(t))
	s.cfg.PKI.Role = "other" // would be denied
	c, err := chassis.Open(t.Context(), s.cfg, s.opts)
	must(t, err)
	if c.DB == nil || c.Keys == nil || c.Records == nil || c.Server != nil {
		t.Errorf("opened %+v", c)
	}
	must(t, c.Close(t.Context()))
	must(t, c.Close(t.Context())) // once more does no harm
}

// Health follows the database: with it gone, no traffic is asked for.
func TestHealthFollowsTheDatabase(t *testing.T) {
	t.Parallel()
	s := prepare(t, vaulttest.StartDev(t))
	c, addr := s.serve()
	conn := s.dial(addr, first)
	within(t, 20*time.Second, "health is SERVING", func() bool { return health(t, conn) == healthv1.HealthCheckResponse_SERVING })
	must(t, c.DB.Close())
	within(t, 20*time.Second, "health is NOT_SERVING", func() bool { return health(t, conn) == healthv1.HealthCheckResponse_NOT_SERVING })
	if err := verify(t.Context(), conn, first); status.Code(err) != codes.Unavailable {
		t.Errorf("a call without a database: %v", err)
	}
	if !strings.Contains(s.logs.String(), "traffic can't pass") {
		t.Error("the log does not say why")
	}
}

// load calls without a pause until the test stops it. A caller that finds the connection lost waits for the next one, as
// gRPC clients do, and nothing else is tried again.
type load struct {
	stop    context.CancelFunc
	running sync.WaitGroup
	calls   atomic.Int64
}

// start runs n callers, each call by one of them through do.
func start(t *testing.T, n int, do func(ctx context.Context) error) *load {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &load{stop: stop}
	for range n {
		l.running.Go(func() {
			for ctx.Err() == nil {
				call, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
				err := do(call)
				cancel()
				if l.calls.Add(1); err != nil {
					t.Errorf("call %d: %v", l.calls.Load(), err)
					return
				}
			}
		})
	}
	t.Cleanup(l.end)
	return l
}

func (l *load) end() {
	l.stop()
	l.running.Wait()
}

// Certificates of two seconds are replaced again and again under callers of both kinds: one that keeps its connection, and one that
// connects anew for every call. None of their calls fails.
//
// covers: SEC-01
func TestCertificateRotation(t *testing.T) {
	t.Parallel()
	s := prepare(t, vaulttest.StartDev(t))
	s.cfg.PKI.TTL, s.cfg.PKI.Refresh = 2*time.Second, 500*time.Millisecond
	_, addr := s.serve()
	kept := s.dial(addr, first)
	persistent := start(t, 2, func(ctx context.Context) error { return verify(ctx, kept, first) })
	config := s.clientTLS(first)
	var mu sync.Mutex
	serials := map[string]bool{}
	fresh := start(t, 1, func(ctx context.Context) error {
		state, err := connect(ctx, addr, config)
		if err != nil {
			return err
		}
		leaf := state.PeerCertificates[0]
		if life := time.Until(leaf.NotAfter); life > 3*time.Second {
			t.Errorf("the leaf lives for another %v", life)
		}
		mu.Lock()
		serials[leaf.SerialNumber.String()] = true
		mu.Unlock()
		return nil
	})
	within(t, time.Minute, "four certificates were seen", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(serials) >= 4 && persistent.calls.Load() >= 20 || t.Failed()
	})
	fresh.end()
	persistent.end()
}

// Vault goes down and comes back under load: calls go on with what is in memory.
func TestVaultDownLater(t *testing.T) {
	t.Parallel()
	s := prepare(t, vaulttest.StartDev(t))
	s.cfg.Keys = chassis.Keys{MaxAge: time.Minute, RefreshEvery: 50 * time.Millisecond}
	s.cfg.PKI.Refresh = 50 * time.Millisecond
	_, addr := s.serve()
	conn := s.dial(addr, first)
	calling := start(t, 2, func(ctx context.Context) error { return verify(ctx, conn, first) })
	must(t, s.vault.Down())
	within(t, 30*time.Second, "the log tells of the outage", func() bool { return strings.Contains(s.logs.String(), "keyset refresh failed") })
	seen := calling.calls.Load()
	within(t, 30*time.Second, "calls go on", func() bool { return calling.calls.Load() > seen+20 })
	must(t, s.vault.Up())
	within(t, 30*time.Second, "the keys are refreshed again", func() bool { return strings.Contains(s.logs.String(), "keysets refreshed again") })
	calling.end()
}

// Agreements change under load: a file that is broken or overlaps another changes nothing, a good one lets another organisation in, its end
// or removal shuts it out, and the callers who were there all the time notice nothing of it.
func TestAgreementsReload(t *testing.T) {
	t.Parallel()
	s := prepare(t, vaulttest.StartDev(t))
	_, addr := s.serve()
	conn, other := s.dial(addr, first), s.dial(addr, second)
	calling := start(t, 2, func(ctx context.Context) error { return verify(ctx, conn, first) })
	knows := func() bool {
		err := verify(t.Context(), other, second)
		if code := status.Code(err); code != codes.OK && code != codes.PermissionDenied {
			t.Fatalf("%v", err)
		}
		return err == nil
	}
	if knows() {
		t.Fatal("the second organisation was let in without an agreement")
	}
	s.write("second.yaml", "id: [broken")
	within(t, 30*time.Second, "the broken file is refused", func() bool { return strings.Contains(s.logs.String(), "agreements refused") })
	if knows() {
		t.Error("a broken file let the second organisation in")
	}
	s.write("second.yaml", agreementOf(second))
	within(t, 30*time.Second, "the second organisation is let in", knows)
	refused := strings.Count(s.logs.String(), "agreements refused")
	s.write("third.yaml", strings.Replace(agreementOf(second), "id: fund-", "id: again-", 1))
	within(t, 30*time.Second, "an agreement that overlaps another is refused", func() bool {
		return strings.Count(s.logs.String(), "agreements refused") > refused
	})
	if !knows() {
		t.Error("a file that was refused shut the second organisation out")
	}
	must(t, os.Remove(filepath.Join(s.cfg.Agreements.Dir, "third.yaml")))
	s.write("second.yaml", strings.Replace(agreementOf(second), "2100-01-01", "2021-01-01", 1))
	within(t, 30*time.Second, "the agreement of the second organisation has expired", func() bool { return !knows() })
	if err := verify(t.Context(), other, second); errs.ReasonOf(err) != commonv1.Reason_REASON_AGREEMENT_INACTIVE {
		t.Errorf("with an expired agreement: %v", err)
	}
	s.write("second.yaml", agreementOf(second))
	within(t, 30*time.Second, "the second organisation is let in again", knows)
	must(t, os.Remove(filepath.Join(s.cfg.Agreements.Dir, "second.yaml")))
	within(t, 30*time.Second, "the second organisation is shut out", func() bool { return !knows() })
	within(t, time.Minute, "enough calls to prove something", func() bool { return calling.calls.Load() >= 20 || t.Failed() })
	calling.end()
}

// A certificate that is revoked in Vault opens no further connection.
//
// covers: SEC-01
func TestRevocation(t *testing.T) {
	t.Parallel()
	s := prepare(t, vaulttest.StartDev(t))
	s.cfg.PKI.Refresh = 50 * time.Millisecond
	_, addr := s.serve()
	config := s.clientTLS(first)
	try := func(config *tls.Config) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := connect(ctx, addr, config)
		return err
	}
	must(t, try(config))
	leaf, err := config.GetClientCertificate(&tls.CertificateRequestInfo{})
	must(t, err)
	serial := strings.TrimSuffix(strings.ReplaceAll(fmt.Sprintf("% x ", leaf.Leaf.SerialNumber.Bytes()), " ", ":"), ":") // Vault's spelling
	must(t, bootstrap.Revoke(t.Context(), vaulttest.Root(t, s.vault), bootstrap.OrgMount, serial))
	within(t, 30*time.Second, "the revoked certificate is refused", func() bool { return try(config) != nil })
	if err := try(s.clientTLS(first)); err != nil {
		t.Errorf("another certificate of the same organisation: %v", err)
	}
}
