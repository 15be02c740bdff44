package audit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/audit/internal/core"
	"samvirke.dev/services/audit/internal/export"
	"samvirke.dev/services/audit/internal/ledger"
	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/audit/internal/verify"
	"samvirke.dev/services/platform/clock"
)

// shard is the one that is written to now.
func shard() uint32 { return core.ShardOf(clock.System().Now()) }

// covered waits until a checkpoint covers so many records and returns it.
func (w *world) covered(n uint64) proofs.Checkpoint {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	cp, err := w.parts.Ledger.Await(ctx, store.Place(shard(), n-1))
	must(w.t, err)
	return cp
}

// exported writes the present log into a new folder.
func (w *world) exported() string {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "export")
	_, err := export.Write(w.t.Context(), w.parts.Ledger, w.parts.Ledger.Dir(shard()), w.parts.Store, w.parts.Core, shard(), dir)
	must(w.t, err)
	return dir
}

func write(t *testing.T, dir, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	_ = os.Chmod(path, 0o600) // it may not be there yet
	must(t, os.WriteFile(path, text, 0o600))
	return path
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	must(t, err)
	return raw
}

// run runs samvirke-verify.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := verify.Main(t.Context(), args, &out)
	return out.String(), err
}

// Whatever is done to an exported log, samvirke-verify names the first record that is not as it was.
//
// covers: MIN-03
func TestTampering(t *testing.T) {
	t.Parallel()
	const n = 700
	w := start(t)
	var batch []*auditv1.Record
	for range n / 100 {
		batch = batch[:0]
		for range 100 {
			batch = append(batch, recordOf())
		}
		w.kept(batch...)
	}
	early := w.covered(n)
	w.kept(recordOf(), recordOf())
	late := w.covered(n + 2)
	const at = 300
	lines := func(t *testing.T, dir string) [][]byte {
		return bytes.SplitAfter(read(t, filepath.Join(dir, export.Records)), []byte("\n"))
	}
	put := func(t *testing.T, dir string, lines [][]byte) { write(t, dir, export.Records, bytes.Join(lines, nil)) }
	edit := func(t *testing.T, dir string, fn func(*auditv1.Receipt)) {
		all := lines(t, dir)
		r := &auditv1.Receipt{}
		must(t, protojson.Unmarshal(all[at], r))
		fn(r)
		raw, err := protojson.Marshal(r)
		must(t, err)
		all[at] = append(raw, '\n')
		put(t, dir, all)
	}
	_, stranger, err := ed25519.GenerateKey(nil)
	must(t, err)
	for name, tc := range map[string]struct {
		tamper  func(t *testing.T, dir string)
		outside []byte
		want    proofs.Fault
		index   uint64
		event   bool
	}{
		"nothing":                      {func(*testing.T, string) {}, early.Raw, proofs.NoFault, 0, false},
		"one byte of a record flipped": {func(t *testing.T, dir string) { edit(t, dir, func(r *auditv1.Receipt) { r.Exchange.Content[7] ^= 1 }) }, nil, proofs.RecordChanged, at, true},
		"one byte of the person":       {func(t *testing.T, dir string) { edit(t, dir, func(r *auditv1.Receipt) { r.Subject.Content[3] ^= 1 }) }, nil, proofs.RecordChanged, at, true},
		"a salt":                       {func(t *testing.T, dir string) { edit(t, dir, func(r *auditv1.Receipt) { r.Staff.Salt[3] ^= 1 }) }, nil, proofs.RecordChanged, at, true},
		"the index in a record's line": {func(t *testing.T, dir string) { edit(t, dir, func(r *auditv1.Receipt) { r.Index++ }) }, nil, proofs.RecordChanged, at, true},
		"a record made to look erased": {func(t *testing.T, dir string) {
			edit(t, dir, func(r *auditv1.Receipt) { r.Exchange, r.Staff, r.Subject, r.Bodies = nil, nil, nil, nil; r.Index = 9 })
		}, nil, proofs.RecordChanged, at, true},
		"a record dropped":         {func(t *testing.T, dir string) { all := lines(t, dir); put(t, dir, append(all[:at:at], all[at+1:]...)) }, nil, proofs.RecordMissing, at, false},
		"the last records dropped": {func(t *testing.T, dir string) { all := lines(t, dir); put(t, dir, all[:n]) }, nil, proofs.RecordMissing, n, false},
		"two records reordered": {func(t *testing.T, dir string) {
			all := lines(t, dir)
			all[at], all[at+1] = all[at+1], all[at]
			put(t, dir, all)
		}, nil, proofs.OrderChanged, at, true},
		"the tail cut off": {func(t *testing.T, dir string) {
			write(t, dir, export.Checkpoint, early.Raw)
			put(t, dir, lines(t, dir)[:n])
		}, late.Raw, proofs.Truncated, n, false},
		"the tail cut off, unseen": {func(t *testing.T, dir string) {
			write(t, dir, export.Checkpoint, early.Raw)
			put(t, dir, lines(t, dir)[:n])
		}, nil, proofs.NoFault, 0, false},
		"a byte of a tile flipped": {func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "tile", "0", "001"), (at-256)*32) }, nil, proofs.RecordChanged, at, true},
		"a tile without records": {func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, export.Records)))
			flip(t, filepath.Join(dir, "tile", "0", "001"), 5)
		}, nil, proofs.ProofInvalid, 256, false},
		"a tile removed": {func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "tile", "0", "000"))) }, nil, proofs.Truncated, 0, false},
		"the checkpoint signed by others": {func(t *testing.T, dir string) {
			write(t, dir, export.Checkpoint, forged(t, stranger, late.Root, late.Size))
		}, nil, proofs.CheckpointInvalid, 0, false},
		"the checkpoint of another tree": {func(t *testing.T, dir string) { write(t, dir, export.Checkpoint, w.signed(make([]byte, 32), n)) }, nil, proofs.CheckpointReplaced, 0, false},
		"another tree than the one kept": {func(*testing.T, string) {}, w.signed(make([]byte, 32), n), proofs.CheckpointReplaced, 0, false},
		"a checkpoint kept of others":    {func(*testing.T, string) {}, forged(t, stranger, early.Root, early.Size), proofs.CheckpointInvalid, 0, false},
	} {
		dir := w.exported()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			event := ""
			if tc.event {
				r := &auditv1.Receipt{}
				must(t, protojson.Unmarshal(lines(t, dir)[at], r))
				event = r.GetEventId()
			}
			tc.tamper(t, dir)
			found, err := verify.Ledger(t.Context(), w.parts.Ledger.Keys(), dir, tc.outside)
			must(t, err)
			if found.Fault != tc.want || found.Index != tc.index {
				t.Errorf("found %+v, want fault %d at %d", found, tc.want, tc.index)
			}
			if tc.event && tc.want != proofs.OrderChanged && found.Event != event {
				t.Errorf("the bad record is said to be %q, want %q", found.Event, event)
			}
			if tc.want == proofs.NoFault && found.Records != found.Size {
				t.Errorf("%d of %d records checked", found.Records, found.Size)
			}
			args := []string{"ledger", "--keys", filepath.Join(dir, export.Keys), dir}
			if tc.outside != nil {
				args = []string{"ledger", "--keys", filepath.Join(dir, export.Keys), "--outside", write(t, dir, "outside", tc.outside), dir}
			}
			out, err := run(t, args...)
			if bad := (verify.BadError{}); errors.As(err, &bad) != (tc.want != proofs.NoFault) || (tc.want == proofs.NoFault) != strings.Contains(out, "HOLDS") {
				t.Errorf("samvirke-verify says %q, %v", out, err)
			}
		})
	}
}

