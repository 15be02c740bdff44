// Package monthtest measures how long a month of many members takes: a fresh database, register data already in it, one matching run with
// everything on (decryption, rule, decisions, one audit record a member, durable), and beside it, on the same database, the same join and
// rule as one SQL statement over plain tables. Both come to the same outcome, hours and amount for every member, or the measurement says
// that they don't. It is for the benchmark and for tests.
package monthtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/income"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/store/sqlstore"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/sqlkit"
)

// Options say what is measured.
type Options struct {
	Members  int
	Dir      string // for the SQLite file; exists
	Database string // URL of an empty PostgreSQL database, or empty for SQLite in Dir
	Chunk    int    // 0 for the default
	Workers  int    // 0 for the default
	Log      func(format string, args ...any)
}

// Result is what was measured.
type Result struct {
	Members     int            `json:"members"`
	Seconds     float64        `json:"seconds"`      // of the run
	PerSecond   float64        `json:"per_second"`   // members
	PeerSeconds float64        `json:"peer_seconds"` // of the one statement
	PeerRate    float64        `json:"peer_per_second"`
	Ratio       float64        `json:"ratio"`       // of the rates: run over peer
	CPU         float64        `json:"cpu_us"`      // processor time of the run for a member, on all cores: what a busy machine does not change
	PeerCPU     float64        `json:"peer_cpu_us"` // the same of the one statement
	PeakMB      float64        `json:"peak_mb"`
	LoadSeconds float64        `json:"load_seconds"`
	Decisions   int64          `json:"decisions"`
	Records     int64          `json:"records"` // audit records of the run
	Sums        map[string]Sum `json:"outcomes"`
	PeerSums    map[string]Sum `json:"peer_outcomes"`
	Digest      string         `json:"digest"` // over every member's outcome, hours and amount
	PeerDigest  string         `json:"peer_digest"`
	PeerSame    bool           `json:"peer_same"` // the digests are equal
}

const (
	controller = "DK:10000009"
	batch      = 1000
)

// bench is a measurement under way.
type bench struct {
	o       Options
	db      *sqlkit.DB
	ring    *keys.Ring
	parts   *income.Parts
	closers []func(context.Context) error
}

// Measure measures a month.
func Measure(ctx context.Context, o Options) (r Result, err error) {
	b := &bench{o: o}
	if b.o.Log == nil {
		b.o.Log = func(string, ...any) {}
	}
	defer func() {
		for i := len(b.closers) - 1; i >= 0; i-- {
			err = errors.Join(err, b.closers[i](context.WithoutCancel(ctx)))
		}
	}()
	if err := b.open(ctx); err != nil {
		return r, err
	}
	r.Members = o.Members
	began := clock.System().Now()
	if err := b.fill(ctx); err != nil {
		return r, err
	}
	r.LoadSeconds = since(began)
	b.o.Log("loaded %d members in %.1f s\n", o.Members, r.LoadSeconds)
	if err := b.run(ctx, &r); err != nil {
		return r, err
	}
	r.PeakMB = peak()
	b.o.Log("matched in %.1f s, %.0f members a second, %.1f us of processor each, peak %.0f MB\n", r.Seconds, r.PerSecond, r.CPU, r.PeakMB)
	if err := b.peer(ctx, &r); err != nil {
		return r, err
	}
	b.o.Log("one SQL statement: %.1f s, %.0f members a second, %.1f us of processor each; ratio %.2f\n", r.PeerSeconds, r.PeerRate, r.PeerCPU, r.Ratio)
	return r, b.compare(ctx, &r)
}

func since(t time.Time) float64 { return clock.System().Now().Sub(t).Seconds() }

// open opens the database and the service on it.
func (b *bench) open(ctx context.Context) error {
	url := b.o.Database
	if url == "" {
		url = "sqlite:" + filepath.Join(b.o.Dir, "income.db")
	}
	var err error
	cfg := income.DefaultConfig() // as the program does
	cfg.Memory.Use()
	cfg.Database.URL = url
	if b.db, err = sqlkit.Open(ctx, cfg.Database); err != nil {
		return err
	}
	b.closers = append(b.closers, func(context.Context) error { return b.db.Close() })
	if err := chassis.MigratePlatform(ctx, b.db); err != nil {
		return err
	}
	if err := b.db.Migrate(ctx, sqlstore.Migrations(), sqlstore.Service); err != nil {
		return err
	}
	now := april{began: clock.System().Now()}
	ring, err := keys.Open(ctx, keys.Config{
		Store: keys.NewSQLStore(b.db, now.Now), Wrap: localWrap(), MaxAge: time.Hour, RefreshEvery: time.Minute, Now: now.Now,
	}, append(chassis.PlatformKeysets("income"), income.Keysets()...)...)
	if err != nil {
		return err
	}
	b.ring = ring
	b.closers = append(b.closers, func(context.Context) error { return ring.Close() })
	recorder, _, err := chassis.NewRecorder(context.WithoutCancel(ctx), b.db, ring, now, &auditv1.Writer{Service: "income", Version: "bench", Instance: "1"})
	if err != nil {
		return err
	}
	b.closers = append(b.closers, recorder.Close)
	if b.o.Chunk > 0 {
		cfg.Run.Chunk = b.o.Chunk
	}
	if b.o.Workers > 0 {
		cfg.Run.Workers = b.o.Workers
	}
	b.parts, err = income.NewParts(ctx, cfg, income.Deps{
		DB: b.db, Keys: ring, Recorder: recorder, Clock: now, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Meter: metricnoop.Meter{}, Tracer: tracenoop.NewTracerProvider().Tracer("bench"),
	})
	if err != nil {
		return err
	}
	b.closers = append(b.closers, func(context.Context) error { return b.parts.Close() })
	return nil
}

