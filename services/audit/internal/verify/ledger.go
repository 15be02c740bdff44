// Package verify is samvirke-verify: it checks receipts, checkpoints and whole exported logs with the public keys alone.
package verify

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/client"
	"google.golang.org/protobuf/encoding/protojson"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/receipt"
)

// Finding is what the check of a log found. Fault is proofs.NoFault when nothing is wrong.
type Finding struct {
	Fault   proofs.Fault
	Index   uint64 // of the first bad record
	Event   string // its event id, as far as it is known
	Size    uint64 // of the log by its checkpoint
	Records uint64 // how many records were checked against their leaf
	Erased  uint64 // how many more are erased, so that only their leaf is left
}

// Names of the files of an exported log; package export writes them.
const (
	checkpointFile = "checkpoint"
	recordsFile    = "records.jsonl"
)

// width is how many hashes a full tile holds.
const width = 256

// maxLine bounds a line of a file of records, in bytes.
const maxLine = 4 << 20

// Ledger checks the exported log in a folder: the checkpoint's signature, all hashes up to its root, and each record against its leaf. outside,
// if given, is a checkpoint kept elsewhere, which the log must extend; only so is it seen that its end was cut off. The error tells that the
// folder can't be read; that something is wrong is no error.
func Ledger(ctx context.Context, keys proofs.Keys, dir string, outside []byte) (Finding, error) {
	raw, err := os.ReadFile(filepath.Join(dir, checkpointFile))
	if err != nil {
		return Finding{}, err
	}
	cp, err := keys.Open(raw, "")
	if err != nil {
		return Finding{Fault: proofs.CheckpointInvalid}, nil //nolint:nilerr // that it is bad is the finding
	}
	found := Finding{Size: cp.Size}
	var kept *proofs.Checkpoint
	if len(outside) > 0 {
		o, err := keys.Open(outside, cp.Origin)
		switch {
		case err != nil:
			found.Fault = proofs.CheckpointInvalid
			return found, nil //nolint:nilerr // that it is bad is the finding
		case o.Size > cp.Size:
			found.Fault, found.Index = proofs.Truncated, cp.Size
			return found, nil
		}
		kept = &o
	}
	hashes := leafHashes(ctx, dir, cp.Size)
	if uint64(len(hashes)) < cp.Size {
		found.Fault, found.Index = proofs.Truncated, uint64(len(hashes))
		return found, nil
	}
	if err := records(filepath.Join(dir, recordsFile), hashes, &found); err != nil || found.Fault != proofs.NoFault {
		return found, err
	}
	return found, roots(ctx, dir, cp, kept, hashes, &found)
}

// leafHashes reads the hashes of the leaves from the tiles, as far as they are there.
func leafHashes(ctx context.Context, dir string, size uint64) [][]byte {
	var out [][]byte
	for tile := uint64(0); tile*width < size; tile++ {
		raw, err := client.FileFetcher{Root: dir}.ReadTile(ctx, 0, tile, partial(size, tile))
		want := min(width, size-tile*width)
		if err != nil || uint64(len(raw)) < want*proofs.HashSize {
			break
		}
		for i := range want {
			out = append(out, raw[i*proofs.HashSize:(i+1)*proofs.HashSize])
		}
	}
	return out
}

// roots makes the roots of the log and of the earlier checkpoint from the leaves' hashes.
func roots(ctx context.Context, dir string, cp proofs.Checkpoint, kept *proofs.Checkpoint, hashes [][]byte, found *Finding) error {
	if kept != nil {
		same, err := rootIs(hashes[:kept.Size], kept.Root)
		if err != nil || !same {
			found.Fault = proofs.CheckpointReplaced
			return err
		}
	}
	same, err := rootIs(hashes, cp.Root)
	if err != nil || same {
		return err
	}
	found.Fault = proofs.CheckpointReplaced
	locate(ctx, dir, hashes, found)
	return nil
}

// rootIs says whether a tree of these leaf hashes has the root.
func rootIs(hashes [][]byte, want []byte) (bool, error) {
	if len(hashes) == 0 {
		return bytes.Equal(rfc6962.DefaultHasher.EmptyRoot(), want), nil
	}
	tree := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for _, h := range hashes {
		if err := tree.Append(h, nil); err != nil {
			return false, err
		}
	}
	root, err := tree.GetRootHash(nil)
	return bytes.Equal(root, want), err
}

