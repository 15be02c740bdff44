package ledger

import (
	"context"
	"fmt"

	"github.com/transparency-dev/tessera"
)

// Bare is a log of Tessera alone, with the ledger's settings and without a database: what the ledger's speed is measured against.
type Bare struct{ log *log }

// OpenBare makes a log in a new folder; Close it.
func OpenBare(ctx context.Context, dir, origin string, signer Signer) (*Bare, error) {
	l, err := openLog(ctx, dir, origin, 0, signer)
	if err != nil {
		return nil, err
	}
	return &Bare{log: l}, nil
}

// Add adds leaves and returns when all are part of the tree.
func (b *Bare) Add(ctx context.Context, leaves [][]byte) error {
	futures := make([]tessera.IndexFuture, len(leaves))
	for i, leaf := range leaves {
		futures[i] = b.log.add(ctx, tessera.NewEntry(leaf))
	}
	for _, wait := range futures {
		if _, err := wait(); err != nil {
			return fmt.Errorf("bare log: %w", err)
		}
	}
	return nil
}

// Close ends it.
func (b *Bare) Close() { b.log.stop() }
