package upkeep_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr/direkte"
	"samvirke.dev/services/identity/internal/upkeep"
	"samvirke.dev/services/platform/jobs"
)

const (
	one = "7403851013"
	two = "7403851021"
)

// Deliveries are applied in their order, each once, however often they lie there.
//
// covers: REG-02
func TestDeliveries(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.must(w.Deliveries(t.Context())) // an empty folder
	w.delivery("D261120", "2026-11-20", "", "Aarhus", one)
	w.delivery("D261123", "2026-11-23", "2026-11-20", "Odense", one, two)
	w.put(".D261124", []byte("half written"))
	if err := os.Mkdir(filepath.Join(w.dir, "D000000"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.must(w.Deliveries(t.Context()))
	if want := []string{"Aarhus", "Odense", "Odense"}; !slices.Equal(w.cases.cities, want) || w.ledger.last != on(t, "2026-11-23") {
		t.Errorf("applied %v, last %v", w.cases.cities, w.ledger.last)
	}
	// What happened to somebody without being told whole is asked for.
	if want := []string{"DK:6404720055", "DK:6404720055"}; !slices.Equal(w.cases.recheck, want) {
		t.Errorf("rechecked %d", len(w.cases.recheck))
	}
	before := w.cases.count()
	w.must(w.Deliveries(t.Context()))
	w.delivery("D261123-again", "2026-11-23", "2026-11-20", "Odense", one, two)
	w.delivery("D261124-with the date of yesterday", "2026-11-22", "2026-11-20", "Odense", one)
	w.must(w.Deliveries(t.Context()))
	if w.cases.count() != before {
		t.Error("a delivery was applied again")
	}
	if n := w.counted("samvirke.identity.followed.persons", "CPR", "changed"); n != 3 {
		t.Errorf("counted %v", n)
	}
}

// A delivery that is not sound is refused whole: nothing of it and nothing behind it is applied, the good state stays, and once a sound one
// lies in its place the work goes on.
//
// covers: REG-02
func TestBadDeliveries(t *testing.T) {
	t.Parallel()
	good := written(t, "2026-11-23", "2026-11-20", "Odense", one, two)
	for name, c := range map[string]struct {
		raw  []byte
		says string
	}{
		"cut off":    {good[:len(good)/2], "line"},
		"a line out": {bytes.Replace(good, []byte("008"+two), []byte("018"+two), 1), "line"},
		"doubled":    {append(bytes.Clone(good), good...), "line"},
		"empty":      {nil, "line 1"},
		"corrupted":  {bytes.Replace(good, []byte("001"+two), []byte("001"+"74038x1021"), 1), "line"},
		"a gap":      {written(t, "2026-11-23", "2026-11-21", "Odense", one), direkte.ErrGap.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			w.delivery("D261120", "2026-11-20", "", "Aarhus", one)
			w.put("D261123", c.raw)
			w.delivery("D261124", "2026-11-24", "2026-11-23", "Randers", one)
			for range 2 {
				w.put("D261123", c.raw) // another state of the file: it is told again
				err := w.Deliveries(t.Context())
				if err == nil || !strings.Contains(err.Error(), "D261123") || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("got %v", err)
				}
				if strings.Contains(err.Error(), two) || strings.Contains(err.Error(), "Odense") {
					t.Errorf("the error shows what the delivery holds: %v", err)
				}
				// As long as nobody touches it, it is not told again, and nothing behind it is looked at.
				w.must(w.Deliveries(t.Context()))
			}
			if !slices.Equal(w.cases.cities, []string{"Aarhus"}) || w.ledger.last != on(t, "2026-11-20") {
				t.Errorf("applied %v, last %v", w.cases.cities, w.ledger.last)
			}
			if n := w.counted("samvirke.identity.deliveries", "", "refused"); n != 4 {
				t.Errorf("counted %v", n)
			}
			w.put("D261123", good)
			w.must(w.Deliveries(t.Context()))
			if want := []string{"Aarhus", "Odense", "Odense", "Randers"}; !slices.Equal(w.cases.cities, want) {
				t.Errorf("then applied %v", w.cases.cities)
			}
		})
	}
}

