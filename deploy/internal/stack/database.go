package stack

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"samvirke.dev/services/platform/sqlkit"
)

// schemaPrefix begins the name of each service's schema in a PostgreSQL database that they share.
const schemaPrefix = "samvirke_"

// database is the URL of a service's own database: a SQLite file, or a schema of its own in the given PostgreSQL database. In
// production each service has a database and a user of its own; here one empty database must do.
func (s *Stack) database(name string) string {
	if s.cfg.Database == "" {
		return "sqlite:" + s.path(name+".db")
	}
	at, err := url.Parse(s.cfg.Database)
	if err != nil || !strings.HasPrefix(at.Scheme, "postgres") {
		return s.cfg.Database // the service refuses it with its own words
	}
	query := at.Query()
	query.Set("search_path", schemaPrefix+name)
	at.RawQuery = query.Encode()
	return at.String()
}

// DatabaseURL is where a service keeps its data.
func (s *Stack) DatabaseURL(name string) string { return s.database(name) }

// makeSchemas makes the schemas of the services in a PostgreSQL database.
func (s *Stack) makeSchemas(ctx context.Context) error {
	if !strings.HasPrefix(s.cfg.Database, "postgres") {
		return nil
	}
	conf := sqlkit.DefaultConfig(s.cfg.Database)
	conf.PasswordFile = s.cfg.DatabasePasswordFile
	db, err := sqlkit.Open(ctx, conf)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer db.Close() //nolint:errcheck // nothing is under way
	for _, p := range s.cfg.Programs {
		if _, err := db.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+schemaPrefix+p.Name); err != nil {
			return fmt.Errorf("database: %w", err)
		}
	}
	return nil
}
