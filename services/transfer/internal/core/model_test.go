package core_test

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// tables are those that a sequence fills, in an order in which they can be emptied.
const tables = "transfer_message transfer_part transfer_detail transfer_event transfer_erasure transfer_case fund_period"

// players is how many play at once for each topology, each over databases of its own.
const players = 2

// checks is how many checks rapid makes, unless its own flag says otherwise.
const checks = 100

// model plays sequences, some in each of rapid's checks, and says how many there were.
func model(t *testing.T, sequences int, cfg func(testing.TB) sqlkit.Config, shared bool) (played int64) {
	t.Helper()
	clk := clock.NewFake(time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC))
	n := newSamvirke(t, clk, cfg(t), nord, syd, ett, tva)
	o := n
	if !shared {
		n = newSamvirke(t, clk, cfg(t), syd, tva)
		o = newSamvirke(t, clk, cfg(t), nord, ett)
	}
	allowed := edges()
	var moved, undone, wrong int
	rapid.Check(t, func(rt *rapid.T) {
		for range sequences {
			p := begin(t.Context(), rt, clk, n, o, allowed)
			for range rapid.IntRange(1, 24).Draw(rt, "length") {
				p.step()
			}
			p.check()
			p.heal()
			played++
			wrong += p.wrong
			if p.undone {
				undone++
			}
			if p.stateN == "EXIT_CONFIRMED" || p.stateN == "EFFECTIVE" {
				moved++
			}
		}
		// The sweeps look at all records, so those of sequences that are over would be looked at again and again.
		for _, s := range []*samvirke{n, o} {
			for table := range strings.FieldsSeq(tables) {
				_, err := s.db.Exec(t.Context(), "DELETE FROM "+table)
				must(rt, err)
			}
		}
	})
	t.Logf("%d sequences, %d of them moves, %d exits undone, %d acts of the wrong party refused", played, moved, undone, wrong)
	return played
}

// sequences is how many sequences are played on each database; SAMVIRKE_TRANSFER_SEQUENCES sets it for longer runs, such as the 10 000 of
// continuous integration.
func sequences(t *testing.T, usual int) int {
	t.Helper()
	if text := os.Getenv("SAMVIRKE_TRANSFER_SEQUENCES"); text != "" {
		n, err := strconv.Atoi(text)
		must(t, err)
		return n
	}
	return usual
}

// Random commands of both parties over a network that loses, doubles, delays and replays: never an illegal step, never two funds on a day
// and never none, and once the network is whole both parties agree.
//
// covers: DFH-05 SEK-24 REG-06
func TestModel(t *testing.T) {
	t.Parallel()
	for _, on := range []struct {
		name  string
		cfg   func(testing.TB) sqlkit.Config
		usual int
	}{{"SQLite", sqltest.MemoryConfig, 400}, {"PostgreSQL", sqltest.PostgresConfig, 200}} {
		t.Run(on.name, func(t *testing.T) {
			t.Parallel()
			var played atomic.Int64
			want := sequences(t, on.usual)
			each := max(1, (want+2*players*checks-1)/(2*players*checks))
			t.Cleanup(func() {
				if !t.Failed() && !t.Skipped() && played.Load() < int64(want) {
					t.Errorf("%d sequences, want %d", played.Load(), want)
				}
			})
			for i := range 2 * players {
				t.Run([]string{"one Samvirke", "two Samvirkes"}[i%2]+" "+strconv.Itoa(i/2+1), func(t *testing.T) {
					t.Parallel()
					played.Add(model(t, each, on.cfg, i%2 == 0))
				})
			}
		})
	}
}
