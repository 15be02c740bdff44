package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"samvirke.dev/services/identity/internal/store"
)

func endedContext(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.ByIndex(ctx, []store.Index{IndexOf(1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("by index: %v", err)
	}
	if _, err := s.Put(ctx, []store.Entry{entry(1, "one")}, Moment(0)); !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v", err)
	}
	wantNobody(t, s, 1)
}

func concurrent(t *testing.T, s store.Store) {
	put(t, s, entry(1, "one"))
	id := want(t, s, 1, "one").ID
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if got, err := s.KeepHandle(t.Context(), "DK:10000009", "h", id, Moment(0)); got != "h" || err != nil {
					t.Errorf("%s, %v", got, err)
				}
				if _, err := s.ByHandle(t.Context(), "DK:10000009", "h"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func concurrentPut(t *testing.T, s store.Store) {
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			e := entry(1, "one")
			e.RegisterTime = Moment(i)
			if _, err := s.Put(t.Context(), []store.Entry{e}, Moment(9)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	want(t, s, 1, "one")
	if n, _ := s.Count(t.Context()); n != 1 {
		t.Errorf("%d persons", n)
	}
}
