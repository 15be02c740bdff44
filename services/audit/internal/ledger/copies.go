package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"samvirke.dev/services/audit/internal/core"
)

// Copies writes each new checkpoint to a second store (domain C.5): a file <shard>/<size> that is never written again. Only against a
// checkpoint kept elsewhere is it seen that the end of a log was cut off.
type Copies struct {
	Ledger *Ledger
	Dir    string
	Every  time.Duration
}

// Run copies until ctx ends, and once more then.
func (c *Copies) Run(ctx context.Context) error {
	timer := time.NewTicker(c.Every)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			return c.Once(last)
		case <-timer.C:
			if err := c.Once(ctx); err != nil && ctx.Err() == nil {
				c.Ledger.cfg.Log.ErrorContext(ctx, "checkpoints can't be copied to the second store", "error", err.Error())
			}
		}
	}
}

// Once copies the present checkpoints.
func (c *Copies) Once(ctx context.Context) error {
	shards, err := c.Ledger.cfg.Leaves.Shards(ctx)
	if err != nil {
		return err
	}
	var problems []error
	for _, s := range shards {
		cp, err := c.Ledger.Checkpoint(ctx, s.Number)
		if errors.Is(err, core.ErrPending) || s.Dropped {
			continue
		}
		if err == nil {
			err = c.keep(s.Number, cp.Size, cp.Raw)
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

func (c *Copies) keep(shard uint32, size uint64, raw []byte) error {
	dir := filepath.Join(c.Dir, strconv.FormatUint(uint64(shard), 10))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("copy of checkpoint: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%012d", size)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("copy of checkpoint: %w", err)
	}
	_, err = f.Write(raw)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("copy of checkpoint: %w", err)
	}
	return nil
}
