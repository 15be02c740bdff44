package jobs_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/jobs"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// crashURL, if set, makes the test binary a service that starts a job and never ends it.
const (
	crashURL      = "JOBS_TEST_CRASH_URL"
	crashPassword = "JOBS_TEST_CRASH_PASSWORD_FILE"
)

// crash runs the jobs of the database and says so when one runs.
func crash(url string) {
	ctx := context.Background()
	err := func() error {
		cfg := sqlkit.DefaultConfig(url)
		cfg.PasswordFile = os.Getenv(crashPassword)
		db, err := sqlkit.Open(ctx, cfg)
		if err != nil {
			return err
		}
		d, _ := deps(db, func(ctx context.Context, _ *river.Job[note]) error {
			_, err := os.Stdout.WriteString("running\n")
			<-ctx.Done()
			return err
		})
		j, err := jobs.New(quick(), d)
		if err != nil {
			return err
		}
		return j.Run(ctx)
	}()
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// later is a clock that is ahead of the machine's.
type later struct{ by time.Duration }

func (l later) Now() time.Time { return clock.System().Now().Add(l.by) }

// The process that runs a job is killed. Another one takes the lead when that of the dead has expired, and runs the job again.
func TestJobOfAKilledProcessRunsAgain(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]func(testing.TB) sqlkit.Config{sqltest.File: sqltest.FileConfig, sqltest.Postgres: sqltest.PostgresConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runAgain(t, config(t))
		})
	}
}

func runAgain(t *testing.T, cfg sqlkit.Config) {
	t.Helper()
	db := sqltest.Open(t, cfg)
	runs := newTally()
	d, _ := deps(db, runs.work)
	d.Clock = later{time.Minute} // the lease of the dead leader has run out
	rescuer := quick()
	rescuer.Timeout, rescuer.RescueAfter = 10*time.Millisecond, 20*time.Millisecond // River goes by the machine's clock here
	j := prepare(t, rescuer, d)
	id := enqueue(t, j, "survivor", &river.InsertOpts{ScheduledAt: time.Now().Add(-time.Hour)})

	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashURL+"="+cfg.URL, crashPassword+"="+cfg.PasswordFile)
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len("running\n"))
	if _, err := out.Read(line); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	if got := rowOf(t, db, id); got.state != "running" || got.attempt != 1 {
		t.Fatalf("after the crash: %+v", got)
	}
	start(t, j)
	runs.wait(t, 1)
	eventually(t, "end", func() bool { return rowOf(t, db, id).state == "completed" })
	if got := rowOf(t, db, id); got.attempt != 2 || runs.seen()["survivor"] != 1 {
		t.Errorf("at the end: %+v, ran %v", got, runs.seen())
	}
}