// signed signs a statement with the ledger's own key, as whoever has stolen its use could.
func (w *world) signed(root []byte, size uint64) []byte {
	w.t.Helper()
	return signedBy(w.t, w.signer, root, size)
}

func forged(t testing.TB, key ed25519.PrivateKey, root []byte, size uint64) []byte {
	t.Helper()
	return signedBy(t, ledger.NewLocalSigner(origin, key), root, size)
}

func flip(t *testing.T, path string, at int) {
	t.Helper()
	raw := read(t, path)
	raw[at] ^= 1
	write(t, filepath.Dir(path), filepath.Base(path), raw)
}

func TestVerifyReceiptCommand(t *testing.T) {
	t.Parallel()
	w := start(t)
	request := []byte("the request as it was encoded")
	own := recordOf(func(r *auditv1.Record) { r.RequestDigest = proofs.Digest(r.GetDigestKey(), request) })
	w.kept(own)
	got, err := w.receipt(fund, fund, own.GetEventId())
	must(t, err)
	dir := t.TempDir()
	raw, err := protojson.Marshal(got)
	must(t, err)
	keys := write(t, dir, "keys", []byte("# the ledger's keys\n"+w.parts.Ledger.Keys()[0].String()+"\n"))
	file, body := write(t, dir, "receipt.json", raw), write(t, dir, "request.bin", request)
	out, err := run(t, "receipt", "--keys", keys, "--request", body, file)
	if err != nil || !strings.Contains(out, "the request is that of the exchange") || !strings.Contains(out, own.GetRpc()) {
		t.Errorf("%s, %v", out, err)
	}
	// covers: SEC-03
	for name, edit := range map[string]func(*auditv1.Receipt){
		"content": func(r *auditv1.Receipt) { r.Exchange.Content[9] ^= 1 }, "index": func(r *auditv1.Receipt) { r.Index++ },
		"item": func(r *auditv1.Receipt) { r.Item++ }, "event": func(r *auditv1.Receipt) { r.EventId = recordOf().GetEventId() },
		"checkpoint": func(r *auditv1.Receipt) { r.Checkpoint = strings.Replace(r.GetCheckpoint(), "\n", "\n1", 1) },
		"origin":     func(r *auditv1.Receipt) { r.Origin = origin + "/202501" }, "withheld digest": func(r *auditv1.Receipt) { r.Subject.Digest[0] ^= 1 },
		"no part": func(r *auditv1.Receipt) { r.Bodies = nil }, "short salt": func(r *auditv1.Receipt) { r.Exchange.Salt = r.Exchange.Salt[:15] },
		"proof": func(r *auditv1.Receipt) { r.Proof = append(r.Proof, make([]byte, 32)) },
	} {
		bad := proto.CloneOf(got)
		edit(bad)
		raw, err := protojson.Marshal(bad)
		must(t, err)
		if out, err := run(t, "receipt", "--keys", keys, write(t, dir, "bad.json", raw)); !errors.As(err, &verify.BadError{}) {
			t.Errorf("%s: %s, %v", name, out, err)
		}
	}
	if out, err := run(t, "receipt", "--keys", keys, "--request", file, file); !errors.As(err, &verify.BadError{}) {
		t.Errorf("another body: %s, %v", out, err)
	}
	for _, args := range [][]string{
		nil, {"nonsense"}, {"receipt", file}, {"receipt", "--keys", file, file}, {"receipt", "--keys", keys, filepath.Join(dir, "missing")},
		{"receipt", "--keys", keys, body}, {"ledger", "--keys", keys}, {"consistency", "--keys", keys, file, file}, {"receipt", "--flag", "x"},
	} {
		if _, err := run(t, args...); err == nil || errors.As(err, &verify.BadError{}) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestConsistencyCommand(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.kept(recordOf())
	first := w.covered(1)
	w.kept(recordOf(), recordOf())
	second := w.covered(3)
	dir := w.exported()
	keys := filepath.Join(dir, export.Keys)
	early, late := write(t, dir, "early", first.Raw), write(t, dir, "late", second.Raw)
	if out, err := run(t, "consistency", "--keys", keys, "--ledger", dir, early, late); err != nil || !strings.Contains(out, "extends") {
		t.Errorf("%s, %v", out, err)
	}
	if out, err := run(t, "checkpoint", "--keys", keys, late); err != nil || !strings.Contains(out, "3 records") {
		t.Errorf("%s, %v", out, err)
	}
	split := write(t, dir, "split", w.signed(make([]byte, 32), 2))
	for _, pair := range [][2]string{{late, early}, {split, late}} {
		if out, err := run(t, "consistency", "--keys", keys, "--ledger", dir, pair[0], pair[1]); !errors.As(err, &verify.BadError{}) {
			t.Errorf("%v: %s, %v", pair, out, err)
		}
	}
}
