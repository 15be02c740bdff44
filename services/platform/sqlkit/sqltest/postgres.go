package sqltest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"samvirke.dev/services/platform/sqlkit"
)

// server is a PostgreSQL server that tests may create databases on.
type server struct {
	admin        *url.URL
	passwordFile string
}

// shared starts or finds the server of this test binary. It is the one piece of state that tests share: a server takes seconds to
// start and every test has a database of its own in it.
var shared = sync.OnceValues(func() (*server, error) {
	if raw := os.Getenv(EnvPostgres); raw != "" {
		return external(raw)
	}
	return local()
})

// external prepares the server that the environment names. A password in the URL is moved to a file, as sqlkit wants it.
func external(raw string) (*server, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s is not a URL", EnvPostgres)
	}
	srv := &server{admin: u}
	if secret, ok := u.User.Password(); ok {
		dir, err := os.MkdirTemp("", "samvirke-pgpass-")
		if err != nil {
			return nil, fmt.Errorf("password folder: %w", err)
		}
		srv.passwordFile = filepath.Join(dir, "password")
		if err := os.WriteFile(srv.passwordFile, []byte(secret), 0o600); err != nil {
			return nil, fmt.Errorf("password file: %w", err)
		}
		u.User = url.User(u.User.Username())
	}
	return srv, nil
}

// fresh creates a database and returns its configuration and what drops it.
func (s *server) fresh(ctx context.Context) (sqlkit.Config, func(context.Context) error, error) {
	name := "samvirke_" + strings.ToLower(rand.Text())
	if err := s.exec(ctx, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		return sqlkit.Config{}, nil, err
	}
	u := *s.admin
	u.Path = "/" + name
	cfg := sqlkit.DefaultConfig(u.String())
	cfg.PasswordFile = s.passwordFile
	drop := func(ctx context.Context) error { return s.exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)") }
	return cfg, drop, nil
}

// exec runs a statement on a connection of its own, so that no pool outlives the tests.
func (s *server) exec(ctx context.Context, statement string) (err error) {
	conf, err := pgx.ParseConfig(s.admin.String())
	if err != nil {
		return errors.New("the server's URL is not understood")
	}
	if s.passwordFile != "" {
		secret, err := os.ReadFile(s.passwordFile)
		if err != nil {
			return fmt.Errorf("password file: %w", err)
		}
		conf.Password = string(secret)
	}
	db := stdlib.OpenDB(*conf)
	defer func() { err = errors.Join(err, db.Close()) }()
	return execOn(ctx, db, statement)
}

func execOn(ctx context.Context, db *sql.DB, statement string) error {
	_, err := db.ExecContext(ctx, statement)
	return err
}
