// Package ledger makes the transparency logs out of the leaves in the database: one log of Tessera a shard, each a pure function of the
// database's rows. It can therefore be stopped at any moment, thrown away and made again, and every replica makes the same logs for itself.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/storage/posix"

	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/store"
)

// Times of Tessera. A checkpoint a tenth of a second is the shortest that its POSIX driver allows; it bounds how long a receipt takes.
const (
	batchAge           = 20 * time.Millisecond
	batchSize          = 1024
	checkpointInterval = 100 * time.Millisecond
)

// log is the log of one shard.
type log struct {
	shard  uint32
	origin string
	dir    string
	files  client.FileFetcher
	add    tessera.AddFn
	reader tessera.LogReader
	stop   context.CancelFunc
	next   uint64 // index of the next leaf to add
}

// openLog opens the log of a shard in a folder of its own. Its first checkpoint needs the signer.
func openLog(ctx context.Context, dir, origin string, shard uint32, signer Signer) (_ *log, err error) {
	defer func() {
		if r := recover(); r != nil { // Tessera panics where it can't make its lock
			err = fmt.Errorf("log %d: %v", shard, r)
		}
	}()
	l := &log{shard: shard, origin: proofs.Origin(origin, shard), dir: filepath.Join(dir, strconv.FormatUint(uint64(shard), 10))}
	l.files = client.FileFetcher{Root: l.dir}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, fmt.Errorf("log %d: %w", shard, err)
	}
	driver, err := posix.New(ctx, posix.Config{Path: l.dir})
	if err != nil {
		return nil, fmt.Errorf("log %d: %w", shard, err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	appender, _, reader, err := tessera.NewAppender(running, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(signer.For(l.origin)).WithBatching(batchSize, batchAge).WithCheckpointInterval(checkpointInterval))
	if err != nil {
		stop()
		return nil, fmt.Errorf("log %d: %w", shard, err)
	}
	l.add, l.reader, l.stop = appender.Add, reader, stop
	if l.next, err = reader.NextIndex(ctx); err != nil {
		stop()
		return nil, fmt.Errorf("log %d: %w", shard, err)
	}
	return l, nil
}

// stateDir is the folder in a log's own in which Tessera keeps its state and its locks.
const stateDir = ".state"

// errOrder means that the log gave a leaf another index than the database: the one is not the log of the other.
var errOrder = errors.New("the log and the database disagree about the place of a record")

// append adds the leaves, which must begin at l.next, and waits until they are part of the tree.
func (l *log) append(ctx context.Context, leaves []store.Leaf) error {
	// Where its folder is gone, Tessera panics on a goroutine of its own.
	if _, err := os.Stat(filepath.Join(l.dir, stateDir)); err != nil {
		return fmt.Errorf("log %d: %w", l.shard, err)
	}
	futures := make([]tessera.IndexFuture, len(leaves))
	for i := range leaves {
		if leaves[i].ID.Index() != l.next+uint64(i) {
			return fmt.Errorf("log %d: %w", l.shard, errOrder)
		}
		futures[i] = l.add(ctx, tessera.NewEntry(leaves[i].Data[:]))
	}
	for i, wait := range futures {
		at, err := wait()
		if err != nil {
			return fmt.Errorf("log %d: %w", l.shard, err)
		}
		if at.Index != l.next+uint64(i) {
			return fmt.Errorf("log %d: %w", l.shard, errOrder)
		}
	}
	l.next += uint64(len(leaves))
	return nil
}

// checkpoint returns the published checkpoint.
func (l *log) checkpoint(ctx context.Context, keys proofs.Keys) (proofs.Checkpoint, error) {
	raw, err := l.files.ReadCheckpoint(ctx)
	if err != nil {
		return proofs.Checkpoint{}, fmt.Errorf("log %d: %w", l.shard, err)
	}
	return keys.Open(raw, l.origin)
}

// inclusion returns the audit path of a leaf in the tree of the given size.
func (l *log) inclusion(ctx context.Context, index, size uint64) ([][]byte, error) {
	builder, err := client.NewProofBuilder(ctx, size, l.files.ReadTile)
	if err != nil {
		return nil, fmt.Errorf("log %d: %w", l.shard, err)
	}
	path, err := builder.InclusionProof(ctx, index)
	if err != nil {
		return nil, fmt.Errorf("log %d: %w", l.shard, err)
	}
	return path, nil
}
