package sqlkit

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Config says which database to open and how. The zero values of all fields but URL are replaced by the defaults named there.
type Config struct {
	URL           string        `yaml:"url" class:"internal" doc:"sqlite:/path/to/file.db, sqlite::memory: or postgres://user@host:port/database; never with a password"`
	PasswordFile  string        `yaml:"password_file" class:"internal" doc:"file that holds the PostgreSQL password; empty for none"`
	ReadConns     int           `yaml:"read_conns" class:"public" doc:"connections for queries, beside those for look-ups of single rows, of which SQLite has one per processor (SQLite: 0 is one per processor, at least 4), or for everything (PostgreSQL: 0 is 16)"`
	CacheKiB      int           `yaml:"cache_kib" class:"public" doc:"page cache of each SQLite connection in KiB; SQLite empties those that read at every commit, so only writing much gains by a large one"`
	MmapMiB       int           `yaml:"mmap_mib" class:"public" doc:"part of a SQLite file in MiB that is read through memory mapping: a quarter less work per look-up, but counted as resident memory; 0 for none"`
	BusyTimeout   time.Duration `yaml:"busy_timeout" class:"public" doc:"longest wait for a lock of another process or transaction"`
	ConnTimeout   time.Duration `yaml:"conn_timeout" class:"public" doc:"longest wait for a new connection to PostgreSQL"`
	QueryTimeout  time.Duration `yaml:"query_timeout" class:"public" doc:"longest run of one statement in PostgreSQL"`
	ConnLife      time.Duration `yaml:"conn_life" class:"public" doc:"age at which a PostgreSQL connection is replaced"`
	MaxAttempts   int           `yaml:"max_attempts" class:"public" doc:"how often a write transaction is tried when others are in the way"`
	MaxStatements int           `yaml:"max_statements" class:"public" doc:"prepared statements kept"`
}

// DefaultConfig returns the defaults for the database at the given URL.
func DefaultConfig(databaseURL string) Config {
	return Config{
		URL:           databaseURL,
		CacheKiB:      1024,
		BusyTimeout:   5 * time.Second,
		ConnTimeout:   5 * time.Second,
		QueryTimeout:  30 * time.Second,
		ConnLife:      30 * time.Minute,
		MaxAttempts:   10,
		MaxStatements: 256,
	}
}

// Schemes of Config.URL.
const (
	sqliteScheme = "sqlite:"
	memoryPath   = ":memory:"
)

// Validate returns every problem of the configuration, joined, or nil. It names settings, never their values, since a URL may
// hold a password by mistake.
func (c Config) Validate() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if err := checkURL(c.URL); err != nil {
		problems = append(problems, err)
	}
	if c.PasswordFile != "" && strings.HasPrefix(c.URL, sqliteScheme) {
		bad("password_file: SQLite has no password")
	}
	for name, n := range map[string]int{
		"read_conns": c.ReadConns, "cache_kib": c.CacheKiB, "mmap_mib": c.MmapMiB, "max_attempts": c.MaxAttempts, "max_statements": c.MaxStatements,
	} {
		if n < 0 {
			bad("%s: must not be negative", name)
		}
	}
	for name, d := range map[string]time.Duration{
		"busy_timeout": c.BusyTimeout, "conn_timeout": c.ConnTimeout, "query_timeout": c.QueryTimeout, "conn_life": c.ConnLife,
	} {
		if d < 0 {
			bad("%s: must not be negative", name)
		}
	}
	return errors.Join(problems...)
}

func checkURL(raw string) error {
	if path, ok := strings.CutPrefix(raw, sqliteScheme); ok {
		switch {
		case path == memoryPath:
			return nil
		case !filepath.IsAbs(path):
			return errors.New("url: a SQLite file needs an absolute path, as in sqlite:/var/lib/x.db")
		case strings.ContainsAny(path, "?#%"):
			return errors.New("url: the path of a SQLite file must not hold ?, # or %")
		}
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return errors.New("url: want sqlite:/path/x.db, sqlite::memory: or postgres://user@host:port/database")
	}
	if _, set := u.User.Password(); set || u.Query().Has("password") {
		return errors.New("url: must not hold a password; use password_file")
	}
	return nil
}

// Connections by default. SQLite gains nothing from more than there are processors, and each has a cache of its own to keep warm; below
// four, readers that hold rows open would be in each other's way too soon.
const (
	minSQLiteConns = 4
	postgresConns  = 16
)

func defaultConns(databaseURL string) int {
	if strings.HasPrefix(databaseURL, sqliteScheme) {
		return max(minSQLiteConns, runtime.GOMAXPROCS(0))
	}
	return postgresConns
}

// withDefaults fills in what was left zero.
func (c Config) withDefaults() Config {
	d := DefaultConfig(c.URL)
	setInt := func(p *int, def int) {
		if *p == 0 {
			*p = def
		}
	}
	setDur := func(p *time.Duration, def time.Duration) {
		if *p == 0 {
			*p = def
		}
	}
	setInt(&c.ReadConns, defaultConns(c.URL))
	setInt(&c.CacheKiB, d.CacheKiB)
	setInt(&c.MaxAttempts, d.MaxAttempts)
	setInt(&c.MaxStatements, d.MaxStatements)
	setDur(&c.BusyTimeout, d.BusyTimeout)
	setDur(&c.ConnTimeout, d.ConnTimeout)
	setDur(&c.QueryTimeout, d.QueryTimeout)
	setDur(&c.ConnLife, d.ConnLife)
	return c
}
