package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/transparency-dev/tessera/client"

	"samvirke.dev/services/audit/internal/core"
	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/store"
)

// Leaves is where the ledger is made from.
type Leaves interface {
	Shards(ctx context.Context) ([]store.Shard, error)
	Leaves(ctx context.Context, shard uint32, from uint64, limit int) ([]store.Leaf, error)
}

// Config is what a ledger needs.
type Config struct {
	Dir    string // of the logs, a folder each
	Origin string // name of the ledger, as samvirke.example/ledger
	Leaves Leaves
	Signer Signer
	Log    *slog.Logger
}

var _ core.Ledger = (*Ledger)(nil)

// Ledger keeps the logs up with the database.
type Ledger struct {
	cfg  Config
	wake chan struct{}

	mu   sync.Mutex
	logs map[uint32]*log // those that are written to
}

// New returns a ledger; Run works for it.
func New(cfg Config) *Ledger {
	return &Ledger{cfg: cfg, wake: make(chan struct{}, 1), logs: map[uint32]*log{}}
}

// Wake says that there are new leaves.
func (l *Ledger) Wake() {
	select {
	case l.wake <- struct{}{}:
	default: // it is awake already
	}
}

const (
	// poll is how often the database is asked without having been told of anything: other replicas record too.
	poll = 250 * time.Millisecond
	// rest is the pause after a failure, such as Vault's absence when a new log needs its first checkpoint.
	rest = time.Second
	// perRead is how many leaves are read at once.
	perRead = 4096
)

// Run adds leaves to the logs until ctx ends. Failures are logged and tried again: records are safe in the database meanwhile.
func (l *Ledger) Run(ctx context.Context) error {
	defer l.closeAll()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.wake:
		case <-timer.C:
		}
		wait := poll
		if err := l.catchUp(ctx); err != nil && ctx.Err() == nil {
			l.cfg.Log.ErrorContext(ctx, "the ledger can't go on; records wait in the database", "error", err.Error())
			wait = rest
		}
		timer.Reset(wait)
	}
}

func (l *Ledger) closeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for shard, open := range l.logs {
		open.stop()
		delete(l.logs, shard)
	}
}

// catchUp brings every log to the size that the database says.
func (l *Ledger) catchUp(ctx context.Context) error {
	shards, err := l.cfg.Leaves.Shards(ctx)
	if err != nil {
		return err
	}
	var problems []error
	for i, s := range shards {
		if s.Dropped {
			l.close(s.Number)
			continue
		}
		if err := l.bring(ctx, s, i == len(shards)-1); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// bring adds what one log lacks. A log that is whole and no longer the last is closed; it can be read all the same.
func (l *Ledger) bring(ctx context.Context, s store.Shard, last bool) error {
	if !last && l.complete(ctx, s) {
		l.close(s.Number)
		return nil
	}
	open, err := l.open(ctx, s.Number)
	if err != nil {
		return err
	}
	if open.next > s.Size {
		return fmt.Errorf("log %d: it has %d records, the database %d: was an older copy of the database restored?", s.Number, open.next, s.Size)
	}
	for {
		leaves, err := l.cfg.Leaves.Leaves(ctx, s.Number, open.next, perRead)
		if err != nil || len(leaves) == 0 {
			return err
		}
		if err := open.append(ctx, leaves); err != nil {
			l.close(s.Number) // what Tessera holds is known anew when it is opened again
			return err
		}
	}
}

// complete says whether the last checkpoint of a shard covers all of it.
func (l *Ledger) complete(ctx context.Context, s store.Shard) bool {
	cp, err := l.reading(s.Number).checkpoint(ctx, l.Keys())
	return err == nil && cp.Size == s.Size
}

func (l *Ledger) open(ctx context.Context, shard uint32) (*log, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if open := l.logs[shard]; open != nil {
		return open, nil
	}
	open, err := openLog(ctx, l.cfg.Dir, l.cfg.Origin, shard, l.cfg.Signer)
	if err != nil {
		return nil, err
	}
	l.logs[shard] = open
	return open, nil
}

func (l *Ledger) close(shard uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if open := l.logs[shard]; open != nil {
		open.stop()
		delete(l.logs, shard)
	}
}

// reading returns a shard's log for reading its files.
func (l *Ledger) reading(shard uint32) *log {
	dir := l.Dir(shard)
	return &log{shard: shard, origin: proofs.Origin(l.cfg.Origin, shard), dir: dir, files: client.FileFetcher{Root: dir}}
}

// Dir returns the folder of a shard's log.
func (l *Ledger) Dir(shard uint32) string {
	return filepath.Join(l.cfg.Dir, strconv.FormatUint(uint64(shard), 10))
}

// Keys returns the public keys, the present one first.
func (l *Ledger) Keys() proofs.Keys { return l.cfg.Signer.Keys() }

// Checkpoint returns the last checkpoint of a shard. core.ErrPending when there is none yet.
func (l *Ledger) Checkpoint(ctx context.Context, shard uint32) (proofs.Checkpoint, error) {
	cp, err := l.reading(shard).checkpoint(ctx, l.Keys())
	if errors.Is(err, os.ErrNotExist) {
		return cp, core.ErrPending
	}
	return cp, err
}

// step is how often a waiting receipt looks for the next checkpoint.
const step = 10 * time.Millisecond

// Await returns the first checkpoint that covers a record. core.ErrPending when ctx ends before.
func (l *Ledger) Await(ctx context.Context, id store.ID) (proofs.Checkpoint, error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return proofs.Checkpoint{}, core.ErrPending
		case <-timer.C:
		}
		cp, err := l.Checkpoint(ctx, id.Shard())
		if err == nil && cp.Size > id.Index() {
			return cp, nil
		}
		if err != nil && !errors.Is(err, core.ErrPending) {
			return proofs.Checkpoint{}, err
		}
		timer.Reset(step)
	}
}

// Inclusion returns the audit path of a record in the tree of a checkpoint.
func (l *Ledger) Inclusion(ctx context.Context, id store.ID, size uint64) ([][]byte, error) {
	return l.reading(id.Shard()).inclusion(ctx, id.Index(), size)
}

// Hashes returns the leaf hashes of a shard from an index on, as its tiles hold them.
func (l *Ledger) Hashes(ctx context.Context, shard uint32, first, n, size uint64) ([][]byte, error) {
	out, err := client.FetchLeafHashes(ctx, l.reading(shard).files.ReadTile, first, n, size)
	if err != nil {
		return nil, fmt.Errorf("log %d: %w", shard, err)
	}
	return out, nil
}

// Consistency returns the proof that the tree of one size extends that of a smaller one.
func (l *Ledger) Consistency(ctx context.Context, shard uint32, smaller, larger uint64) ([][]byte, error) {
	builder, err := client.NewProofBuilder(ctx, larger, l.reading(shard).files.ReadTile)
	if err != nil {
		return nil, fmt.Errorf("log %d: %w", shard, err)
	}
	path, err := builder.ConsistencyProof(ctx, smaller, larger)
	if err != nil {
		return nil, fmt.Errorf("log %d: %w", shard, err)
	}
	return path, nil
}

// Remove deletes the files of a shard's log, when it was dropped.
func (l *Ledger) Remove(shard uint32) error {
	l.close(shard)
	if err := os.RemoveAll(l.Dir(shard)); err != nil {
		return fmt.Errorf("log %d: %w", shard, err)
	}
	return nil
}
