package sealed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/store"
	"samvirke.dev/services/platform/keys"
)

// ByRef implements core.Persons.
func (p *Persons) ByRef(ctx context.Context, ref int64) (core.Found, error) {
	row, err := p.store.ByID(ctx, ref)
	if err != nil {
		return core.Found{}, feedError(err)
	}
	return p.found(row, nil)
}

// Write implements core.Persons.
func (p *Persons) Write(ctx context.Context, persons ...*core.Person) error {
	if len(persons) == 0 {
		return nil
	}
	_, err := p.Put(ctx, persons)
	return err
}

// InTx implements core.Persons.
func (p *Persons) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return txError(p.store.InTx(ctx, fn))
}

// Follow implements core.Feed.
func (p *Persons) Follow(ctx context.Context, ref int64, country nationalid.Country, due time.Time) error {
	return feedError(p.store.Follow(ctx, ref, int(country), due))
}

// Unfollow implements core.Feed.
func (p *Persons) Unfollow(ctx context.Context, ref int64) error {
	return feedError(p.store.Unfollow(ctx, ref))
}

// Due implements core.Feed.
func (p *Persons) Due(ctx context.Context, country nationalid.Country, now time.Time, limit int) ([]core.Due, error) {
	rows, err := p.store.Due(ctx, int(country), now, limit)
	if err != nil {
		return nil, feedError(err)
	}
	out := make([]core.Due, len(rows))
	for i, r := range rows {
		person, err := p.open(r.Row)
		if err != nil {
			return nil, err
		}
		out[i] = core.Due{Ref: r.Row.ID, Person: person, Failures: r.Failures}
	}
	return out, nil
}

// Polled implements core.Feed.
func (p *Persons) Polled(ctx context.Context, ref int64, due time.Time, failures int) error {
	return feedError(p.store.Polled(ctx, ref, due, failures))
}

// NotAfter implements core.Feed.
func (p *Persons) NotAfter(ctx context.Context, country nationalid.Country, latest time.Time) error {
	return feedError(p.store.NotAfter(ctx, int(country), latest))
}

// Oldest implements core.Feed.
func (p *Persons) Oldest(ctx context.Context, country nationalid.Country) (time.Time, error) {
	at, err := p.store.Oldest(ctx, int(country))
	return at, feedError(err)
}

// Subscribe implements core.Feed.
func (p *Persons) Subscribe(ctx context.Context, m core.MembershipOf) error {
	return feedError(p.store.Subscribe(ctx, membership(m)))
}

// EndOn implements core.Feed.
func (p *Persons) EndOn(ctx context.Context, m core.MembershipOf, lastDay civil.Date) error {
	return feedError(p.store.EndOn(ctx, membership(m), day(lastDay)))
}

// Ended implements core.Feed.
func (p *Persons) Ended(ctx context.Context, today civil.Date, limit int) ([]core.MembershipOf, error) {
	list, err := p.store.Ended(ctx, day(today), limit)
	if err != nil {
		return nil, feedError(err)
	}
	out := make([]core.MembershipOf, len(list))
	for i, m := range list {
		out[i] = core.MembershipOf{Ref: m.Row, Controller: m.Controller, Reference: m.Reference}
	}
	return out, nil
}

// Unsubscribe implements core.Feed.
func (p *Persons) Unsubscribe(ctx context.Context, m core.MembershipOf) error {
	return feedError(p.store.Unsubscribe(ctx, membership(m)))
}

// Append implements core.Feed.
func (p *Persons) Append(ctx context.Context, changes []core.Change) error {
	rows := make([]store.Change, len(changes))
	for i, c := range changes {
		rows[i] = store.Change{Controller: c.Controller, Row: c.Ref, Kind: store.ChangeKind(c.Kind)}
	}
	return feedError(p.store.Append(ctx, rows, p.clock.Now()))
}

// After implements core.Feed.
func (p *Persons) After(ctx context.Context, controller string, seq int64, limit int) ([]core.Told, error) {
	rows, err := p.store.After(ctx, controller, seq, limit)
	if err != nil {
		return nil, feedError(err)
	}
	out := make([]core.Told, len(rows))
	for i, r := range rows {
		person, err := p.open(r.Row)
		if err != nil {
			return nil, err
		}
		out[i] = core.Told{Seq: r.Seq, Kind: core.ChangeKind(r.Kind), Handle: r.Handle, Person: person}
	}
	return out, nil
}