// april is a clock on the first day on which the month may be matched: later, months that are incomplete would be tried again beside the run.
type april struct{ began time.Time }

// Now implements clock.Clock.
func (a april) Now() time.Time {
	return time.Date(2026, 4, 11, 6, 0, 0, 0, time.UTC).Add(clock.System().Now().Sub(a.began))
}

// localWrap keeps the key-encryption key in memory: Vault takes no part in a run.
func localWrap() keys.WrapFunc {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	var key tink.AEAD
	if err == nil {
		key, err = aead.New(handle)
	}
	return func(string) (keys.Wrapper, error) { return wrapper{key}, err }
}

type wrapper struct{ key tink.AEAD }

// EncryptWithContext implements keys.Wrapper.
func (w wrapper) EncryptWithContext(_ context.Context, plaintext, ad []byte) ([]byte, error) {
	return w.key.Encrypt(plaintext, ad)
}

// DecryptWithContext implements keys.Wrapper.
func (w wrapper) DecryptWithContext(_ context.Context, ciphertext, ad []byte) ([]byte, error) {
	return w.key.Decrypt(ciphertext, ad)
}

// march is the month.
func march() civil.Month {
	m, _ := civil.ParseMonth("2026-03")
	return m
}

// fill puts members, cards and register data in, and the peer's plain tables.
func (b *bench) fill(ctx context.Context) error {
	for _, ddl := range peerTables() {
		if _, err := b.db.Exec(ctx, ddl); err != nil {
			return err
		}
	}
	self := func(ctx context.Context, _ int) context.Context { return ctx }
	for from := 0; from < b.o.Members; from += batch {
		uploads, deliveries, plain := generate(from, min(from+batch, b.o.Members))
		err := b.db.InTx(ctx, func(ctx context.Context) error {
			c := core.Caller{Controller: controller}
			if _, err := b.parts.UseCases().UploadMonths(ctx, c, march(), uploads, self); err != nil {
				return err
			}
			if _, err := b.parts.UseCases().UploadAnswers(ctx, c, march(), deliveries, self); err != nil {
				return err
			}
			return b.fillPeer(ctx, plain)
		})
		if err != nil {
			return err
		}
		if done := from + batch; done%200_000 == 0 {
			b.o.Log("loaded %d\n", done)
		}
	}
	return nil
}

// run matches the month and counts what came of it.
func (b *bench) run(ctx context.Context, r *Result) (err error) {
	work, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- b.parts.Work(work) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	before, err := b.records(ctx)
	if err != nil {
		return err
	}
	began, spent := clock.System().Now(), processor()
	var run core.Run
	err = b.db.InTx(ctx, func(ctx context.Context) (err error) {
		run, err = b.parts.UseCases().StartRun(ctx, core.Caller{Controller: controller}, march())
		return err
	})
	if err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for run.State == core.Running {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			ended <- err
			return errors.Join(errors.New("the jobs ended"), err)
		case <-tick.C:
		}
		if run, err = b.parts.UseCases().Run(ctx, core.Caller{Controller: controller}, run.ID); err != nil {
			return err
		}
	}
	r.Seconds = since(began)
	r.PerSecond = float64(r.Members) / r.Seconds
	r.CPU = (processor() - spent) * 1e6 / float64(r.Members)
	after, err := b.records(ctx)
	r.Records = after - before
	if err != nil {
		return err
	}
	err = b.db.QueryRow(ctx, "SELECT count(*) FROM decision").Scan(&r.Decisions)
	return err
}

// records counts the audit records.
func (b *bench) records(ctx context.Context) (n int64, err error) {
	return n, b.db.QueryRow(ctx, "SELECT coalesce(sum(records), 0) FROM audit_outbox").Scan(&n)
}

// peak is the most memory that the process has had, in MB; 0 where the system does not tell.
func peak() float64 {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			if err == nil {
				return kb / 1024
			}
		}
	}
	return 0
}

// processor is the processor time of the process so far in seconds; 0 where the system does not tell.
func processor() float64 {
	raw, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	const user, system, ticks = 11, 12, 100 // places after the name; the unit is a hundredth of a second on Linux
	if len(fields) <= system {
		return 0
	}
	u, err1 := strconv.ParseFloat(fields[user], 64)
	s, err2 := strconv.ParseFloat(fields[system], 64)
	if err1 != nil || err2 != nil {
		return 0
	}
	return (u + s) / ticks
}

// handleOf is the made-up handle of a member.
func handleOf(i int) string { return fmt.Sprintf("k00000001.member%021d", i) }
