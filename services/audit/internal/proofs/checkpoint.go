package proofs

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
)

// Errors of checks. Each says what is wrong, none who did it.
var (
	// ErrCheckpoint means that a checkpoint is not signed by a key of the ledger, or is not of the log.
	ErrCheckpoint = errors.New("the checkpoint is not signed by the ledger's key, or is of another log")
	// ErrProof means that a proof does not lead from the leaf to the root.
	ErrProof = errors.New("the proof does not lead to the root of the checkpoint")
	// ErrConsistency means that a tree is no extension of an earlier one.
	ErrConsistency = errors.New("the later tree is no extension of the earlier one")
	// ErrForm means that a file can't be read as what it should be.
	ErrForm = errors.New("malformed")
)

// algEd25519 is the algorithm byte of a signed note's Ed25519 key.
const algEd25519 = 1

// Key is a public key of the ledger. All its logs share it; each has a name of its own below the ledger's.
type Key struct {
	Origin string // name of the ledger, as samvirke.example/ledger
	Public ed25519.PublicKey
}

// String returns the key as a signed note's verifier key of the ledger's own name: name, hash and key, joined by plus signs.
func (k Key) String() string {
	return fmt.Sprintf("%s+%08x+%s", k.Origin, k.hash(k.Origin), base64.StdEncoding.EncodeToString(append([]byte{algEd25519}, k.Public...)))
}

// ParseKey reads what String writes. Errors: ErrForm.
func ParseKey(text string) (Key, error) {
	bad := func(why string) (Key, error) { return Key{}, fmt.Errorf("%w: public key: %s", ErrForm, why) }
	parts := strings.SplitN(strings.TrimSpace(text), "+", 3)
	if len(parts) != 3 {
		return bad("want name, hash and key, joined by +")
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != algEd25519 {
		return bad("want an Ed25519 key")
	}
	k := Key{Origin: parts[0], Public: raw[1:]}
	if k.Origin == "" || strings.ContainsAny(k.Origin, " \n") || parts[1] != fmt.Sprintf("%08x", k.hash(k.Origin)) {
		return bad("the hash does not belong to name and key")
	}
	return k, nil
}

// hash is the key's number in signatures under a name, as C2SP signed-note says.
func (k Key) hash(name string) uint32 {
	h := sha256.New()
	h.Write([]byte(name + "\n"))
	h.Write([]byte{algEd25519})
	h.Write(k.Public)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// Verifier returns the verifier of the checkpoints of a log of the ledger.
func (k Key) Verifier(origin string) note.Verifier { return verifier{origin, k.hash(origin), k.Public} }

type verifier struct {
	name   string
	hash   uint32
	public ed25519.PublicKey
}

// Name implements note.Verifier.
func (v verifier) Name() string { return v.name }

// KeyHash implements note.Verifier.
func (v verifier) KeyHash() uint32 { return v.hash }

// Verify implements note.Verifier.
func (v verifier) Verify(msg, sig []byte) bool { return ed25519.Verify(v.public, msg, sig) }

// Keys are the ledger's public keys: the present one and those before it.
type Keys []Key

// ParseKeys reads keys, one a line; lines that are empty or begin with # are passed over. Errors: ErrForm.
func ParseKeys(text []byte) (Keys, error) {
	var out Keys
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		k, err := ParseKey(string(line))
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: no public key", ErrForm)
	}
	return out, nil
}

// Origin returns the name of a shard's log, the first line of its checkpoints.
func Origin(ledger string, shard uint32) string {
	return ledger + "/" + strconv.FormatUint(uint64(shard), 10)
}

// Checkpoint is a signed statement of a log's size and root.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   []byte
	Raw    []byte
}

// Open checks a checkpoint of the named log; of any log of the ledger when origin is empty. Errors: ErrCheckpoint.
func (ks Keys) Open(raw []byte, origin string) (Checkpoint, error) {
	if origin == "" {
		first, _, _ := bytes.Cut(raw, []byte("\n"))
		origin = string(first)
	}
	for _, k := range ks {
		if !strings.HasPrefix(origin, k.Origin+"/") {
			continue
		}
		cp, rest, _, err := log.ParseCheckpoint(raw, origin, k.Verifier(origin))
		if err == nil && len(rest) == 0 && len(cp.Hash) == HashSize {
			return Checkpoint{Origin: origin, Size: cp.Size, Root: cp.Hash, Raw: raw}, nil
		}
	}
	return Checkpoint{}, ErrCheckpoint
}
