package agreement

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	"samvirke.dev/services/platform/authz"
)

// Store holds the set in force and replaces it when the files change.
type Store struct {
	fsys    fs.FS
	methods authz.Methods
	log     *slog.Logger
	current atomic.Pointer[Set]
	seen    [32]byte // digest of the files last looked at, good or broken
	reloads metric.Int64Counter
	prepare func(context.Context, *Set) error
}

// NewStore loads the folder; an error means that the service may not start. prepare is called with each later set before it is put
// in force; its error keeps the old set.
func NewStore(
	fsys fs.FS, methods authz.Methods, log *slog.Logger, meter metric.Meter, prepare func(context.Context, *Set) error,
) (*Store, error) {
	set, err := Load(fsys, methods)
	if err != nil {
		return nil, err
	}
	reloads, err := meter.Int64Counter("samvirke.agreements.reloads", metric.WithDescription("Reloads of the agreements, by outcome"))
	if err != nil {
		return nil, fmt.Errorf("agreements: %w", err)
	}
	s := &Store{fsys: fsys, methods: methods, log: log, seen: set.digest, reloads: reloads, prepare: prepare}
	s.current.Store(set)
	return s, nil
}

// Set returns the set in force.
func (s *Store) Set() *Set { return s.current.Load() }

// Current returns the set in force. A call that began under an older set ends under it.
func (s *Store) Current() authz.Agreements { return s.current.Load() }

// Run looks at the files at every interval until ctx ends. Looking at contents, and not at change events, also serves
// mounted volumes and network folders, which send none.
func (s *Store) Run(ctx context.Context, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			s.Reload(ctx)
		}
	}
}

// Reload puts changed files in force, or keeps the old set and says why in the log.
func (s *Store) Reload(ctx context.Context) {
	files, err := read(s.fsys)
	if err != nil {
		s.refuse(ctx, err)
		return
	}
	digest := digestFiles(files)
	if digest == s.seen {
		return
	}
	set, err := Load(s.fsys, s.methods)
	if err != nil {
		s.seen = digest // said once, not at every look
		s.refuse(ctx, err)
		return
	}
	if err := s.prepare(ctx, set); err != nil {
		s.refuse(ctx, err) // tried again at the next look: Vault may be away
		return
	}
	s.seen = set.digest
	s.current.Store(set)
	s.reloads.Add(ctx, 1, metric.WithAttributes(outcome("loaded")))
	s.log.InfoContext(ctx, "agreements replaced", "agreements", set.Len())
}

func (s *Store) refuse(ctx context.Context, err error) {
	s.reloads.Add(ctx, 1, metric.WithAttributes(outcome("refused")))
	s.log.ErrorContext(ctx, "agreements refused, the old ones stay in force", "error", err)
}
