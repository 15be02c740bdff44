package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/riverqueue/river/rivermigrate"

	"samvirke.dev/services/platform/sqlkit"
)

// migrationLock is the key of PostgreSQL's advisory lock that replicas which start at the same time queue for.
const migrationLock = 0x73616d5f6a6f62

// Migrate brings River's tables up to date. They keep their versions in river_migration, apart from those of sqlkit.Migrate. Running it
// again does nothing. Replicas on PostgreSQL may run it at the same time; a SQLite file belongs to one process.
// Errors: those of sqlkit for the failing statement, with River's words around them.
func Migrate(ctx context.Context, db *sqlkit.DB) (err error) {
	if db.Dialect() != sqlkit.Postgres {
		return migrate(ctx, db)
	}
	return db.InTx(ctx, func(locked context.Context) error {
		if _, err := db.Exec(locked, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return fmt.Errorf("jobs: migrate: %w", err)
		}
		return migrate(ctx, db) // in transactions of its own: PostgreSQL can't use a new value of an enum in the one that adds it
	})
}

func migrate(ctx context.Context, db *sqlkit.DB) (err error) {
	pool := newBridge(db)
	defer func() { err = errors.Join(err, pool.Close()) }()
	m, err := rivermigrate.New(newDriver(db, pool, nil), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("jobs: migrate: %w", err)
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("jobs: migrate: %w", err)
	}
	return nil
}
