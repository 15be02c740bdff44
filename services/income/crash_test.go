package income_test

import (
	"bufio"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/trace"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/income"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/income/internal/store/sqlstore"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// What a process that is to be killed is told: the database and the run.
const (
	crashFile = "SAMVIRKE_TEST_INCOME_CRASH"
	crashRun  = "SAMVIRKE_TEST_INCOME_CRASH_RUN"
)

// -rounds is how often a run is killed.
var rounds = flag.Int("rounds", 4, "how often the process of a run is killed")

// fixedWrap wraps keysets with a key that every process of the test knows. It guards nothing.
type fixedWrap struct{ aead cipher.AEAD }

func newFixedWrap() (keys.WrapFunc, error) {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	return func(string) (keys.Wrapper, error) { return fixedWrap{gcm}, nil }, err
}

// EncryptWithContext implements keys.Wrapper.
func (f fixedWrap) EncryptWithContext(_ context.Context, plain, ad []byte) ([]byte, error) {
	return f.aead.Seal(nil, make([]byte, f.aead.NonceSize()), plain, ad), nil
}

// DecryptWithContext implements keys.Wrapper.
func (f fixedWrap) DecryptWithContext(_ context.Context, sealed, ad []byte) ([]byte, error) {
	return f.aead.Open(nil, make([]byte, f.aead.NonceSize()), sealed, ad)
}

// bare is the service without its RPCs, on a database of its own.
type bare struct {
	db     *sqlkit.DB
	parts  *income.Parts
	reader *audit.Reader
	close  func(context.Context) error
}

func newBare(ctx context.Context, url string, register func(core.Numbers) (core.Register, error)) (*bare, error) {
	db, err := sqlkit.Open(ctx, sqlkit.DefaultConfig(url))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(chassis.MigratePlatform(ctx, db), db.Migrate(ctx, sqlstore.Migrations(), sqlstore.Service)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	wrap, err := newFixedWrap()
	if err != nil {
		return nil, err
	}
	now := clock.System()
	ring, err := keys.Open(ctx, keys.Config{Store: keys.NewSQLStore(db, now.Now), Wrap: wrap, MaxAge: time.Hour, RefreshEvery: time.Minute, Now: now.Now},
		append(chassis.PlatformKeysets("income"), income.Keysets()...)...)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	recorder, reader, err := chassis.NewRecorder(context.WithoutCancel(ctx), db, ring, now, &auditv1.Writer{Service: "income"})
	if err != nil {
		return nil, err
	}
	cfg := income.DefaultConfig()
	cfg.Run.Chunk, cfg.Run.Lease, cfg.Run.Resume, cfg.Run.Workers = 10, 400*time.Millisecond, 100*time.Millisecond, 2
	cfg.Jobs.Poll, cfg.Jobs.FetchPause = 20*time.Millisecond, 2*time.Millisecond
	parts, err := income.NewParts(ctx, cfg, income.Deps{
		DB: db, Keys: ring, Recorder: recorder, Clock: now, Log: slog.New(slog.DiscardHandler), Meter: noop.Meter{},
		Tracer: trace.NewTracerProvider().Tracer("test"), Register: register,
	})
	if err != nil {
		return nil, err
	}
	return &bare{db, parts, reader, func(ctx context.Context) error {
		return errors.Join(parts.Close(), recorder.Close(ctx), ring.Close(), db.Close())
	}}, nil
}

// crash is the process: it works on the run and tells how far it is, until it is done or killed.
func crash() {
	if err := crashing(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func crashing(ctx context.Context) error {
	b, err := newBare(ctx, os.Getenv(crashFile), nil)
	if err != nil {
		return err
	}
	id, err := core.ParseID(os.Getenv(crashRun))
	if err != nil {
		return err
	}
	work, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- b.parts.Work(work) }()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		<-tick.C
		run, err := b.parts.UseCases().Run(ctx, core.Caller{Controller: fund}, id)
		if err != nil {
			stop()
			return errors.Join(err, <-ended)
		}
		if _, err := fmt.Println(run.Done); err != nil {
			stop()
			return errors.Join(err, <-ended)
		}
		if run.State != core.Running {
			stop()
			return errors.Join(<-ended, b.close(ctx))
		}
	}
}

func march() civil.Month {
	m, _ := civil.ParseMonth("2026-03")
	return m
}

const crashMembers = 1200

// fillBare puts members in: a quarter each without a difference, with too little, with too much and without a report.
func fillBare(t *testing.T, b *bare, n int) {
	t.Helper()
	self := func(ctx context.Context, _ int) context.Context { return ctx }
	c := core.Caller{Controller: fund}
	for from := 0; from < n; from += 100 {
		var uploads []core.Upload
		var deliveries []core.Delivery
		for i := from; i < min(from+100, n); i++ {
			register := rule.Hours(4000 + []int{0, 1250, -800, 0}[i%4])
			uploads = append(uploads, core.Upload{Handle: facts.Handle(handleOf(i)), Month: core.MemberMonth{
				Status: rule.FullTime, Rate: 2_035_900, Card: &facts.Card{Declared: 4000, Income: rule.Money(register) * 200, Count: 5, Precision: 15},
			}})
			answer := facts.Answer{Retrieved: time.Unix(1_775_000_000, 0)}
			if i%4 != 3 {
				answer.Records = []facts.Record{{Employer: "A", Hours: register, Income: rule.Money(register) * 200, From: march().First(), To: march().Last()}}
			}
			deliveries = append(deliveries, core.Delivery{Handle: facts.Handle(handleOf(i)), Answer: answer})
		}
		must(t, b.db.InTx(t.Context(), func(ctx context.Context) error {
			_, err1 := b.parts.UseCases().UploadMonths(ctx, c, march(), uploads, self)
			_, err2 := b.parts.UseCases().UploadAnswers(ctx, c, march(), deliveries, self)
			return errors.Join(err1, err2)
		}))
	}
}

// A run whose process is killed again and again ends with the totals of an undisturbed one: each member has one decision, one notice at
// most and one audit record.
//
// covers: DFH-38 SEC-07
func TestKilledRunsGoOn(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]func(testing.TB) sqlkit.Config{sqltest.File: sqltest.FileConfig, sqltest.Postgres: sqltest.PostgresConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := config(t).URL
			b, err := newBare(t.Context(), url, nil)
			must(t, err)
			fillBare(t, b, crashMembers)
			var run core.Run
			must(t, b.db.InTx(t.Context(), func(ctx context.Context) (err error) {
				run, err = b.parts.UseCases().StartRun(ctx, core.Caller{Controller: fund}, march())
				return err
			}))
			must(t, b.close(t.Context())) // from now on the database is the processes'
			killed := 0
			for i := range *rounds {
				goal := (i+1)*crashMembers/(*rounds+1) + rand.IntN(50)
				if worked(t, url, run.ID, goal) {
					killed++
				}
			}
			worked(t, url, run.ID, crashMembers+1)
			if killed < *rounds/2 {
				t.Errorf("only %d of %d rounds were killed before the end", killed, *rounds)
			}
			checkRun(t, url, run.ID)
		})
	}
}

