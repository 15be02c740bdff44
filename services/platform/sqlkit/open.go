package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/sync/semaphore"
	"modernc.org/sqlite"
)

// Open opens the database that cfg names and makes sure that it answers. A SQLite file is made if it is missing; its folder must
// exist. Errors: those of cfg.Validate, ErrUnavailable, ErrBusy, ErrReadOnly, or the error of the ended context.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("sqlkit: configuration: %w", err)
	}
	cfg = cfg.withDefaults()
	open := openPostgres
	if strings.HasPrefix(cfg.URL, sqliteScheme) {
		open = openSQLite
	}
	db, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := db.Ping(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// openSQLite opens one connection that writes and a pool that reads. Two pools, because SQLite has one writer anyway: queueing for
// it in Go respects the caller's context and never runs into the busy time-out, and readers need no lock at all in WAL mode.
func openSQLite(ctx context.Context, cfg Config) (*DB, error) {
	file := strings.TrimPrefix(cfg.URL, sqliteScheme)
	memory := file == memoryPath
	if memory {
		// The memdb file system shares one database among the connections that know its name; nobody else can guess it.
		file = "/" + uuid.NewString()
	}
	writer, err := sqlite.NewConnector(sqliteDSN(cfg, file, memory, false))
	if err != nil {
		return nil, classify("open", err)
	}
	reader, err := sqlite.NewConnector(sqliteDSN(cfg, file, memory, true))
	if err != nil {
		return nil, classify("open", err)
	}
	db := &DB{
		dialect: SQLite, cfg: cfg, migrator: writer,
		read:    sql.OpenDB(reader),
		lookups: newLookups(sql.OpenDB(reader), runtime.GOMAXPROCS(0), cfg.MaxStatements),
		asker:   newAsker(reader, cfg.MaxStatements),
	}
	db.read.SetMaxOpenConns(cfg.ReadConns)
	db.read.SetMaxIdleConns(cfg.ReadConns)
	db.stmts.init(db.read, cfg.MaxStatements)
	// The writer comes first: it makes the file and puts it into WAL mode, which a query-only connection may not.
	if db.writer, err = newWriter(ctx, sql.OpenDB(writer), cfg.MaxStatements); err != nil {
		return nil, errors.Join(classify("open", err), db.Close())
	}
	if memory {
		// A database in memory ends with its last connection, so one is held that nobody uses.
		if db.anchor, err = db.read.Conn(ctx); err != nil {
			return nil, errors.Join(classify("open", err), db.Close())
		}
		db.read.SetMaxOpenConns(cfg.ReadConns + 1)
	}
	return db, nil
}

func sqliteDSN(cfg Config, file string, memory, reader bool) string {
	q := url.Values{}
	pragma := func(name, value string) { q.Add("_pragma", name+"("+value+")") }
	pragma("busy_timeout", strconv.FormatInt(cfg.BusyTimeout.Milliseconds(), 10))
	pragma("foreign_keys", "1")
	pragma("cache_size", strconv.Itoa(-cfg.CacheKiB))
	pragma("temp_store", "MEMORY") // what undoes half a statement is soon thrown away again
	pragma("mmap_size", strconv.FormatInt(int64(cfg.MmapMiB)<<20, 10))
	// Double-quoted text must never silently become a string: PostgreSQL reads it as a name.
	q.Set("_dqs", "0")
	switch {
	case reader:
		pragma("query_only", "1")
	case !memory:
		pragma("journal_mode", "WAL")
		pragma("synchronous", "FULL")
	}
	if memory {
		q.Set("vfs", "memdb")
	}
	return "file:" + file + "?" + q.Encode()
}

func openPostgres(_ context.Context, cfg Config) (*DB, error) {
	conf, err := pgx.ParseConfig(cfg.URL)
	if err != nil {
		// The error of the parser may repeat the URL.
		return nil, &Error{op: "open: url is not understood", class: ErrQuery}
	}
	if cfg.PasswordFile != "" {
		secret, err := os.ReadFile(cfg.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("sqlkit: password file: %w", err)
		}
		conf.Password = strings.TrimSpace(string(secret))
	}
	conf.ConnectTimeout = cfg.ConnTimeout
	conf.StatementCacheCapacity = cfg.MaxStatements
	params := map[string]string{
		"statement_timeout":                   milliseconds(cfg.QueryTimeout),
		"lock_timeout":                        milliseconds(cfg.BusyTimeout),
		"idle_in_transaction_session_timeout": milliseconds(2 * cfg.QueryTimeout),
		"timezone":                            "UTC",
	}
	for name, value := range params {
		if conf.RuntimeParams[name] == "" { // the operator's URL may say otherwise
			conf.RuntimeParams[name] = value
		}
	}
	pool := stdlib.OpenDB(*conf)
	pool.SetMaxOpenConns(cfg.ReadConns)
	pool.SetMaxIdleConns(cfg.ReadConns)
	pool.SetConnMaxLifetime(cfg.ConnLife)
	return &DB{dialect: Postgres, cfg: cfg, read: pool, room: semaphore.NewWeighted(sideBySide)}, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