// A delivery that came too early is applied when the missing one has come, though nobody touched it; a fault of ours is told each time.
//
// covers: REG-02
func TestRefusedDeliveryIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.delivery("D261120", "2026-11-20", "", "Aarhus", one)
	w.delivery("D261124", "2026-11-24", "2026-11-23", "Randers", one)
	if err := w.Deliveries(t.Context()); !errors.Is(err, direkte.ErrGap) {
		t.Fatalf("got %v", err)
	}
	w.must(w.Deliveries(t.Context()))
	w.delivery("D261123", "2026-11-23", "2026-11-20", "Odense", one)
	w.cases.fail = 2
	for range 2 {
		if err := w.Deliveries(t.Context()); !errors.Is(err, errBroken) {
			t.Fatalf("got %v", err)
		}
		w.cases.fail++
	}
	w.cases.fail = 0
	w.must(w.Deliveries(t.Context()))
	if last := w.ledger.last; last != on(t, "2026-11-24") {
		t.Errorf("last applied is %v", last)
	}
	if n := w.counted("samvirke.identity.deliveries", "", "applied"); n != 3 {
		t.Errorf("counted %v applied", n)
	}
}

// When the work is cut off half-way the delivery counts as not applied, and is applied again from its beginning.
//
// covers: REG-02
func TestHalfAppliedDelivery(t *testing.T) {
	t.Parallel()
	w := start(t)
	numbers := make([]string, 0, 1200)
	for i := 0; len(numbers) < cap(numbers); i++ {
		numbers = append(numbers, fmt.Sprintf("%02d%02d85%04d", 61+i%28, 1+i/28%12, i/336))
	}
	w.delivery("D261123", "2026-11-23", "", "Odense", numbers...)
	w.cases.fail = 2
	if err := w.Deliveries(t.Context()); !errors.Is(err, errBroken) || !w.ledger.last.IsZero() {
		t.Fatalf("%v, last %v", err, w.ledger.last)
	}
	w.cases.applied = nil
	w.cases.fail = 0
	w.must(w.Deliveries(t.Context()))
	if w.cases.count() != len(numbers) || w.ledger.last != on(t, "2026-11-23") || len(w.cases.applied) != 3 {
		t.Errorf("applied %d in %d goes, last %v", w.cases.count(), len(w.cases.applied), w.ledger.last)
	}
	w.ledger.err = errBroken
	if err := w.Deliveries(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("without a ledger: %v", err)
	}
}

func TestFolderGone(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *upkeep.Config) { c.Deliveries = filepath.Join(c.Deliveries, "no such folder") })
	if err := w.Deliveries(t.Context()); err == nil {
		t.Error("no folder and no error")
	}
}

// Everybody who is due is asked for, until nobody is or the register gives no answer.
func TestPoll(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		polls []core.Polled
		err   error
		want  int
	}{
		"nobody due":          {nil, nil, 1},
		"three goes":          {[]core.Polled{{Asked: 10, Applied: core.Applied{Changed: 4}}, {Asked: 10}, {Asked: 9}}, nil, 3},
		"no answer":           {[]core.Polled{{Asked: 10, Failed: 10, Unavailable: true}, {Asked: 10}}, nil, 1},
		"some are not there":  {[]core.Polled{{Asked: 10, Failed: 3}, {}}, nil, 2},
		"a fault of ours":     {nil, errBroken, 1},
		"a fault after a go ": {[]core.Polled{{Asked: 10}}, errBroken, 2},
	} {
		w := start(t)
		w.cases.polls, w.cases.pollErr = c.polls, c.err
		err := w.Poll(t.Context(), nationalid.Sweden)
		if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) || w.cases.polled != c.want {
			t.Errorf("%s: %d goes, %v", name, w.cases.polled, err)
		}
		if name == "three goes" && w.counted("samvirke.identity.followed.persons", "SPAR", "changed") != 4 {
			t.Error("not counted")
		}
		if name == "no answer" && (w.counted("samvirke.identity.followed.persons", "SPAR", "failed") != 10 || !strings.Contains(w.log.String(), "SPAR")) {
			t.Errorf("not counted or not told: %s", w.log.String())
		}
	}
	w := start(t, func(c *upkeep.Config) { delete(c.Polling, nationalid.Denmark) })
	w.must(w.Poll(t.Context(), nationalid.Denmark))
	if w.cases.polled != 0 {
		t.Error("a register that is not connected was asked")
	}
}

