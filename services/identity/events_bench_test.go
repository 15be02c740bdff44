package identity_test

import (
	"context"
	"runtime"
	"strconv"
	"testing"
	"time"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/synthetic"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// How many events are applied in one transaction, and about how many persons.
const (
	eventBatch   = 500
	eventPersons = 2000
)

// BenchmarkAddressEvents applies changes of address, 500 to an iteration, beside bare multi-row inserts of rows of the same size: those
// of the person and of the change. A million events are
//
//	go test ./identity -run - -bench AddressEvents -benchtime 2000x
func BenchmarkAddressEvents(b *testing.B) {
	b.Run("applied", func(b *testing.B) {
		w, events := followedPersons(b)
		now := w.clock.Now()
		rate(b, func(round int) {
			batch := make([]*core.Person, eventBatch)
			for i := range batch {
				p := events[(round*eventBatch+i)%len(events)]
				p.Address = &core.Address{Lines: []string{"Nygatan " + strconv.Itoa(round)}, PostalCode: "00000", City: "Provstad", Country: "SE"}
				p.RegisterTime = now.Add(time.Duration(round) * time.Second)
				batch[i] = &p
			}
			done, err := w.parts.Service().Apply(b.Context(), batch)
			if must(b, err); done.Changed != eventBatch {
				b.Fatalf("%+v", done)
			}
		})
	})
	b.Run("bare", func(b *testing.B) {
		db := sqltest.Open(b, sqltest.FileConfig(b))
		for _, table := range []string{
			"CREATE TABLE bare_person (id BIGINT PRIMARY KEY, blind_index BLOB, index_version BIGINT, sealed BLOB, register_time BIGINT, written_at BIGINT)",
			"CREATE TABLE bare_change (seq BIGINT PRIMARY KEY, controller TEXT, person_id BIGINT, kind BIGINT, created_at BIGINT)",
		} {
			_, err := db.Exec(b.Context(), table)
			must(b, err)
		}
		index, sealed := make([]byte, 20), make([]byte, 330)
		rate(b, func(round int) {
			must(b, db.InTx(b.Context(), func(ctx context.Context) error {
				var persons, changes []any
				for i := range eventBatch {
					id := int64(round*eventBatch + i)
					persons = append(persons, id, index, int64(1), sealed, id, id)
					changes = append(changes, id, fundSE, id, int64(2), id)
				}
				if _, err := db.InsertRows(ctx, "INSERT INTO bare_person (id, blind_index, index_version, sealed, register_time, written_at) VALUES", 6, persons); err != nil {
					return err
				}
				_, err := db.InsertRows(ctx, "INSERT INTO bare_change (seq, controller, person_id, kind, created_at) VALUES", 5, changes)
				return err
			}))
		})
	})
}

// rate reports events per second, and how much the heap grew.
func rate(b *testing.B, round func(n int)) {
	b.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n := 0
	for b.Loop() {
		round(n)
		n++
	}
	b.ReportMetric(float64(n*eventBatch)/b.Elapsed().Seconds(), "events/s")
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/(1<<20), "MiB-grown")
}

// followedPersons starts the service with persons whom a fund follows, and returns what the register tells of them.
func followedPersons(b *testing.B) (*world, []core.Person) {
	b.Helper()
	se := newRegister(&shifted{})
	w := startLive(b, map[nationalid.Country]core.Register{nationalid.Sweden: se}, on(sqltest.Open(b, sqltest.FileConfig(b))))
	c := w.as(fundSE)
	out := make([]core.Person, 0, eventPersons)
	generator := synthetic.NewGenerator()
	for len(out) < eventPersons {
		m := generator.Next()
		if m.Country != "SE" {
			continue
		}
		number := m.Number
		se.put(b, number, nil)
		c.subscribe(c.handle(number), "m", w.today())
		out = append(out, se.persons[number])
	}
	w.poll(b, nationalid.Sweden)
	return w, out
}
