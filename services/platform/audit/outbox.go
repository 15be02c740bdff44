package audit

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"

	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/sqlkit"
)

// ErrNotFound means that no record has the event id.
var ErrNotFound = errors.New("no audit record has this event id")

// SchemaSQLite and SchemaPostgres create the table of records that wait to be shipped. Services put it into their first
// migration; the outbox and the change it describes then share a transaction.
const (
	SchemaSQLite = `CREATE TABLE audit_outbox (
    seq INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL,
    item INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    UNIQUE (event_id, item)
);`
	SchemaPostgres = `CREATE TABLE audit_outbox (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id TEXT NOT NULL,
    item INTEGER NOT NULL,
    recorded_at BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    UNIQUE (event_id, item)
);`
)

// flush is the group commit: all queued entries in one transaction.
func (r *Recorder) flush(ctx context.Context, batch [][]row) error {
	ctx, cancel := context.WithTimeout(ctx, flushLimit)
	defer cancel()
	var all []row
	if len(batch) == 1 {
		all = batch[0]
	} else {
		for _, rows := range batch {
			all = append(all, rows...)
		}
	}
	return r.db.AppendRows(ctx, insertHead, insertColumns, arguments(all))
}

const (
	insertHead    = "INSERT INTO audit_outbox (event_id, item, recorded_at, sealed) VALUES"
	insertColumns = 4
)

func insert(ctx context.Context, db *sqlkit.DB, rows []row) error {
	_, err := db.InsertRows(ctx, insertHead, insertColumns, arguments(rows))
	return err
}

func arguments(rows []row) []any {
	args := make([]any, 0, len(rows)*insertColumns)
	for _, row := range rows {
		args = append(args, row.event, row.item, row.at, row.sealed)
	}
	return args
}

// Reader reads sealed records back.
type Reader struct {
	db   *sqlkit.DB
	seal *keys.AEAD
}

// NewReader returns a reader of the outbox.
func NewReader(db *sqlkit.DB, seal *keys.AEAD) *Reader { return &Reader{db: db, seal: seal} }

// Get returns the records of an event, one a person, in order. ErrNotFound when there are none.
func (r *Reader) Get(ctx context.Context, eventID string) ([]*auditv1.Record, error) {
	rows, err := r.db.Query(ctx, `SELECT event_id, sealed FROM audit_outbox WHERE event_id = $1 ORDER BY item`, eventID)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	out, err := r.scan(rows)
	if err == nil && len(out) == 0 {
		err = ErrNotFound
	}
	return out, err
}

// After returns at most limit records that were written after the position, in the order of writing, and the position of the
// last one. Begin with position 0. On PostgreSQL a transaction that commits late may have an earlier position than what was read: whoever
// ships records must therefore delete what was shipped and begin at 0 again, and not remember a position for good.
func (r *Reader) After(ctx context.Context, position int64, limit int) ([]*auditv1.Record, int64, error) {
	rows, err := r.db.Query(ctx, `SELECT event_id, sealed FROM audit_outbox WHERE seq > $1 ORDER BY seq LIMIT $2`, position, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("audit: %w", err)
	}
	out, err := r.scan(rows)
	if err != nil || len(out) == 0 {
		return nil, position, err
	}
	last := out[len(out)-1]
	err = r.db.QueryRow(ctx, `SELECT seq FROM audit_outbox WHERE event_id = $1 AND item = $2`, last.GetEventId(), last.GetItem()).Scan(&position)
	return out, position, err
}

func (r *Reader) scan(rows *sqlkit.Rows) (out []*auditv1.Record, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var event string
		var sealed []byte
		if err := rows.Scan(&event, &sealed); err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
		plain, err := r.seal.Decrypt(sealed, []byte(event))
		if err != nil {
			return nil, fmt.Errorf("audit: record %s: %w", event, err)
		}
		rec := &auditv1.Record{}
		if err := proto.Unmarshal(plain, rec); err != nil {
			return nil, fmt.Errorf("audit: record %s: %w", event, err)
		}
		out = append(out, rec)
	}
	return out, rows.Err()
}