// worked starts a process that works on the run and kills it when so many members are done; true if it did not end by itself before.
func worked(t *testing.T, url string, run core.ID, goal int) (killed bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), crashFile+"="+url, crashRun+"="+run.String())
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if n, err := strconv.Atoi(lines.Text()); err == nil && n >= goal && !killed {
			killed = true
			must(t, cmd.Process.Kill()) // SIGKILL
		}
	}
	_, _ = io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil && !killed {
		t.Fatalf("the process failed: %v: %s", err, said.String())
	}
	return killed
}

// checkRun compares the run with an undisturbed one.
func checkRun(t *testing.T, url string, id core.ID) {
	t.Helper()
	b, err := newBare(t.Context(), url, nil)
	must(t, err)
	defer func() { must(t, b.close(context.WithoutCancel(t.Context()))) }()
	run, err := b.parts.UseCases().Run(t.Context(), core.Caller{Controller: fund}, id)
	must(t, err)
	got := map[string]int64{}
	var notices int64
	for _, o := range run.Outcomes {
		got[o.Outcome] = o.Members
		notices += o.Notices
	}
	const each = crashMembers / 4
	wants := map[string]int64{"NO_DIFFERENCE": each, "RECOVER": each, "PAY_OUT": each, "INCOMPLETE": each}
	if run.State != core.Done || !maps.Equal(got, wants) || notices != 2*each {
		t.Errorf("%v, %d notices, state %d; want %v", got, notices, run.State, wants)
	}
	for what, query := range map[string]string{
		"decisions":               `SELECT count(*) FROM decision`,
		"members with a decision": `SELECT count(DISTINCT member) FROM decision`,
	} {
		var n int64
		must(t, b.db.QueryRow(t.Context(), query).Scan(&n))
		if n != crashMembers {
			t.Errorf("%d %s, want %d", n, what, crashMembers)
		}
	}
	records, position := 0, int64(0)
	for {
		page, next, err := b.reader.After(t.Context(), position, 500)
		must(t, err)
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			if r.GetRpc() == "income.match" { // not what was tried again since
				records++
			}
		}
		position = next
	}
	if records != crashMembers {
		t.Errorf("%d audit records of the run, want one a member: %d", records, crashMembers)
	}
}
