package sqlkit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// gated is a flush that waits for permission and remembers what it got.
type gated struct {
	mu      sync.Mutex
	batches [][]int
	permit  chan error
}

func (g *gated) flush(_ context.Context, items []int) error {
	g.mu.Lock()
	g.batches = append(g.batches, slices.Clone(items))
	g.mu.Unlock()
	return <-g.permit
}

func closeBatcher[T any](t *testing.T, b *sqlkit.Batcher[T]) {
	t.Helper()
	if err := b.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestBatcherTakesWhatIsQueued(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gated{permit: make(chan error)}
		b := sqlkit.NewBatcher(t.Context(), sqlkit.BatchConfig{MaxBatch: 4}, g.flush)
		results := make([]error, 8)
		for i := range results {
			go func() { results[i] = b.Add(t.Context(), i) }()
			synctest.Wait()
		}
		failure := errors.New("second batch")
		g.permit <- nil
		g.permit <- failure
		g.permit <- nil
		synctest.Wait()
		if want := [][]int{{0}, {1, 2, 3, 4}, {5, 6, 7}}; !slices.EqualFunc(g.batches, want, slices.Equal) {
			t.Errorf("batches %v, want %v", g.batches, want)
		}
		for i, err := range results {
			if failed := i >= 1 && i <= 4; failed != errors.Is(err, failure) {
				t.Errorf("item %d: %v", i, err)
			}
		}
		closeBatcher(t, b)
	})
}

func TestBatcherHoldsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gated{permit: make(chan error)}
		b := sqlkit.NewBatcher(t.Context(), sqlkit.BatchConfig{MaxBatch: 2, MaxQueue: 2}, g.flush)
		var done sync.WaitGroup
		for i := range 3 { // one is being flushed, two wait: the queue is full
			done.Go(func() {
				if err := b.Add(t.Context(), i); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(t.Context())
		refused := make(chan error, 1)
		go func() { refused <- b.Add(ctx, 99) }()
		done.Go(func() {
			if err := b.Add(t.Context(), 3); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		cancel()
		if err := <-refused; !errors.Is(err, context.Canceled) {
			t.Errorf("waiting for room: %v", err)
		}
		close(g.permit)
		done.Wait()
		closeBatcher(t, b)
		if all := slices.Concat(g.batches...); !slices.Equal(all, []int{0, 1, 2, 3}) {
			t.Errorf("wrote %v", all)
		}
	})
}

func TestBatcherContextOfACaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gated{permit: make(chan error)}
		b := sqlkit.NewBatcher(t.Context(), sqlkit.BatchConfig{}, g.flush)
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() { gone <- b.Add(ctx, 1) }()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		close(g.permit) // and the item is written all the same
		closeBatcher(t, b)
		if len(g.batches) != 1 {
			t.Errorf("batches %v", g.batches)
		}
		if err := b.Add(ctx, 2); !errors.Is(err, context.Canceled) {
			t.Errorf("ended context: %v", err)
		}
	})
}

func TestBatcherSurvivesPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		boom := true
		b := sqlkit.NewBatcher(t.Context(), sqlkit.BatchConfig{}, func(context.Context, []int) error {
			if boom {
				boom = false
				panic("person " + canary)
			}
			return nil
		})
		err := b.Add(t.Context(), 1)
		p, ok := errors.AsType[*sqlkit.PanicError](err)
		if !ok || len(p.Stack) == 0 || strings.Contains(err.Error(), canary) {
			t.Errorf("got %v", err)
		}
		if err := b.Add(t.Context(), 2); err != nil {
			t.Errorf("after the panic: %v", err)
		}
		closeBatcher(t, b)
	})
}

func TestBatcherCloseDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gated{permit: make(chan error)}
		b := sqlkit.NewBatcher(t.Context(), sqlkit.BatchConfig{MaxBatch: 1, MaxQueue: 3}, g.flush)
		results := make(chan error, 5)
		for i := range 5 { // 0 is being flushed, 1 to 3 wait in the queue, 4 waits for room
			go func() { results <- b.Add(t.Context(), i) }()
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Close(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("impatient close: %v", err)
		}
		close(g.permit)
		closeBatcher(t, b)
		closeBatcher(t, b)
		accepted := 0
		for range 5 {
			switch err := <-results; {
			case err == nil:
				accepted++
			case !errors.Is(err, sqlkit.ErrClosed):
				t.Errorf("got %v", err)
			}
		}
		if accepted != 4 || len(g.batches) != 4 {
			t.Errorf("%d accepted, %d written, want 4", accepted, len(g.batches))
		}
		if err := b.Add(t.Context(), 9); !errors.Is(err, sqlkit.ErrClosed) {
			t.Errorf("add after close: %v", err)
		}
	})
}

// Every acknowledged item is in the database exactly once.
func TestBatcherIntoDatabase(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		b := sqlkit.NewBatcher(t.Context(), sqlkit.BatchConfig{MaxBatch: 50, MaxQueue: 60}, func(ctx context.Context, items []int) error {
			args := make([]any, 0, 2*len(items))
			for _, id := range items {
				args = append(args, id, fmt.Sprint("fund ", id))
			}
			return db.InTx(ctx, func(ctx context.Context) error {
				_, err := db.InsertRows(ctx, "INSERT INTO fund (id, name) VALUES", 2, args)
				return err
			})
		})
		const workers, each = 64, 10
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := range each {
					if err := b.Add(t.Context(), w*each+i); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		closeBatcher(t, b)
		if n := count(t, db, "fund"); n != workers*each {
			t.Errorf("%d rows, want %d", n, workers*each)
		}
	})
}
