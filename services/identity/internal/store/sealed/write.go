package sealed

import (
	"context"
	"errors"
	"fmt"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/store"
)

// Put writes persons, all or none, and replaces what was known of them. Their numbers are all different. Errors: store.ErrDuplicate,
// core.ErrStoreUnavailable, core.ErrKeysUnavailable.
func (p *Persons) Put(ctx context.Context, persons []*core.Person) (store.Written, error) {
	entries := make([]store.Entry, len(persons))
	for i, person := range persons {
		var err error
		if entries[i], err = p.entry(person); err != nil {
			return store.Written{}, err
		}
	}
	done, err := p.store.Put(ctx, entries, p.clock.Now())
	if err != nil {
		return store.Written{}, storeError(err)
	}
	return done, nil
}

func (p *Persons) entry(person *core.Person) (store.Entry, error) {
	version, err := p.index.Version()
	if err != nil {
		return store.Entry{}, keyError(err)
	}
	e := store.Entry{IndexVersion: version, RegisterTime: person.RegisterTime}
	for i, n := range append([]nationalid.Number{person.Number}, person.Earlier...) {
		all, err := p.indexes(nil, n)
		if err != nil {
			return store.Entry{}, err
		}
		if i == 0 {
			e.Index = all[0]
		} else {
			e.Aliases = append(e.Aliases, all[0])
		}
		e.Candidates = append(e.Candidates, all[1:]...)
	}
	e.Sealed, err = p.seal(person, e.Index)
	return e, err
}

// reindexPage is how many rows are written anew in one transaction.
const reindexPage = 500

// Reindex writes every row anew that an older version of the index key made, under the present versions of both keys. Run it after
// the index key was rotated; only then may the old version be retired. It can be stopped and run again, and calls go on meanwhile.
// It returns how many rows it wrote. Errors: core.ErrStoreUnavailable, core.ErrKeysUnavailable, or that of the ended context.
func (p *Persons) Reindex(ctx context.Context) (int, error) {
	total, after := 0, int64(0)
	for {
		n, last, err := p.reindexPage(ctx, after)
		total += n
		if err != nil || last == after {
			return total, err
		}
		after = last
	}
}

// reindexPage writes one page anew. Reading and writing are one transaction, so that an import in between is not undone.
func (p *Persons) reindexPage(ctx context.Context, after int64) (n int, last int64, err error) {
	version, err := p.index.Version()
	if err != nil {
		return 0, after, keyError(err)
	}
	err = p.store.InTx(ctx, func(ctx context.Context) error {
		n, last = 0, after
		rows, err := p.store.OldRows(ctx, version, after, reindexPage)
		if err != nil || len(rows) == 0 {
			return err
		}
		entries := make([]store.Entry, len(rows))
		for i, row := range rows {
			person, err := p.open(row)
			if err != nil {
				return fmt.Errorf("sealed: reindex row %d: %w", row.ID, err)
			}
			if entries[i], err = p.entry(person); err != nil {
				return err
			}
			last = row.ID
		}
		done, err := p.store.Put(ctx, entries, p.clock.Now())
		n = done.Stored
		return err
	})
	if errors.Is(err, core.ErrKeysUnavailable) {
		return 0, after, err
	}
	return n, last, storeError(err)
}

var _ core.Persons = (*Persons)(nil)
