package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Migrate brings the schema up to date. fsys holds the folders sqlite and postgres with the same migrations, named
// 00001_what.sql and so on, in goose's format. service names the table that keeps the version, so that several parts can share a
// database: lower-case letters, digits and underscores. Two processes may migrate at the same time.
// Errors: ErrSchemaAhead if the database has a migration that fsys lacks; else what the failing migration met, classified.
func (db *DB) Migrate(ctx context.Context, fsys fs.FS, service string) error {
	return db.migrate(ctx, fsys, service, math.MaxInt64)
}

// MigrateTo is Migrate up to one version, for the tests of later ones.
func (db *DB) MigrateTo(ctx context.Context, fsys fs.FS, service string, version int64) error {
	return db.migrate(ctx, fsys, service, version)
}

func (db *DB) migrate(ctx context.Context, fsys fs.FS, service string, version int64) error {
	if err := db.usable(ctx); err != nil {
		return err
	}
	pool, done, err := db.migrationPool(ctx)
	if err != nil {
		return classify("migrate "+service, err)
	}
	defer done()
	provider, err := db.provider(pool, fsys, service)
	if err != nil {
		return err
	}
	for before := int64(-1); ; {
		have, want, err := provider.GetVersions(ctx)
		switch {
		case err != nil:
			return classify("migrate "+service, err)
		case have > want:
			op := fmt.Sprintf("migrate %s: database has version %d, program %d", service, have, want)
			return &Error{op: op, class: ErrSchemaAhead}
		case have == want || have >= version:
			return nil
		}
		_, err = provider.UpTo(ctx, version)
		// SQLite has no lock around all migrations: one that failed may just have been made by another process meanwhile.
		if err == nil || have == before {
			return migrationError(service, err)
		}
		before = have
	}
}

// migrationPool returns the connections that migrations run on. In SQLite they are extra ones, since the writer's is never lent;
// the writer stands still meanwhile.
func (db *DB) migrationPool(ctx context.Context) (pool *sql.DB, done func(), err error) {
	if db.dialect == Postgres {
		return db.read, func() {}, nil
	}
	if err := db.writer.enter(ctx); err != nil {
		return nil, nil, err
	}
	pool = sql.OpenDB(db.migrator)
	return pool, func() {
		_ = pool.Close() // connections without a transaction have nothing to lose
		db.writer.leave()
	}, nil
}

// migrationError names the failing file; goose's own text repeats the driver's.
func migrationError(service string, err error) error {
	if err == nil {
		return nil
	}
	if partial, ok := errors.AsType[*goose.PartialError](err); ok && partial.Failed != nil && partial.Failed.Source != nil {
		return classify("migrate "+service+": "+partial.Failed.Source.Path, partial.Err)
	}
	return classify("migrate "+service, err)
}

var serviceName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,30}$`)

func (db *DB) provider(pool *sql.DB, fsys fs.FS, service string) (*goose.Provider, error) {
	if !serviceName.MatchString(service) {
		return nil, errors.New("sqlkit: migrate: a service name is 1 to 31 of a-z, 0-9 and _")
	}
	folder, err := fs.Sub(fsys, string(db.dialect))
	if err != nil {
		return nil, fmt.Errorf("sqlkit: migrate %s: %w", service, err)
	}
	opts := []goose.ProviderOption{
		goose.WithTableName(service + "_schema_version"),
		goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()),
	}
	dialect := goose.DialectSQLite3
	if db.dialect == Postgres {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return nil, fmt.Errorf("sqlkit: migrate %s: %w", service, err)
		}
		dialect = goose.DialectPostgres
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, pool, folder, opts...)
	if err != nil {
		return nil, fmt.Errorf("sqlkit: migrate %s: %w", service, err)
	}
	return provider, nil
}

// CheckMigrations returns what is wrong with a set of migrations: folders missing, or files of the two dialects that do not have the
// same names. Every service's tests call it.
func CheckMigrations(fsys fs.FS) error {
	lite, liteErr := fs.Glob(fsys, string(SQLite)+"/*.sql")
	pg, pgErr := fs.Glob(fsys, string(Postgres)+"/*.sql")
	if err := errors.Join(liteErr, pgErr); err != nil {
		return fmt.Errorf("sqlkit: migrations: %w", err)
	}
	names := func(paths []string) []string {
		out := make([]string, 0, len(paths))
		for _, p := range paths {
			out = append(out, p[strings.IndexByte(p, '/')+1:])
		}
		slices.Sort(out)
		return out
	}
	a, b := names(lite), names(pg)
	if len(a) == 0 || !slices.Equal(a, b) {
		return fmt.Errorf("sqlkit: migrations differ: sqlite has %v, postgres has %v", a, b)
	}
	return nil
}
