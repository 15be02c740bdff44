package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/platform/suitetest"
)

// receiver is a ledger that keeps each event once.
type receiver struct {
	mu     sync.Mutex
	order  []string
	times  map[string]int
	before func(n int) error // before anything is kept, told the number of the batch
	after  func(n int) error // when all is kept and the answer is lost
	calls  int
}

// Ship implements audit.Sink.
func (r *receiver) Ship(_ context.Context, batches [][][]byte) (int, error) {
	for i, records := range batches {
		if err := r.take(records); err != nil {
			return i, err
		}
	}
	return len(batches), nil
}

func (r *receiver) take(records [][]byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.before != nil {
		if err := r.before(r.calls); err != nil {
			return err
		}
	}
	var events []string
	for _, raw := range records {
		rec := &auditv1.Record{}
		if err := proto.Unmarshal(raw, rec); err != nil {
			return err
		}
		if rec.GetRpc() == "refused" {
			return errs.New(commonv1.Reason_REASON_RECORD_INVALID)
		}
		events = append(events, rec.GetEventId())
	}
	for _, e := range events {
		if r.times == nil {
			r.times = map[string]int{}
		}
		if r.times[e]++; r.times[e] == 1 {
			r.order = append(r.order, e)
		}
	}
	if r.after != nil {
		return r.after(r.calls)
	}
	return nil
}

func shipper(t testing.TB, b *bench, sink audit.Sink, logs *suitetest.SafeBuffer) *audit.Shipper {
	t.Helper()
	seal, err := b.ring.AEAD("audit.seal")
	if err != nil {
		t.Fatal(err)
	}
	return audit.NewShipper(b.db, seal, sink, slog.New(slog.NewTextHandler(logs, nil)))
}

// write puts entries into the outbox.
func (b *bench) write(t *testing.T, from, to int, edits ...func(*audit.Entry)) {
	t.Helper()
	for i := from; i < to; i++ {
		e := full(t)
		e.EventID = "event-" + strconv.Itoa(i)
		for _, edit := range edits {
			edit(e)
		}
		must(t, b.CloseRead(t.Context(), e))
	}
}

func (b *bench) left(t *testing.T) int {
	t.Helper()
	return len(all(t, b.reader, 500))
}

// drain ships until nothing moves any more.
func drain(t *testing.T, s *audit.Shipper) {
	t.Helper()
	for {
		n, err := s.Once(t.Context())
		must(t, err)
		if n == 0 {
			return
		}
	}
}

func TestShipping(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		b := open(t, db)
		b.write(t, 0, 600)
		r := &receiver{}
		s := shipper(t, b, r, &suitetest.SafeBuffer{})
		drain(t, s)
		b.write(t, 600, 610)
		drain(t, s)
		if len(r.order) != 610 || b.left(t) != 0 {
			t.Fatalf("%d arrived, %d left", len(r.order), b.left(t))
		}
		for i, e := range r.order {
			if e != "event-"+strconv.Itoa(i) {
				t.Fatalf("place %d is %s", i, e)
			}
		}
	})
}

// A record in the way of others waits alone, and is told of.
func TestRefusedRecordWaitsAlone(t *testing.T) {
	t.Parallel()
	b := memory(t)
	b.write(t, 0, 5)
	b.write(t, 5, 6, func(e *audit.Entry) { e.RPC = "refused" })
	b.write(t, 6, 10)
	r, logs := &receiver{}, &suitetest.SafeBuffer{}
	s := shipper(t, b, r, logs)
	drain(t, s)
	if len(r.order) != 9 || b.left(t) != 1 || !bytes.Contains([]byte(logs.String()), []byte("stays in the outbox")) {
		t.Errorf("%d arrived, %d left, log %s", len(r.order), b.left(t), logs)
	}
	b.write(t, 10, 12)
	drain(t, s)
	if len(r.order) != 11 {
		t.Errorf("%d arrived behind the refused one", len(r.order))
	}
}

// A crowd's records share rows; one of them that is refused waits alone, and the others of its row arrive once.
func TestRefusedRecordOfAGroup(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		b := open(t, db)
		e := &audit.Entry{EventID: "many", RPC: "refused", Started: started()}
		must(t, b.CloseRead(t.Context(), e))
		var crowd sync.WaitGroup
		for i := range 300 {
			crowd.Go(func() {
				e := full(t)
				if e.EventID = "event-" + strconv.Itoa(i); i%100 == 7 {
					e.RPC = "refused"
				}
				if err := b.CloseRead(t.Context(), e); err != nil {
					t.Error(err)
				}
			})
		}
		crowd.Wait()
		r := &receiver{}
		s := shipper(t, b, r, &suitetest.SafeBuffer{})
		drain(t, s)
		drain(t, s)
		if len(r.order) != 297 || b.left(t) != 4 {
			t.Errorf("%d arrived, %d left", len(r.order), b.left(t))
		}
		for event, times := range r.times {
			if times != 1 {
				t.Errorf("%s arrived %d times", event, times)
			}
		}
	})
}

