package identity_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"

	"samvirke.dev/services/identity"
	"samvirke.dev/services/identity/internal/importer"
	"samvirke.dev/services/identity/synthetic"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/platform/suitetest"
)

// Two controllers can't join on their handles, and neither can use the other's.
//
// covers: SEC-04
func TestHandlesArePairwise(t *testing.T) {
	t.Parallel()
	w := start(t)
	people := []string{}
	for i := range 4 {
		w.load(line(i))
		people = append(people, line(i).Number)
	}
	seen := map[string]string{}
	for _, org := range []string{fundDK, fundSE, otherFund, agency} {
		c := w.as(org)
		for _, p := range people {
			h := c.handle(p)
			if first, ok := seen[h]; ok {
				t.Errorf("%s and %s have the same handle", first, org)
			}
			seen[h] = org
			if again := c.handle(p); again != h {
				t.Errorf("%s got another handle at the second time", org)
			}
			if strings.Contains(h, p[3:]) || len(h) < 16 {
				t.Errorf("handle %q", h)
			}
		}
	}
	for _, org := range []string{fundDK, fundSE, otherFund, agency} {
		c := w.as(org)
		for h, owner := range seen {
			_, err := c.address(h)
			_, err2 := c.level(h)
			if owner == org {
				if err != nil || err2 != nil {
					t.Errorf("%s with its own handle: %v, %v", org, err, err2)
				}
				continue
			}
			want(t, err, codes.NotFound, "SUBJECT_NOT_FOUND")
			want(t, err2, codes.NotFound, "SUBJECT_NOT_FOUND")
		}
	}
}

// A handle is written down by the fund, so it outlives restarts and the rotation of every key behind it.
//
// covers: SEC-10
func TestHandlesOutliveRestartAndRotation(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]func(testing.TB) sqlkit.Config{sqltest.File: sqltest.FileConfig, sqltest.Postgres: sqltest.PostgresConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handlesOutlive(t, config(t))
		})
	}
}

func handlesOutlive(t *testing.T, config sqlkit.Config) {
	t.Helper()
	wrap := suitetest.NewLocalWrap()
	var first []string
	numbers := []string{line(0).Number, line(1).Number, line(2).Number}
	handles := func(c *client) (out []string) {
		for _, n := range numbers[:2] {
			out = append(out, c.handle(n))
		}
		return out
	}
	// Each run is a server of its own over the database that the one before left.
	run := func(name string, do func(t *testing.T, w *world, c *client)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			w := start(t, on(sqltest.Open(t, config)), func(o *suitetest.Options, _ *identity.Config) { o.Wrap = wrap })
			do(t, w, w.as(fundDK))
		})
	}
	run("first", func(t *testing.T, w *world, c *client) {
		t.Helper()
		w.load(line(0), line(1), line(2))
		first = handles(c)
	})
	run("restarted", func(t *testing.T, w *world, c *client) {
		t.Helper()
		if got := handles(c); !slices.Equal(got, first) {
			t.Errorf("after a restart %v, before %v", got, first)
		}
		for _, keyset := range []string{"handle.dk-10000009", "person.index", "person.seal", "audit.seal", "audit.subjects"} {
			must(t, w.Keys.Rotate(t.Context(), keyset))
		}
		checkRotated(t, c, handles(c), first, numbers[2])
	})
	run("restarted after the rotation", func(t *testing.T, w *world, c *client) {
		t.Helper()
		checkRotated(t, c, handles(c), first, numbers[2])
		if len(w.AllRecords()) < 10 { // also those that were sealed with the first key
			t.Error("records are missing")
		}
	})
}

func checkRotated(t *testing.T, c *client, got, first []string, late string) {
	t.Helper()
	if !slices.Equal(got, first) {
		t.Errorf("after rotation %v, before %v", got, first)
	}
	for _, h := range append(first, c.handle(late)) {
		if a, err := c.address(h); err != nil || a.GetAddress() == nil {
			t.Errorf("handle %s after rotation: %v, %v", h, a, err)
		}
	}
	if a, b := c.handle(late), first[0]; strings.Split(a, ".")[0] == strings.Split(b, ".")[0] {
		t.Error("a handle made after the rotation names the old key: nothing was rotated")
	}
}

// Look-ups that come together share a query; each caller must still get its own person and nobody else's.
func TestEveryCallerGetsItsOwnPerson(t *testing.T) {
	t.Parallel()
	const persons, workers, rounds = 40, 16, 15
	w := start(t)
	lines := make([]importer.Line, persons)
	for i, m := range synthetic.Members(persons) {
		lines[i] = lineOf(m)
		lines[i].Address.Lines = []string{fmt.Sprintf("Prøvevej %d", i)}
	}
	w.load(lines...)
	own, other := w.as(fundDK), w.as(otherFund)
	handles := make([]string, persons)
	for i, l := range lines {
		handles[i] = own.handle(l.Number)
	}
	var running sync.WaitGroup
	for n := range workers {
		running.Go(func() {
			for r := range rounds {
				i := (n*7 + r*11) % persons
				a, err := own.address(handles[i])
				if err != nil || len(a.GetAddress().GetLines()) != 1 || a.GetAddress().GetLines()[0] != lines[i].Address.Lines[0] {
					t.Errorf("person %d: %v, %v", i, a.GetAddress(), err)
				}
				if v, err := own.verify(lines[i].Number, "", lines[i].BirthDate); err != nil || v != match {
					t.Errorf("person %d: %v, %v", i, v, err)
				}
				if v, err := own.verify(lines[i].Number, "", lines[(i+1)%persons].BirthDate); err != nil || v != noMatch {
					t.Errorf("person %d with another's birth date: %v, %v", i, v, err)
				}
				_, err = other.address(handles[i])
				want(t, err, codes.NotFound, "SUBJECT_NOT_FOUND")
			}
		})
	}
	running.Wait()
	if got, want := len(w.AllRecords()), persons+4*workers*rounds; got != want {
		t.Errorf("%d records, want %d", got, want)
	}
}

// Many callers at once who each make a change about a person whom only the register knew until then, and some about the same one: none is
// turned away with a conflict, each person gets one handle, and each call its one record. On PostgreSQL their transactions all read and
// write the same few pages.
func TestCrowdOfChangesAboutNewPersons(t *testing.T) {
	t.Parallel()
	sqltest.EachConfig(t, func(t *testing.T, config sqlkit.Config) {
		const callers, each = 64, 8
		const persons = callers * each / 2 // two calls for each
		w, se, dk, _ := live(t, on(sqltest.Open(t, config)))
		people := synthetic.Members(persons)
		for _, m := range people {
			map[string]*register{"SE": se, "DK": dk}[m.Country].put(t, m.Number, nil)
		}
		clients := []*client{w.as(fundDK), w.as(fundDK), w.as(fundDK), w.as(fundDK)}
		got := make([]string, callers*each)
		var running sync.WaitGroup
		for caller := range callers {
			running.Go(func() {
				for i := caller; i < len(got); i += callers {
					var err error
					if got[i], err = clients[i%len(clients)].resolve(people[i%persons].Number); err != nil {
						t.Errorf("call %d: %v", i, err)
					}
				}
			})
		}
		running.Wait()
		different := map[string]bool{}
		for i, handle := range got {
			different[handle] = true
			if handle != got[i%persons] {
				t.Errorf("two handles for person %d", i%persons)
			}
		}
		if len(different) != persons {
			t.Errorf("%d handles for %d persons", len(different), persons)
		}
		if records := len(w.AllRecords()); records != len(got) {
			t.Errorf("%d records of %d calls", records, len(got))
		}
	})
}
