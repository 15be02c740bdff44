package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/audit/internal/record"
	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/telemetry"
)

// feed sends every record, once it is kept, to the OTLP endpoint as a log record. The store is its queue: what the endpoint has not taken is
// sent when it is back, and nothing is sampled. The position survives restarts in a file; after a crash the last batch may be sent twice,
// which their event ids tell. With several replicas each sends all.
type feed struct {
	parts *Parts
	tel   *telemetry.Telemetry
	file  string
	every time.Duration
}

// subjectContext binds encrypted pseudonyms to their use.
const subjectContext = "dpl.core.data_subject_id"

// Bounds of the feed.
const (
	feedBatch = 500
	feedEvery = time.Second
	feedRest  = 30 * time.Second

	exportLimit = 5 * time.Second
)

// Feed returns what sends audit records to the OTLP endpoint.
func (p *Parts) Feed(tel *telemetry.Telemetry) app.Component {
	f := &feed{parts: p, tel: tel, file: filepath.Join(p.cfg.Ledger.Dir, "otlp.position"), every: feedEvery}
	return app.Component{Name: "otlp", Run: f.run}
}

func (f *feed) run(ctx context.Context) error {
	at, err := f.load(ctx)
	if err != nil {
		return err
	}
	wait, failing := f.every, false
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		at, err = f.send(ctx, at)
		switch {
		case err == nil:
			wait, failing = f.every, false
		case ctx.Err() != nil:
			return nil
		default:
			if !failing {
				f.parts.d.Log.WarnContext(ctx, "audit records wait for the OTLP endpoint", slog.Any("error", err))
			}
			wait, failing = min(2*wait, feedRest), true
		}
		timer.Reset(wait)
	}
}

// send exports what is behind the position, batch by batch, and returns how far it came.
func (f *feed) send(ctx context.Context, at store.ID) (store.ID, error) {
	shards, err := f.parts.Store.Shards(ctx)
	if err != nil {
		return at, err
	}
	for _, s := range shards {
		if s.Dropped || s.Number < at.Shard() {
			continue
		}
		from := uint64(0)
		if s.Number == at.Shard() {
			from = at.Index()
		}
		for from < s.Size {
			rows, err := f.parts.Store.Range(ctx, s.Number, from, feedBatch)
			if err != nil || len(rows) == 0 {
				return at, err
			}
			if err := f.export(ctx, rows); err != nil {
				return at, err
			}
			from = rows[len(rows)-1].ID.Index() + 1
			at = store.Place(s.Number, from)
			if err := f.save(at); err != nil {
				return at, err
			}
		}
	}
	return at, nil
}

func (f *feed) export(ctx context.Context, rows []store.Row) error {
	records := make([]*auditv1.Record, 0, len(rows))
	for i := range rows {
		if len(rows[i].Sealed) == 0 {
			continue
		}
		parts, err := f.parts.Core.Everything(&rows[i])
		if err != nil {
			return err
		}
		r, err := record.Join(&parts)
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	seal, err := f.parts.d.Keys.AEAD(recordSeal)
	if err != nil {
		return err
	}
	protect := func(ref string) ([]byte, error) { return seal.Encrypt([]byte(ref), []byte(subjectContext)) }
	// A batch under way is finished when the service is told to stop, or it would be sent again.
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), exportLimit)
	defer cancel()
	err = f.tel.ExportAudit(finish, records, protect, f.parts.d.Clock.Now())
	if errors.Is(err, telemetry.ErrRejected) { // it will not take them later either; the ledger has them
		f.parts.d.Log.ErrorContext(ctx, "the OTLP endpoint refused audit records", slog.Any("error", err))
		return nil
	}
	return err
}

// load reads the position; without one the feed begins with what comes from now on.
func (f *feed) load(ctx context.Context) (store.ID, error) {
	raw, err := os.ReadFile(f.file)
	if err == nil {
		n, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%s holds no position: delete it to begin with new records", f.file)
		}
		return store.ID(n), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("otlp: %w", err)
	}
	shards, err := f.parts.Store.Shards(ctx)
	if err != nil || len(shards) == 0 {
		return 0, err
	}
	last := shards[len(shards)-1]
	at := store.Place(last.Number, last.Size)
	return at, f.save(at)
}

// save replaces the position whole.
func (f *feed) save(at store.ID) error {
	if err := os.MkdirAll(filepath.Dir(f.file), 0o700); err != nil {
		return fmt.Errorf("otlp: %w", err)
	}
	part := f.file + ".part"
	if err := os.WriteFile(part, []byte(strconv.FormatInt(int64(at), 10)+"\n"), 0o600); err != nil {
		return fmt.Errorf("otlp: %w", err)
	}
	return os.Rename(part, f.file)
}
