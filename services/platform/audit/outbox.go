package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"

	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/sqlkit"
)

// ErrNotFound means that no record has the event id.
var ErrNotFound = errors.New("no audit record has this event id")

// SchemaSQLite and SchemaPostgres create the table of records that wait to be shipped, a group a row. Services put it into their first
// migration; the outbox and the change it describes then share a transaction.
const (
	SchemaSQLite = `CREATE TABLE audit_outbox (
    seq INTEGER PRIMARY KEY,
    recorded_at INTEGER NOT NULL,
    records INTEGER NOT NULL,
    sealed BLOB NOT NULL
);`
	SchemaPostgres = `CREATE TABLE audit_outbox (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded_at BIGINT NOT NULL,
    records INTEGER NOT NULL,
    sealed BYTEA NOT NULL
);`
)

const (
	insertHead    = "INSERT INTO audit_outbox (recorded_at, records, sealed) VALUES"
	insertColumns = 3
)

func arguments(rows []row) []any {
	args := make([]any, 0, len(rows)*insertColumns)
	for _, row := range rows {
		args = append(args, row.at, row.records, row.sealed)
	}
	return args
}

// insert writes rows in the transaction that ctx carries.
func insert(ctx context.Context, db *sqlkit.DB, rows []row) error {
	_, err := db.InsertRows(ctx, insertHead, insertColumns, arguments(rows))
	return err
}

// Reader reads sealed records back.
type Reader struct {
	db   *sqlkit.DB
	seal *keys.AEAD
}

// NewReader returns a reader of the outbox.
func NewReader(db *sqlkit.DB, seal *keys.AEAD) *Reader { return &Reader{db: db, seal: seal} }

// Get returns the records of an event, one a person, in order. ErrNotFound when there are none. It looks through all that waits: records
// rest sealed, several in a row, and are found by event in the ledger.
func (r *Reader) Get(ctx context.Context, eventID string) ([]*auditv1.Record, error) {
	found, err := r.Find(ctx, eventID)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	return found, err
}

// Find returns the records of the events that wait in the outbox, in the order of writing.
func (r *Reader) Find(ctx context.Context, eventIDs ...string) (out []*auditv1.Record, err error) {
	const page = 100
	for position := int64(0); ; {
		some, next, err := r.After(ctx, position, page)
		if err != nil {
			return nil, err
		}
		if next == position {
			return out, nil
		}
		position = next
		for _, record := range some {
			if slices.Contains(eventIDs, record.GetEventId()) {
				out = append(out, record)
			}
		}
	}
}

// After returns the records of at most so many rows that were written after the position, in the order of writing, and the position of
// the last row, which is the one given when there are no more. Begin with position 0. On PostgreSQL a transaction that commits late may have
// an earlier position than what was read: whoever ships records must therefore delete what was shipped and begin at 0 again, and not
// remember a position for good.
func (r *Reader) After(ctx context.Context, position int64, rows int) (out []*auditv1.Record, next int64, err error) {
	groups, err := readGroups(ctx, r.db, r.seal, position, rows)
	if err != nil {
		return nil, position, err
	}
	for _, g := range groups {
		for _, plain := range g.records {
			record := &auditv1.Record{}
			if err := proto.Unmarshal(plain, record); err != nil {
				return nil, position, fmt.Errorf("audit: outbox row %d: %w", g.seq, err)
			}
			out = append(out, record)
		}
		position = g.seq
	}
	return out, position, nil
}
