package audit

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/sqlkit"
)

// row is a group of records as it is stored: sealed together, because to seal and to store each by itself costs several times as much.
type row struct {
	at      int64 // when the first was closed, UTC microseconds
	records int
	sealed  []byte
}

// groupBytes bounds a group that holds more than one record: a few groups fit into a message to the audit service.
const groupBytes = 64 << 10

// purpose binds what is sealed to its place.
func purpose() []byte { return []byte("audit_outbox") }

// appendRecord adds a record, encoded in parts, to a group: its length as a varint, then itself.
func appendRecord(group []byte, parts ...[]byte) []byte {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	group = protowire.AppendVarint(group, uint64(size))
	for _, part := range parts {
		group = append(group, part...)
	}
	return group
}

// errGroup means that what was unsealed is no group: a mistake of our own.
var errGroup = errors.New("not a group of records")

// split returns the records of a group.
func split(group []byte) (records [][]byte, err error) {
	for len(group) > 0 {
		record, n := protowire.ConsumeBytes(group)
		if n < 0 {
			return nil, errGroup
		}
		records = append(records, record)
		group = group[n:]
	}
	return records, nil
}

// sealGroups seals records that stand one after the other, in as few rows as their bounds allow.
func sealGroups(seal *keys.AEAD, plain []byte, at int64) (rows []row, err error) {
	for len(plain) > 0 {
		size, records := 0, 0
		for size < len(plain) {
			_, n := protowire.ConsumeBytes(plain[size:])
			if n < 0 {
				return nil, errGroup
			}
			if records > 0 && size+n > groupBytes {
				break
			}
			size += n
			records++
		}
		sealed, err := seal.Encrypt(plain[:size], purpose())
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{at: at, records: records, sealed: sealed})
		plain = plain[size:]
	}
	return rows, nil
}

// group is a row of the outbox, read back.
type group struct {
	seq     int64
	at      int64
	records [][]byte
	size    int // of the records together, in bytes
}

// readGroups returns at most limit rows after the position, in the order of writing.
func readGroups(ctx context.Context, db *sqlkit.DB, seal *keys.AEAD, after int64, limit int) (out []group, err error) {
	rows, err := db.Query(ctx, `SELECT seq, recorded_at, sealed FROM audit_outbox WHERE seq > $1 ORDER BY seq LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var g group
		var sealed []byte
		if err := rows.Scan(&g.seq, &g.at, &sealed); err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
		plain, err := seal.Decrypt(sealed, purpose())
		if err != nil {
			return nil, fmt.Errorf("audit: outbox row %d: %w", g.seq, err)
		}
		if g.records, err = split(plain); err != nil {
			return nil, fmt.Errorf("audit: outbox row %d: %w", g.seq, err)
		}
		g.size = len(plain)
		out = append(out, g)
	}
	return out, rows.Err()
}
