package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"samvirke.dev/services/platform/sqlkit"
)

// names turns the names that recur in every record into small numbers, which keep rows and indexes small.
type names struct {
	db *sqlkit.DB

	mu    sync.RWMutex
	known map[string]int64
}

func newNames(db *sqlkit.DB) *names { return &names{db: db, known: map[string]int64{}} }

func (n *names) cached(name string) (int64, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	id, ok := n.known[name]
	return id, ok
}

// id returns the number of a name, giving it one if it has none.
func (n *names) id(ctx context.Context, name string) (int64, error) {
	if id, ok := n.cached(name); ok {
		return id, nil
	}
	// In a transaction of its own: a number that is remembered must not be rolled back.
	err := n.db.InTx(ctx, func(ctx context.Context) error {
		_, err := n.db.Exec(ctx, `INSERT INTO ledger_name (id, name) SELECT COALESCE(MAX(id), 0) + 1, $1 FROM ledger_name WHERE true ON CONFLICT (name) DO NOTHING`, name)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("name: %w", err)
	}
	id, found, err := n.find(ctx, name)
	if err == nil && !found {
		err = errors.New("name: was not kept")
	}
	return id, err
}

// find returns the number of a name, if it has one.
func (n *names) find(ctx context.Context, name string) (int64, bool, error) {
	if id, ok := n.cached(name); ok {
		return id, true, nil
	}
	var id int64
	err := n.db.QueryRow(ctx, `SELECT id FROM ledger_name WHERE name = $1`, name).Scan(&id)
	switch {
	case errors.Is(err, sqlkit.ErrNotFound):
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("name: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known[name] = id
	return id, true, nil
}
