package core

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// Batch is many persons whom a caller asks about in one go.
type Batch struct {
	Handles []string
	// Item returns the context in which person i (from 0) is handled, so that it leaves a record of its own.
	Item func(ctx context.Context, i int) context.Context
}

// ProtectionStatuses is ProtectionStatus for many, in their order; nil stands for somebody who is unknown to the caller or must look so.
// Errors: ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) ProtectionStatuses(ctx context.Context, c Caller, b Batch) ([]*StatusAnswer, error) {
	out := make([]*StatusAnswer, len(b.Handles))
	err := s.each(ctx, c, b, func(_ context.Context, i int, f Found, a access) {
		answer := statusOf(f, a)
		out[i] = &answer
	})
	return out, err
}

// PostalAddresses is PostalAddress for many, as ProtectionStatuses is. Errors: ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) PostalAddresses(ctx context.Context, c Caller, b Batch) ([]*AddressAnswer, error) {
	out := make([]*AddressAnswer, len(b.Handles))
	err := s.each(ctx, c, b, func(ctx context.Context, i int, f Found, a access) {
		answer := addressOf(f, a)
		if answer.Address == nil {
			s.notes.NoAddress(ctx)
		}
		out[i] = &answer
	})
	return out, err
}

// askedAtOnce is how many persons of a batch are asked for in registers at a time, half of those whom a register takes by default; without
// registers they go one by one, which is fastest.
const askedAtOnce = 32

// each looks all of them up in one go and hands on, from several goroutines, those whom the caller may know of.
func (s *Service) each(ctx context.Context, c Caller, b Batch, tell func(ctx context.Context, i int, f Found, a access)) error {
	found, err := s.persons.ByHandles(ctx, c.Controller, b.Handles)
	if err != nil {
		return fmt.Errorf("identity: look up by handles: %w", err)
	}
	items := make([]context.Context, len(found))
	for i := range items { // all of them first: the record grows with each
		items[i] = b.Item(ctx, i)
	}
	one := func(ctx context.Context, i int) error {
		f, a, err := s.seen(ctx, c, found[i])
		switch {
		case errors.Is(err, ErrNotFound):
			s.notes.Withheld(ctx)
		case err != nil:
			return err
		default:
			tell(ctx, i, f, a)
		}
		return nil
	}
	var all errgroup.Group
	all.SetLimit(askedAtOnce)
	for i := range found {
		if len(s.registers) > 0 {
			all.Go(func() error { return one(items[i], i) }) //nolint:contextcheck // an item's context is made of ours
		} else if err := one(items[i], i); err != nil { //nolint:contextcheck // as above
			return err
		}
	}
	return all.Wait()
}
