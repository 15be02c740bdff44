// Package e2e_test drives the whole suite from outside: programs built and started as an operator would, on both databases, with
// the development Vault and, where there is one, a real Vault server.
package e2e_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"samvirke.dev/deploy/internal/scene"
	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// Environment variables that govern the tests.
const (
	// envStrict turns a skip for want of something into a failure.
	envStrict = "SAMVIRKE_TEST_STRICT"
	// envVault names the binary of a real Vault server.
	envVault = "SAMVIRKE_TEST_VAULT"
)

const (
	// limit bounds what a test waits for; a loaded machine takes its time.
	limit = 60 * time.Second
	// pollEvery is how often a condition is looked at.
	pollEvery = 20 * time.Millisecond
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if dir, err := programs(); err == nil {
			_ = os.RemoveAll(dir) // a temporary folder; the system sweeps it otherwise
		}
		os.Exit(code)
	}))
}

// programs is where the programs under test lie.
var programs = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "samvirke-e2e-") })

// binaries builds the services once for all tests of the package. The go command finds in its cache whatever did not change.
var binaries = sync.OnceValues(func() (map[string]string, error) {
	dir, err := programs()
	if err != nil {
		return nil, err
	}
	s, err := scene.Load()
	if err != nil {
		return nil, err
	}
	return stack.BuildAll(context.Background(), s.Config(nil).Programs, dir, io.Discard)
})

// fixture is a suite under test.
type fixture struct {
	*stack.Stack
	scene *scene.Scene
	vault *stack.Vault
	// registers are those that the suite asks, or nil.
	registers *stack.Registers
}

// setup is what options can change before a stack is prepared.
type setup struct {
	stack.Config
	registers *stack.Registers
	// only are the services that run; the identity service alone unless an option says otherwise.
	only []string
	// apart gives the two Danish funds a transfer service each.
	apart bool
}

// option changes a set-up before the stack is prepared.
type option func(t *testing.T, c *setup)

// prepare makes a suite ready to start, with the development Vault and SQLite unless an option says otherwise.
func prepare(t *testing.T, opts ...option) *fixture {
	t.Helper()
	files, err := binaries()
	must(t, err)
	s, err := scene.Load()
	must(t, err)
	conf := setup{only: []string{stack.IdentityName}}
	conf.Dir, conf.Binaries = filepath.Join(t.TempDir(), "suite"), files
	for _, o := range opts {
		o(t, &conf)
	}
	if conf.Vault == nil {
		devVault(t, &conf)
	}
	base := s.Config(conf.registers, conf.only...)
	conf.Agreements, conf.Callers, conf.Programs = base.Agreements, base.Callers, base.Programs
	if conf.apart {
		conf.Programs = slices.DeleteFunc(conf.Programs, func(p stack.Program) bool { return p.Name == stack.TransferName })
		conf.Programs = append(conf.Programs, stack.TransferApart([]stack.Caller{s.Cast.DanishFund}, []stack.Caller{s.Cast.OtherDanishFund}, s.Issuer)...)
	}
	suite, err := stack.Prepare(t.Context(), conf.Config)
	must(t, err)
	f := &fixture{Stack: suite, scene: s, vault: conf.Vault, registers: conf.registers}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), limit)
		defer cancel()
		if err := suite.Close(ctx); err != nil {
			t.Errorf("close suite: %v", err)
		}
		if t.Failed() {
			f.showLog(t)
		}
	})
	return f
}

// start prepares a suite, imports the test persons and starts it.
func start(t *testing.T, opts ...option) *fixture {
	t.Helper()
	f := prepare(t, opts...)
	must(t, f.scene.Import(t.Context(), f.Stack))
	must(t, f.StartAll(t.Context()))
	for _, p := range f.Programs() {
		must(t, f.Healthy(t.Context(), p.Name, f.scene.Cast.DanishFund))
	}
	return f
}

func (f *fixture) showLog(t *testing.T) {
	t.Helper()
	for _, p := range f.Programs() {
		raw, err := os.ReadFile(filepath.Join(f.Dir(), p.Name+".log"))
		const enough = 4000
		t.Logf("log of %s, its end (%v):\n%s", p.Name, err, raw[max(len(raw)-enough, 0):])
	}
}

func devVault(t *testing.T, c *setup) {
	t.Helper()
	v, err := stack.DevVault()
	must(t, err)
	t.Cleanup(func() { must(t, v.Close()) })
	c.Vault = v
}

// realVault takes the real server, or skips.
func realVault(t *testing.T, c *setup) {
	t.Helper()
	binary := os.Getenv(envVault)
	if binary == "" {
		missing(t, "no real Vault server: "+envVault+" names no binary")
	}
	v, err := stack.RealVault(t.Context(), binary, filepath.Join(t.TempDir(), "vault"))
	must(t, err)
	t.Cleanup(func() { must(t, v.Close()) })
	c.Vault = v
}

// postgres takes a fresh PostgreSQL database, or skips.
func postgres(t *testing.T, c *setup) {
	t.Helper()
	db := sqltest.PostgresConfig(t)
	c.Database, c.DatabasePasswordFile = db.URL, db.PasswordFile
}

func sqlite(*testing.T, *setup) {}

// leaves sets the life of the service's certificate.
func leaves(life time.Duration) option {
	return func(_ *testing.T, c *setup) { c.CertTTL = life }
}

func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv(envStrict) == "1" {
		t.Fatalf("demanded by %s=1: %s", envStrict, why)
	}
	t.Skip(why)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until cond holds; it fails the test when that takes too long.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !cond() {
		select {
		case <-ctx.Done():
			t.Fatalf("still not: %s", what)
		case <-tick.C:
		}
	}
}
