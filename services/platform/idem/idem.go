// Package idem makes repeated changes harmless. A caller gives each change a request id; the first request with it does the work and
// its response is stored in the same transaction as the change; a repetition gets the stored response; another request under the
// same id is refused. Ids of different organisations and methods never meet.
package idem

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/ids"
	"samvirke.dev/services/platform/sqlkit"
)

// SchemaSQLite is the text that the SQLite migrations of a service include. Primary key and no row id: one look-up finds all.
const SchemaSQLite = `CREATE TABLE idempotency (
    organisation   TEXT    NOT NULL,
    method         TEXT    NOT NULL,
    request_id     TEXT    NOT NULL,
    request_digest BLOB    NOT NULL,
    response       BLOB    NOT NULL,
    expires_at     INTEGER NOT NULL,
    PRIMARY KEY (organisation, method, request_id)
) WITHOUT ROWID;
CREATE INDEX idempotency_expires_at ON idempotency (expires_at);
`

// SchemaPostgres is the text that the PostgreSQL migrations of a service include. The collation keeps ids apart by their bytes.
const SchemaPostgres = `CREATE TABLE idempotency (
    organisation   TEXT COLLATE "C" NOT NULL,
    method         TEXT COLLATE "C" NOT NULL,
    request_id     TEXT COLLATE "C" NOT NULL,
    request_digest BYTEA  NOT NULL,
    response       BYTEA  NOT NULL,
    expires_at     BIGINT NOT NULL,
    PRIMARY KEY (organisation, method, request_id)
);
CREATE INDEX idempotency_expires_at ON idempotency (expires_at);
`

// Schema returns the text for the migrations of a dialect. A service copies it into a migration file; its tests compare the two.
func Schema(d sqlkit.Dialect) string {
	if d == sqlkit.Postgres {
		return SchemaPostgres
	}
	return SchemaSQLite
}

// DefaultTTL is how long a response is kept unless told otherwise: longer than any client retries.
const DefaultTTL = 24 * time.Hour

// RequestIDField is the request field that holds the request id, for violations.
const RequestIDField = "request_id"

// Key names one change. Two requests with equal keys are the same change.
type Key struct {
	Organisation string // the caller's organisation, from its certificate, never from the request
	Method       string // full name of the RPC
	RequestID    string // chosen by the caller; form: ids.ParseRequestID
}

// Store keeps responses in the database of a service. It is safe for concurrent use, also by several processes.
type Store struct {
	db    *sqlkit.DB
	clock clock.Clock
	ttl   time.Duration
}

// NewStore returns a store whose entries live for ttl, or DefaultTTL if ttl is 0. The table must be there already.
func NewStore(db *sqlkit.DB, c clock.Clock, ttl time.Duration) *Store {
	if ttl <= 0 {
		ttl = DefaultTTL
	}
	return &Store{db: db, clock: c, ttl: ttl}
}

const (
	selectSQL = `SELECT request_digest, response FROM idempotency
		WHERE organisation = $1 AND method = $2 AND request_id = $3 AND expires_at > $4`
	insertSQL = `INSERT INTO idempotency (organisation, method, request_id, request_digest, response, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (organisation, method, request_id) DO UPDATE
		SET request_digest = excluded.request_digest, response = excluded.response, expires_at = excluded.expires_at
		WHERE idempotency.expires_at <= $7`
	expireSQL = `DELETE FROM idempotency WHERE (organisation, method, request_id) IN (
		SELECT organisation, method, request_id FROM idempotency WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`
)

// Do returns the response of the change named by key: the stored one, with replayed true, if it was made before, and otherwise that
// of change, which runs in a write transaction (the one of ctx if there is one) that also stores the response. request is the
// serialised request without what may differ between tries; only its SHA-256 digest is stored. An error of change is not stored, so
// that the next try does the work again.
//
// Of several requests with the same key at the same time one does the work and the others get its response; change may be run more
// than once, but only one run is committed. Errors: INVALID_REQUEST for a malformed request id; REQUEST_ID_REUSED when the id was
// used for another request; otherwise those of change and of sqlkit.
func (s *Store) Do(ctx context.Context, key Key, request []byte, change func(ctx context.Context) ([]byte, error)) (response []byte, replayed bool, err error) {
	id, err := ids.ParseRequestID(key.RequestID)
	if err != nil {
		return nil, false, errs.New(commonv1.Reason_REASON_INVALID_REQUEST, errs.Cause(err),
			errs.Field(RequestIDField, "must be a UUID or 16 to 64 characters of A-Z a-z 0-9 _ -"))
	}
	key.RequestID = id
	digest := sha256.Sum256(request)
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		response, replayed, err = s.find(ctx, key, digest)
		if err != nil || replayed {
			return err
		}
		if response, err = change(ctx); err != nil {
			return err
		}
		return s.store(ctx, key, digest, response)
	})
	if err != nil {
		return nil, false, err
	}
	return response, replayed, nil
}

func (s *Store) find(ctx context.Context, key Key, digest [sha256.Size]byte) (response []byte, found bool, err error) {
	var stored []byte
	now := sqlkit.Micros(s.clock.Now())
	err = s.db.QueryRow(ctx, selectSQL, key.Organisation, key.Method, key.RequestID, now).Scan(&stored, &response)
	switch {
	case errors.Is(err, sqlkit.ErrNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("idem: find: %w", err)
	case string(stored) != string(digest[:]):
		return nil, false, errs.New(commonv1.Reason_REASON_REQUEST_ID_REUSED,
			errs.Field(RequestIDField, "must be new for every new request"))
	}
	return response, true, nil
}

func (s *Store) store(ctx context.Context, key Key, digest [sha256.Size]byte, response []byte) error {
	if response == nil {
		response = []byte{} // an empty message serialises to nothing, which is not the same as no response
	}
	now := s.clock.Now()
	n, err := s.db.Exec(ctx, insertSQL, key.Organisation, key.Method, key.RequestID, digest[:], response,
		sqlkit.Micros(now.Add(s.ttl)), sqlkit.Micros(now))
	if err != nil {
		return fmt.Errorf("idem: store: %w", err)
	}
	if n == 0 {
		// Someone stored the same key between find and here. Serializable transactions exclude it; should one ever be run at a
		// lower level, the whole change is rolled back and tried again rather than done twice.
		return fmt.Errorf("idem: store: %w", sqlkit.ErrBusy)
	}
	return nil
}

// Expire deletes at most limit entries whose time is over and tells how many it deleted. A job calls it until it returns 0; small
// portions keep the write lock short. Entries that are over are ignored even before they are deleted.
func (s *Store) Expire(ctx context.Context, limit int) (int64, error) {
	n, err := s.db.Exec(ctx, expireSQL, sqlkit.Micros(s.clock.Now()), limit)
	if err != nil {
		return 0, fmt.Errorf("idem: expire: %w", err)
	}
	return n, nil
}