// How old a copy may be is said again and again, and nothing is believed that can't be told.
func TestLook(t *testing.T) {
	t.Parallel()
	const fresh = 26 * time.Hour // as old as a copy gets, and as long as somebody may be due
	for name, c := range map[string]struct {
		bend   func(*world)
		se, dk time.Duration
	}{
		"all well":              {func(*world) {}, fresh, fresh},
		"a little behind":       {func(w *world) { w.cases.overdue[nationalid.Sweden] = 119 * time.Minute }, fresh, fresh},
		"SPAR far behind":       {func(w *world) { w.cases.overdue[nationalid.Sweden] = 2 * time.Hour }, 0, fresh},
		"CPR far behind":        {func(w *world) { w.cases.overdue[nationalid.Denmark] = 2 * time.Hour }, fresh, 0},
		"no delivery yet":       {func(w *world) { w.ledger.last = civil.Date{} }, fresh, 0},
		"an old delivery":       {func(w *world) { w.clock.Advance(72 * time.Hour) }, fresh, 0},
		"ledger broken":         {func(w *world) { w.ledger.err = errBroken }, fresh, 0},
		"database broken":       {func(w *world) { w.cases.lagErr = errBroken }, 0, 0},
		"the clock jumps back":  {func(w *world) { w.clock.Advance(-48 * time.Hour) }, fresh, fresh},
		"the clock jumps ahead": {func(w *world) { w.clock.Advance(480 * time.Hour) }, fresh, 0},
	} {
		w := start(t)
		w.ledger.last = on(t, "2026-11-23")
		w.Look(t.Context())
		c.bend(w)
		w.Look(t.Context())
		if w.ages[nationalid.Sweden] != c.se || w.ages[nationalid.Denmark] != c.dk {
			t.Errorf("%s: %v", name, w.ages)
		}
	}
	w := start(t, func(c *upkeep.Config) { c.Deliveries = "" })
	w.cases.overdue[nationalid.Sweden] = time.Minute
	w.Look(t.Context())
	if w.ages[nationalid.Denmark] != fresh {
		t.Errorf("without deliveries: %v", w.ages)
	}
	if n := w.counted("samvirke.identity.followed.behind", "SPAR", ""); n != 60 {
		t.Errorf("behind by %v", n)
	}
}

func TestTidy(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.must(w.Tidy(t.Context()))
	if w.cases.ended != 1 || w.cases.forgot != 90*24*time.Hour || !strings.Contains(w.log.String(), "tidied") {
		t.Errorf("%+v", w.cases)
	}
	w.cases.tidyErrs = [2]error{errBroken, nil}
	if err := w.Tidy(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
}

// Arguments of jobs lie in the database in clear.
func TestArgumentsAreImpersonal(t *testing.T) {
	t.Parallel()
	kinds := map[string]bool{}
	for _, a := range upkeep.Args() {
		kinds[a.Kind()] = true
		if err := jobs.CheckArgs(a); err != nil {
			t.Error(err)
		}
	}
	w := start(t)
	if w.Workers() == nil || len(w.Periodic()) != 4 || len(kinds) != 3 {
		t.Errorf("%d periodic jobs, kinds %v", len(w.Periodic()), kinds)
	}
	w = start(t, func(c *upkeep.Config) { c.Deliveries, c.Polling = "", nil })
	if len(w.Periodic()) != 1 {
		t.Errorf("%d periodic jobs without registers", len(w.Periodic()))
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := upkeep.New(upkeep.Config{}, upkeep.Deps{}); err == nil {
		t.Error("made of nothing")
	}
}
