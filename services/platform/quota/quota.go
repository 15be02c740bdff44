// Package quota counts use against the quotas of agreements, over all replicas of a service through its database. A replica
// takes a share of what is left at a time, so that most calls touch no database.
package quota

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"samvirke.dev/services/platform/authz"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/sqlkit"
)

// SchemaSQLite and SchemaPostgres create the table of use. Services put it into their first migration.
const (
	SchemaSQLite = `CREATE TABLE quota_use (
    name TEXT NOT NULL,
    window_start INTEGER NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (name, window_start)
) WITHOUT ROWID;`
	SchemaPostgres = `CREATE TABLE quota_use (
    name TEXT NOT NULL,
    window_start BIGINT NOT NULL,
    used BIGINT NOT NULL,
    PRIMARY KEY (name, window_start)
);`
)

// share is what a replica takes at a time, as a part of the quota: small enough that the replicas get even parts, large
// enough that one call in many touches the database.
const share = 50

// Limiter counts. Windows are fixed: they begin at multiples of the quota's time since 1970.
type Limiter struct {
	db    *sqlkit.DB
	clock clock.Clock
	mu    sync.Mutex
	held  map[string]*holding
}

type holding struct {
	mu     sync.Mutex
	window int64
	quota  authz.Quota // that empty was found under
	left   int64
	rest   int64 // what the window held for other replicas when this one last looked
	empty  bool  // the whole window is used up, for all replicas
}

// New returns a limiter over the table of the database.
func New(db *sqlkit.DB, c clock.Clock) *Limiter {
	return &Limiter{db: db, clock: c, held: map[string]*holding{}}
}

// Use is what came of asking for a part of a quota.
type Use struct {
	OK bool
	// Remaining is what is left of the window, as far as this replica knows: others may have used more since it last looked.
	Remaining int64
	// Reset is the time until the next window begins.
	Reset time.Duration
}

// Take uses n of the quota called name. When it is used up, Use.OK is false and nothing is used.
func (l *Limiter) Take(ctx context.Context, name string, q authz.Quota, n int64) (Use, error) {
	now := l.clock.Now()
	window := now.UnixNano() / int64(q.Per)
	reset := time.Unix(0, (window+1)*int64(q.Per)).Sub(now)
	h := l.holding(name)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.window != window {
		h.window, h.left, h.rest, h.empty = window, 0, q.Requests, false
	}
	if h.quota != q { // the agreement was changed
		h.quota, h.empty = q, false
	}
	if h.left < n && !h.empty {
		if err := l.fetch(ctx, name, q, h, n-h.left); err != nil {
			return Use{}, err
		}
	}
	if h.left < n {
		return Use{Remaining: h.left, Reset: reset}, nil
	}
	h.left -= n
	return Use{OK: true, Remaining: h.left + h.rest, Reset: reset}, nil
}

func (l *Limiter) holding(name string) *holding {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[name]
	if h == nil {
		h = &holding{}
		l.held[name] = h
	}
	return h
}

// fetch takes a share, or what is needed, out of the common window.
func (l *Limiter) fetch(ctx context.Context, name string, q authz.Quota, h *holding, need int64) error {
	want := max(need, q.Requests/share)
	var got, rest int64
	err := l.db.InTx(ctx, func(ctx context.Context) error {
		var used int64
		err := l.db.QueryRow(ctx, `SELECT used FROM quota_use WHERE name = $1 AND window_start = $2`, name, h.window).Scan(&used)
		if err != nil && !errors.Is(err, sqlkit.ErrNotFound) {
			return err
		}
		got = min(want, q.Requests-used)
		if got <= 0 {
			got, rest = 0, 0
			return nil
		}
		rest = q.Requests - used - got
		if errors.Is(err, sqlkit.ErrNotFound) {
			// The window before stays: replicas whose clocks are behind still count in it.
			if _, err := l.db.Exec(ctx, `DELETE FROM quota_use WHERE name = $1 AND window_start < $2`, name, h.window-1); err != nil {
				return err
			}
		}
		_, err = l.db.Exec(ctx, `INSERT INTO quota_use (name, window_start, used) VALUES ($1, $2, $3)
			ON CONFLICT (name, window_start) DO UPDATE SET used = quota_use.used + excluded.used`, name, h.window, got)
		return err
	})
	if err != nil {
		return fmt.Errorf("quota: %w", err)
	}
	h.left += got
	h.rest = rest
	h.empty = got < want
	return nil
}