// Last implements core.Feed.
func (p *Persons) Last(ctx context.Context, controller string) (int64, error) {
	last, err := p.store.Last(ctx, controller)
	return last, feedError(err)
}

// Forget implements core.Feed.
func (p *Persons) Forget(ctx context.Context, before time.Time, limit int) (int, error) {
	n, err := p.store.Forget(ctx, before, limit)
	return n, feedError(err)
}

// SetTerms implements core.Feed.
func (p *Persons) SetTerms(ctx context.Context, ref int64, controller string, terms []string) error {
	blind := make([]store.Index, len(terms))
	for i, t := range terms {
		all, err := p.termIndexes(controller, t)
		if err != nil {
			return err
		}
		blind[i] = all[0]
	}
	return feedError(p.store.SetTerms(ctx, ref, controller, blind))
}

// Find implements core.Feed.
func (p *Persons) Find(ctx context.Context, controller string, terms []string, limit int) ([]core.Match, error) {
	blind := make([][]store.Index, len(terms))
	for i, t := range terms {
		var err error
		if blind[i], err = p.termIndexes(controller, t); err != nil {
			return nil, err
		}
	}
	rows, err := p.store.Find(ctx, controller, blind, limit)
	if err != nil {
		return nil, feedError(err)
	}
	out := make([]core.Match, len(rows))
	for i, r := range rows {
		person, err := p.open(r.Row)
		if err != nil {
			return nil, err
		}
		out[i] = core.Match{Handle: r.Handle, Person: person}
	}
	return out, nil
}

// termIndexes returns the blind indexes of a search term under all key versions. The fund's name is part of what is hashed, so that
// two funds' indexes can't be compared.
func (p *Persons) termIndexes(controller, term string) ([]store.Index, error) {
	texts, err := p.index.All("term " + controller + " " + term)
	if err != nil {
		return nil, keyError(err)
	}
	out := make([]store.Index, len(texts))
	for i, text := range texts {
		ps, err := keys.ParsePseudonym(text)
		if err != nil {
			return nil, fmt.Errorf("sealed: search index: %w", err)
		}
		out[i] = ps.Sum
	}
	return out, nil
}

func membership(m core.MembershipOf) store.Membership {
	return store.Membership{Row: m.Ref, Controller: m.Controller, Reference: m.Reference}
}

// day counts a complete date in days since 1970.
func day(d civil.Date) int64 {
	const seconds = 24 * 60 * 60
	return time.Date(d.Year, time.Month(d.Month), d.Day, 0, 0, 0, 0, time.UTC).Unix() / seconds
}

func feedError(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return core.ErrNotFound
	}
	return storeError(err)
}

// txError leaves the errors of the use case as they are.
func txError(err error) error {
	if errors.Is(err, core.ErrStoreUnavailable) {
		return err
	}
	if errors.Is(err, store.ErrUnavailable) {
		return fmt.Errorf("%w: %w", core.ErrStoreUnavailable, err)
	}
	return err
}

var _ core.Feed = (*Persons)(nil)

// cprDeliveries is the name under which the last delivery of CPR is kept.
const cprDeliveries = "CPR"

// LastDelivery returns the day on which the last applied delivery of CPR was made; zero if none was. Errors: core.ErrStoreUnavailable.
func (p *Persons) LastDelivery(ctx context.Context) (civil.Date, error) {
	d, err := p.store.Delivered(ctx, cprDeliveries)
	if errors.Is(err, store.ErrNotFound) {
		return civil.Date{}, nil
	}
	if err != nil {
		return civil.Date{}, storeError(err)
	}
	return civil.Parse(d.Produced)
}

// Delivered notes a delivery of CPR that was applied. Errors: core.ErrStoreUnavailable.
func (p *Persons) Delivered(ctx context.Context, produced civil.Date, lines int) error {
	d := store.Delivery{Register: cprDeliveries, Produced: produced.String(), Lines: int64(lines)}
	return storeError(p.store.Deliver(ctx, d, p.clock.Now()))
}