// locate finds the first hash whose proof does not lead to the root: the tiles above tell which of those below is not as it was.
func locate(ctx context.Context, dir string, hashes [][]byte, found *Finding) {
	for tile := uint64(0); (tile+1)*width <= uint64(len(hashes)); tile++ {
		part := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
		for _, h := range hashes[tile*width : (tile+1)*width] {
			if part.Append(h, nil) != nil {
				return
			}
		}
		root, err := part.GetRootHash(nil)
		if err != nil {
			return
		}
		node, err := client.FileFetcher{Root: dir}.ReadTile(ctx, 1, tile/width, partial(uint64(len(hashes))/width, tile/width))
		at := tile % width * proofs.HashSize
		if err != nil || uint64(len(node)) < at+proofs.HashSize {
			return
		}
		if !bytes.Equal(root, node[at:at+proofs.HashSize]) {
			found.Fault, found.Index = proofs.ProofInvalid, tile*width
			return
		}
	}
}

// partial is how many nodes the tile of a level holds, 0 for all, when the level holds n.
func partial(n, tile uint64) uint8 {
	if (tile+1)*width <= n {
		return 0
	}
	return uint8(n % width)
}

// records checks each record against the hash of its leaf. A log may be checked without its records.
func records(path string, hashes [][]byte, found *Finding) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	next := uint64(0)
	err = each(f, func(r *auditv1.Receipt) error {
		if next >= uint64(len(hashes)) {
			return io.EOF // recorded after the checkpoint
		}
		hash := leafHash(r)
		if hash == nil && r.GetIndex() == next {
			found.Erased++
			next++
			return nil
		}
		if !bytes.Equal(hash, hashes[next]) {
			found.Index, found.Event = next, r.GetEventId()
			found.Fault = misplaced(path, hash, hashes, next)
			if found.Fault == proofs.RecordMissing {
				found.Event = ""
			}
			return io.EOF
		}
		if r.GetIndex() != next {
			found.Fault, found.Index, found.Event = proofs.RecordChanged, next, r.GetEventId()
			return io.EOF
		}
		found.Records++
		next++
		return nil
	})
	if err == nil && found.Fault == proofs.NoFault && next < uint64(len(hashes)) {
		found.Fault, found.Index = proofs.RecordMissing, next
	}
	return err
}

// misplaced tells what happened at a place where another record stands than was recorded: it belongs elsewhere, and the right one is still in
// the file (order) or is not (missing); or it belongs nowhere (changed).
func misplaced(path string, hash []byte, hashes [][]byte, at uint64) proofs.Fault {
	elsewhere := false
	for _, h := range hashes {
		elsewhere = elsewhere || bytes.Equal(h, hash)
	}
	if !elsewhere {
		return proofs.RecordChanged
	}
	f, err := os.Open(path)
	if err != nil {
		return proofs.RecordMissing
	}
	defer f.Close() //nolint:errcheck // only read
	fault := proofs.RecordMissing
	_ = each(f, func(r *auditv1.Receipt) error { // what can't be read is not the missing record
		if bytes.Equal(leafHash(r), hashes[at]) {
			fault = proofs.OrderChanged
			return io.EOF
		}
		return nil
	})
	return fault
}

// leafHash makes the hash of a record's leaf anew; nil of an erased record.
func leafHash(r *auditv1.Receipt) []byte {
	parts := receipt.Of(r).Parts
	empty := true
	for i := range parts {
		empty = empty && parts[i].Withheld() && len(parts[i].Digest) == 0
	}
	if empty {
		return nil
	}
	leaf := proofs.Leaf(&parts)
	return rfc6962.DefaultHasher.HashLeaf(leaf[:])
}

// each reads receipts, one JSON object a line, until fn returns an error; io.EOF ends it without one.
func each(in io.Reader, fn func(*auditv1.Receipt) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		r := &auditv1.Receipt{}
		if err := protojson.Unmarshal(lines.Bytes(), r); err != nil {
			return fmt.Errorf("%w: line %d is no receipt", proofs.ErrForm, n)
		}
		if err := fn(r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return lines.Err()
}