// The records of a call about very many persons take several rows and several messages, and none is lost.
func TestLargeEntries(t *testing.T) {
	t.Parallel()
	b := memory(t)
	const persons = 2000
	e := full(t)
	for i := range persons {
		audit.Subject(audit.WithItem(audit.With(t.Context(), e), i), strconv.Itoa(i), false)
	}
	must(t, b.CloseRead(t.Context(), e))
	if got := b.left(t); got != persons {
		t.Fatalf("%d records", got)
	}
	r := &receiver{}
	drain(t, shipper(t, b, r, &suitetest.SafeBuffer{}))
	if r.times["event-1"] != persons || r.calls < 2 || b.left(t) != 0 {
		t.Errorf("%d arrived in %d messages, %d left", r.times["event-1"], r.calls, b.left(t))
	}
}

// Whatever fails in between, each record arrives and none leaves the outbox before it has.
func TestShippingThroughFaults(t *testing.T) {
	t.Parallel()
	b := memory(t)
	next := 0
	rapid.Check(t, func(rt *rapid.T) {
		faults := rapid.SliceOfN(rapid.IntRange(0, 2), 1, 12).Draw(rt, "faults")
		fault := func(kind int) func(int) error {
			return func(n int) error {
				if n <= len(faults) && faults[n-1] == kind {
					return errors.New("away")
				}
				return nil
			}
		}
		r := &receiver{before: fault(1), after: fault(2)}
		first := next
		next += rapid.IntRange(1, 40).Draw(rt, "records")
		b.write(t, first, next)
		s := shipper(t, b, r, &suitetest.SafeBuffer{})
		for range len(faults) + 2 {
			if _, err := s.Once(t.Context()); err != nil && len(r.order)+b.left(t) < next-first {
				rt.Fatal("a record left the outbox before it had arrived")
			}
		}
		if len(r.order) != next-first || b.left(t) != 0 {
			rt.Fatalf("%d of %d arrived, %d left", len(r.order), next-first, b.left(t))
		}
	})
}

// On PostgreSQL a transaction that began before what was shipped may commit after it. Its record must not be missed, nor deleted unseen.
func TestLateCommit(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t, sqltest.PostgresConfig(t))
	b := open(t, db)
	r := &receiver{}
	s := shipper(t, b, r, &suitetest.SafeBuffer{})
	for round := range 5 {
		inside, goOn := make(chan struct{}), make(chan struct{})
		var late sync.WaitGroup
		late.Go(func() {
			err := db.InTx(t.Context(), func(ctx context.Context) error {
				e := full(t)
				e.EventID = fmt.Sprintf("late-%d", round)
				if err := b.CloseChange(ctx, e); err != nil {
					return err
				}
				close(inside)
				<-goOn
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-inside
		b.write(t, round*10, round*10+10)
		drain(t, s) // ships what came after, while the late one is not committed
		close(goOn)
		late.Wait()
		drain(t, s)
	}
	if len(r.order) != 55 || b.left(t) != 0 {
		t.Errorf("%d of 55 arrived, %d left", len(r.order), b.left(t))
	}
}

// Of replicas that share an outbox one ships at a time; when it is done or gone, another does.
func TestOneReplicaShips(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t, sqltest.PostgresConfig(t))
	b := open(t, db)
	b.write(t, 0, 10)
	shipping, go1 := make(chan struct{}), make(chan struct{})
	first := &receiver{before: func(int) error { close(shipping); <-go1; return nil }}
	second := &receiver{}
	one, two := shipper(t, b, first, &suitetest.SafeBuffer{}), shipper(t, b, second, &suitetest.SafeBuffer{})
	done := make(chan error, 1)
	go func() { _, err := one.Once(t.Context()); done <- err }()
	<-shipping
	n, err := two.Once(t.Context())
	must(t, err)
	if n != 0 || second.calls != 0 {
		t.Errorf("the second shipped %d while the first was at it", n)
	}
	close(go1)
	must(t, <-done)
	b.write(t, 10, 15)
	drain(t, two)
	if len(first.order) != 10 || len(second.order) != 5 || b.left(t) != 0 {
		t.Errorf("%d by the first, %d by the second, %d left", len(first.order), len(second.order), b.left(t))
	}
}
