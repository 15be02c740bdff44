// Package sqlstore keeps everything that the income service knows in SQLite or PostgreSQL, with one SQL text for both. What is personal is
// encrypted, each row bound to its key so that it can't be moved to another member or month.
package sqlstore

import (
	"context"
	"embed"
	"encoding/binary"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"sync"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/sqlkit"
)

//go:embed migrations
var migrations embed.FS

// Service is the name under which the schema version is kept.
const Service = "income"

// Migrations returns the schema of the service's database, in the form that sqlkit.DB.Migrate takes.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil { // the name is a constant, so this can't be
		return migrations
	}
	return sub
}

// Keys are the service's keys. All are required.
type Keys struct {
	Case    *keys.AEAD // months, register data, decisions
	Number  *keys.AEAD // national numbers, which only register adapters may see
	Digests *keys.PRF  // of what went into decisions
}

// Store is a core.Store. It does not own the database.
type Store struct {
	db    *sqlkit.DB
	keys  Keys
	clock clock.Clock

	mu    sync.RWMutex
	funds map[string]int64 // numbers of controllers never change
}

// New returns the store on a database that was migrated.
func New(db *sqlkit.DB, k Keys, c clock.Clock) (*Store, error) {
	if k.Case == nil || k.Number == nil || k.Digests == nil {
		return nil, errors.New("sqlstore: keys are required")
	}
	return &Store{db: db, keys: k, clock: c, funds: map[string]int64{}}, nil
}

// InTx implements core.Store.
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.db.InTx(ctx, fn)
}

// Digest implements core.Store.
func (s *Store) Digest(parts ...[]byte) ([]byte, error) {
	d, err := s.keys.Digests.Digest(parts...)
	if err != nil {
		return nil, err
	}
	return d.Bytes(), nil
}

// fund returns the number of a controller. A new one is kept in the transaction of the context, so it is remembered only when it was
// read again.
func (s *Store) fund(ctx context.Context, controller string) (int64, error) {
	s.mu.RLock()
	id, ok := s.funds[controller]
	s.mu.RUnlock()
	if ok {
		return id, nil
	}
	err := s.db.QueryRow(ctx, `SELECT id FROM fund WHERE name = $1`, controller).Scan(&id)
	if errors.Is(err, sqlkit.ErrNotFound) {
		if _, err := s.db.Exec(ctx, `INSERT INTO fund (name) VALUES ($1) ON CONFLICT (name) DO NOTHING`, controller); err != nil {
			return 0, err
		}
		return id, s.db.QueryRow(ctx, `SELECT id FROM fund WHERE name = $1`, controller).Scan(&id)
	}
	if err == nil && !s.db.InTransaction(ctx) {
		s.remember(controller, id)
	}
	return id, err
}

func (s *Store) remember(controller string, id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.funds[controller] = id
}

// inList is how many members a statement names; shorter lists repeat the last, so that there is one text.
const inList = 100

// placeholders writes $from, $from+1 … for a list of inList.
func placeholders(from int) string {
	var b strings.Builder
	for i := range inList {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(from + i))
	}
	return b.String()
}

// padded appends a list of at most inList to the arguments and repeats its last.
func padded[T any](args []any, list []T) []any {
	for i := range inList {
		args = append(args, list[min(i, len(list)-1)])
	}
	return args
}

