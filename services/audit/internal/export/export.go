// Package export writes a whole log with all its records into a folder, for whoever keeps or checks it elsewhere:
//
//	checkpoint      the signed checkpoint
//	tile/…          hash tiles and entry bundles, as C2SP tlog-tiles lays them out
//	records.jsonl   one samvirke.audit.v1.Receipt a line in the order of the log, without proof and checkpoint; of an erased record only its index
//	keys            the public keys
//
// It holds everything that the records hold, so it is as secret as they are.
package export

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/encoding/protojson"

	"samvirke.dev/services/audit/internal/api"
	"samvirke.dev/services/audit/internal/core"
	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/store"
)

// Names of the files.
const (
	Checkpoint = "checkpoint"
	Records    = "records.jsonl"
	Keys       = "keys"
)

// Source is what is exported.
type Source interface {
	Range(ctx context.Context, shard uint32, from uint64, limit int) ([]store.Row, error)
}

// Opener decrypts records.
type Opener interface {
	Everything(row *store.Row) ([proofs.Parts]proofs.Part, error)
}

// perRead is how many records are read at once.
const perRead = 500

// Write exports a shard into a folder that is not there yet, as far as its checkpoint goes, and returns how many records that are.
func Write(ctx context.Context, logs core.Ledger, logDir string, rows Source, open Opener, shard uint32, dir string) (_ uint64, err error) {
	cp, err := logs.Checkpoint(ctx, shard)
	if err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	if err := os.CopyFS(filepath.Join(dir, "tile"), os.DirFS(filepath.Join(logDir, "tile"))); err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	var keys []byte
	for _, k := range logs.Keys() {
		keys = append(keys, k.String()+"\n"...)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, Checkpoint), cp.Raw, 0o600), os.WriteFile(filepath.Join(dir, Keys), keys, 0o600)); err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, Records), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriter(f)
	for at := uint64(0); at < cp.Size; {
		batch, err := rows.Range(ctx, shard, at, int(min(perRead, cp.Size-at)))
		if err != nil {
			return 0, err
		}
		if len(batch) == 0 {
			return at, fmt.Errorf("export: record %d is missing", at)
		}
		for i := range batch {
			if err := line(out, &batch[i], cp.Origin, open); err != nil {
				return at, err
			}
		}
		at = batch[len(batch)-1].ID.Index() + 1
	}
	return cp.Size, out.Flush()
}

func line(out *bufio.Writer, row *store.Row, origin string, open Opener) error {
	r := core.Receipt{Row: *row, Proof: proofs.Receipt{Origin: origin, Index: row.ID.Index()}}
	if len(row.Sealed) > 0 {
		var err error
		if r.Proof.Parts, err = open.Everything(row); err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	raw, err := protojson.Marshal(api.ReceiptOf(r))
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	_, err = out.Write(append(raw, '\n'))
	return err
}
