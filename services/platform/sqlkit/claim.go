package sqlkit

import (
	"context"
	"database/sql/driver"
	"time"
)

// releaseLimit is how long giving a claim back may take; after that its connection is closed, which gives it back too.
const releaseLimit = 5 * time.Second

// Claim takes the named piece of work for this process, of all that share the database's schema, until release is called or the
// process ends. It does not wait: ok is false when another has it. On SQLite, which one process owns, it is always granted; so it is on
// PostgreSQL when the pool has but one connection, because a claim holds one.
func (db *DB) Claim(ctx context.Context, name string) (release func(), ok bool, err error) {
	if db.dialect != Postgres || db.cfg.ReadConns < 2 {
		return func() {}, true, nil
	}
	conn, err := db.read.Conn(ctx)
	if err != nil {
		return nil, false, classify("claim", err)
	}
	const key = `(hashtextextended(current_schema() || '.' || $1::text, 0))`
	if err := conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock`+key, name).Scan(&ok); err != nil || !ok {
		// Whether it was granted is not known after a failure, so the connection goes.
		if err != nil {
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
			err = classify("claim", err)
		}
		_ = conn.Close()
		return nil, false, err
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseLimit)
		defer cancel()
		if err := conn.QueryRowContext(ctx, `SELECT pg_advisory_unlock`+key, name).Scan(&ok); err != nil || !ok {
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		_ = conn.Close()
	}, true, nil
}