// parts calls fn for each part of at most inList.
func parts[T any](list []T, fn func([]T) error) error {
	for len(list) > 0 {
		n := min(len(list), inList)
		if err := fn(list[:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// Members implements core.Store.
func (s *Store) Members(ctx context.Context, controller string, handles []facts.Handle) ([]int64, error) {
	var out []int64
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		fund, err := s.fund(ctx, controller)
		if err != nil {
			return err
		}
		known := make(map[facts.Handle]int64, len(handles))
		if err := s.known(ctx, fund, handles, known); err != nil {
			return err
		}
		var args []any
		for _, h := range handles {
			if _, ok := known[h]; !ok {
				known[h] = 0
				args = append(args, fund, string(h))
			}
		}
		if len(args) > 0 {
			if _, err := s.db.InsertRows(ctx, `INSERT INTO member (fund, handle) VALUES`, 2, args); err != nil {
				return err
			}
			if err := s.known(ctx, fund, handles, known); err != nil {
				return err
			}
		}
		out = make([]int64, len(handles))
		for i, h := range handles {
			out[i] = known[h]
		}
		return nil
	})
	return out, err
}

// known finds the members that there are.
func (s *Store) known(ctx context.Context, fund int64, handles []facts.Handle, out map[facts.Handle]int64) error {
	query := `SELECT id, handle FROM member WHERE fund = $1 AND handle IN (` + placeholders(2) + `)`
	return parts(handles, func(part []facts.Handle) error {
		names := make([]string, len(part))
		for i, h := range part {
			names[i] = string(h)
		}
		return s.each(ctx, query, padded([]any{fund}, names), func(rows *sqlkit.Rows) error {
			var id int64
			var handle string
			err := rows.Scan(&id, &handle)
			out[facts.Handle(handle)] = id
			return err
		})
	})
}

// each runs a query and calls fn for each row.
func (s *Store) each(ctx context.Context, query string, args []any, fn func(*sqlkit.Rows) error) (err error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Member implements core.Store.
func (s *Store) Member(ctx context.Context, controller string, handle facts.Handle) (id int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT m.id FROM member m JOIN fund f ON f.id = m.fund WHERE m.handle = $1 AND f.name = $2`,
		string(handle), controller).Scan(&id)
	return id, notFound(err)
}

// HandleOf implements core.Store.
func (s *Store) HandleOf(ctx context.Context, member int64) (controller string, handle facts.Handle, err error) {
	var h string
	err = s.db.QueryRow(ctx, `SELECT f.name, m.handle FROM member m JOIN fund f ON f.id = m.fund WHERE m.id = $1`, member).Scan(&controller, &h)
	return controller, facts.Handle(h), notFound(err)
}

// Enrol implements core.Store.
func (s *Store) Enrol(ctx context.Context, controller string, members []core.Enrolment) error {
	handles := make([]facts.Handle, len(members))
	for i, m := range members {
		handles[i] = m.Handle
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		ids, err := s.Members(ctx, controller, handles)
		if err != nil {
			return err
		}
		for i, id := range ids {
			sealed, err := s.keys.Number.Encrypt([]byte(members[i].Number), rowKey('n', id))
			if err != nil {
				return err
			}
			if _, err := s.db.Exec(ctx, `UPDATE member SET number = $1 WHERE id = $2`, sealed, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Number implements core.Numbers.
func (s *Store) Number(ctx context.Context, controller string, handle facts.Handle) (string, error) {
	var id int64
	var sealed []byte
	err := s.db.QueryRow(ctx, `SELECT m.id, m.number FROM member m JOIN fund f ON f.id = m.fund WHERE m.handle = $1 AND f.name = $2`,
		string(handle), controller).Scan(&id, &sealed)
	if errors.Is(err, sqlkit.ErrNotFound) || (err == nil && sealed == nil) {
		return "", core.ErrNotEnrolled
	}
	if err != nil {
		return "", err
	}
	plain, err := s.keys.Number.Decrypt(sealed, rowKey('n', id))
	return string(plain), err
}

// rowKey binds an encrypted value to its row.
func rowKey(table byte, key ...int64) []byte {
	out := append(make([]byte, 0, 1+8*len(key)), table)
	for _, k := range key {
		out = binary.BigEndian.AppendUint64(out, uint64(k)) //nolint:gosec // bits are bits
	}
	return out
}

func notFound(err error) error {
	if errors.Is(err, sqlkit.ErrNotFound) {
		return core.ErrNotFound
	}
	return err
}

var (
	_ core.Store   = (*Store)(nil)
	_ core.Numbers = (*Store)(nil)
)
