package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"samvirke.dev/deploy/internal/stack"
)

// envKills says how many times TestLedgerThroughKills kills something; few unless it is set.
const envKills = "SAMVIRKE_TEST_KILLS"

func audited(_ *testing.T, c *setup) { c.only = []string{stack.IdentityName, stack.AuditName} }

// TestLedgerThroughKills ends the audit service, a sender and both as a power cut would, in turn, while calls run. Every exchange that
// somebody saw answered is in the ledger afterwards, once, and samvirke-verify finds the ledger whole.
//
// covers: SEC-06 SEC-07
func TestLedgerThroughKills(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]option{"sqlite": sqlite, "postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, database, audited)
			var events []string
			for round := range kills(t) {
				victims := [][]string{{stack.AuditName}, {stack.IdentityName}, {stack.IdentityName, stack.AuditName}}[round%3]
				events = append(events, f.killDuringLoad(t, victims...)...)
				for _, v := range victims {
					must(t, f.Start(t.Context(), v))
				}
			}
			count := recordsOf(t, f, events) // waits until all are there
			for e, n := range count {
				if n != 1 {
					t.Errorf("event %s was acknowledged and has %d records", e, n)
				}
			}
			stands := f.stands(t, events)
			t.Logf("%d kills, %d acknowledged exchanges, %d in the ledger", kills(t), len(events), len(stands))
		})
	}
}

func kills(t *testing.T) int {
	t.Helper()
	text := os.Getenv(envKills)
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

// killDuringLoad kills services once enough was answered, and returns the events of all that was. When only the receiver of records dies, calls
// go on as if nothing were.
func (f *fixture) killDuringLoad(t *testing.T, victims ...string) []string {
	t.Helper()
	const enough = 150
	l := newLoad(f)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { l.run(ctx, 8, 0) })
	answered := func(n int64) func() bool {
		return func() bool { return l.answered.Load() >= n || l.failures() != nil }
	}
	eventually(t, "answers under load", answered(enough))
	for _, v := range victims {
		f.Kill(v)
	}
	if len(victims) == 1 && victims[0] == stack.AuditName {
		eventually(t, "answers while no ledger is there", answered(l.answered.Load()+enough))
		must(t, l.failures())
	}
	cancel()
	wg.Wait()
	if len(l.events) < enough {
		t.Fatalf("only %d calls were answered: %v", len(l.events), l.failures())
	}
	return l.events
}

// stands waits until the ledger holds the events and demands that it holds each once; it returns how often each stands there.
func (f *fixture) stands(t *testing.T, events []string) (stands map[string]int) {
	t.Helper()
	eventually(t, "a checkpoint over every record", func() bool {
		stands = f.exported(t)
		return !slices.ContainsFunc(events, func(e string) bool { return stands[e] == 0 })
	})
	for e, n := range stands {
		if n != 1 {
			t.Errorf("event %s stands in the ledger %d times", e, n)
		}
	}
	return stands
}

// exported exports the ledger, has it verified, and counts its records by event.
func (f *fixture) exported(t *testing.T) map[string]int {
	t.Helper()
	program, err := stack.Build(t.Context(), stack.VerifyPackage, t.TempDir(), io.Discard)
	must(t, err)
	shards, err := os.ReadDir(filepath.Join(f.Dir(), "ledger"))
	must(t, err)
	out := map[string]int{}
	for _, s := range shards {
		dir := filepath.Join(t.TempDir(), s.Name())
		if _, err := f.Command(t.Context(), stack.AuditName, "export", s.Name(), dir); err != nil {
			t.Log(err) // its first checkpoint may be still to come
			return nil
		}
		said, err := exec.CommandContext(t.Context(), program, "ledger", "--keys", filepath.Join(dir, "keys"), dir).CombinedOutput()
		if err != nil {
			t.Fatalf("samvirke-verify: %v: %s", err, said)
		}
		count(t, filepath.Join(dir, "records.jsonl"), out)
	}
	return out
}

// count counts the records of an export by event and item.
func count(t *testing.T, file string, into map[string]int) {
	t.Helper()
	in, err := os.Open(file)
	must(t, err)
	defer func() { must(t, in.Close()) }()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r struct {
			EventID string `json:"eventId"`
			Item    int    `json:"item"`
		}
		must(t, json.Unmarshal(lines.Bytes(), &r))
		key := r.EventID
		if r.Item > 0 {
			key += "/" + strconv.Itoa(r.Item)
		}
		into[key]++
	}
	must(t, lines.Err())
}
