package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"samvirke.dev/deploy/internal/stack"
)

// TestKillUnderLoad ends the service as a power cut would, several times, while calls run. Whoever saw an answer finds its
// audit record afterwards, once and not twice.
//
// covers: SEC-07
func TestKillUnderLoad(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]option{"sqlite": sqlite, "postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, database)
			var acknowledged []string
			for range 3 {
				acknowledged = append(acknowledged, f.killUnderLoad(t)...)
				must(t, f.Start(t.Context(), stack.IdentityName))
			}
			count := recordsOf(t, f, acknowledged)
			for _, event := range acknowledged {
				if count[event] != 1 {
					t.Errorf("event %s was acknowledged and has %d records", event, count[event])
				}
			}
			t.Logf("%d acknowledged calls, each with one record", len(acknowledged))
		})
	}
}

// killUnderLoad kills the service once enough was answered, and returns what was.
func (f *fixture) killUnderLoad(t *testing.T) []string {
	t.Helper()
	const enough = 300
	l := newLoad(f)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { l.run(ctx, 16, 0) })
	eventually(t, "answers under load", func() bool { return l.answered.Load() >= enough || l.failures() != nil })
	f.Kill(stack.IdentityName)
	cancel()
	wg.Wait()
	if len(l.events) < enough {
		t.Fatalf("only %d calls were answered: %v", len(l.events), l.failures())
	}
	return l.events
}

// TestCertificateRotationUnderLoad has leaves that live for two seconds, and clients that connect all the time: every new
// connection sees a valid leaf, several of them in turn, and no call fails.
//
// covers: SEC-01
func TestCertificateRotationUnderLoad(t *testing.T) {
	t.Parallel()
	const rotations = 4
	f := start(t, leaves(2*time.Second))
	l := newLoad(f)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { l.run(ctx, 8, 25) })
	eventually(t, "certificates served in turn", func() bool { return l.served() >= rotations || l.failures() != nil })
	cancel()
	wg.Wait()
	must(t, l.failures())
	t.Logf("%d calls over %d certificates, none failed", l.answered.Load(), l.served())
}

// TestVaultDownAtStart: without Vault there are neither keys nor a certificate, so the service refuses to start and says why,
// without a word of its secrets.
func TestVaultDownAtStart(t *testing.T) {
	t.Parallel()
	f := prepare(t)
	must(t, f.vault.Dev.Down())
	id, err := f.Launch(stack.IdentityName)
	must(t, err)
	select {
	case <-id.Proc.Done():
	case <-time.After(limit):
		t.Fatal("still trying")
	}
	if code := id.Proc.ExitCode(); code <= 0 {
		t.Errorf("exit code is %d", code)
	}
	// It has ended as it should; nothing is left to stop in order.
	f.Kill(stack.IdentityName)
	said := strings.Join(id.Log.All(), "\n")
	if !strings.Contains(strings.ToLower(said), "vault") {
		t.Errorf("the reason is not told:\n%s", said)
	}
	secret, err := os.ReadFile(filepath.Join(f.Dir(), "identity", "secret-id"))
	must(t, err)
	if strings.Contains(said, string(secret)) {
		t.Error("the log holds the secret id")
	}
}

// TestVaultDownLater: the service goes on with what it holds, refuses new connections once its certificate has run out, and
// is back by itself when Vault is.
func TestVaultDownLater(t *testing.T) {
	t.Parallel()
	f := start(t, leaves(4*time.Second))
	conn, err := f.Dial(stack.IdentityName, f.scene.Cast.DanishFund)
	must(t, err)
	defer hangUp(t, conn)
	ask := func() error { return newLoad(f).askOnce(t.Context(), conn) }
	must(t, ask())

	must(t, f.vault.Dev.Down())
	must(t, ask())
	eventually(t, "new connections are refused after the certificate has run out", func() bool { return f.fresh(t) != nil })
	if err := ask(); err != nil {
		t.Errorf("a connection that stands was cut: %v", err)
	}

	must(t, f.vault.Dev.Up())
	eventually(t, "new connections are taken again", func() bool { return f.fresh(t) == nil })
}

// TestRestart: a service that ends in order and starts again knows all that it knew.
func TestRestart(t *testing.T) {
	t.Parallel()
	f := start(t)
	first := f.handle(t)
	must(t, f.Stop(t.Context(), stack.IdentityName))
	must(t, f.Start(t.Context(), stack.IdentityName))
	if second := f.handle(t); second != first {
		t.Errorf("the handle was %s and is %s", first, second)
	}
}
