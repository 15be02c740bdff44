package proofs

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// Receipt is a record's place in the ledger with the proof of it.
type Receipt struct {
	Origin     string
	Index      uint64
	Parts      [Parts]Part
	Proof      [][]byte
	Checkpoint []byte
}

// Verify checks a receipt by the public keys alone and returns its checkpoint. Errors: ErrForm, ErrCheckpoint, ErrProof.
func (r *Receipt) Verify(keys Keys) (Checkpoint, error) {
	for i := range r.Parts {
		if err := r.Parts[i].wellFormed(); err != nil {
			return Checkpoint{}, fmt.Errorf("part %d: %w", i+1, err)
		}
	}
	cp, err := keys.Open(r.Checkpoint, r.Origin)
	if err != nil {
		return Checkpoint{}, err
	}
	leaf := Leaf(&r.Parts)
	if err := Included(cp, r.Index, leaf[:], r.Proof); err != nil {
		return Checkpoint{}, err
	}
	return cp, nil
}

func (p Part) wellFormed() error {
	switch {
	case p.Withheld() && (len(p.Content) > 0 || len(p.Digest) != HashSize):
		return fmt.Errorf("%w: a withheld part has a digest and nothing else", ErrForm)
	case !p.Withheld() && len(p.Salt) != SaltSize:
		return fmt.Errorf("%w: salt", ErrForm)
	}
	return nil
}

// Included checks that a leaf's data stand at an index of the checkpoint's tree. Errors: ErrProof.
func Included(cp Checkpoint, index uint64, data []byte, path [][]byte) error {
	if proof.VerifyInclusion(rfc6962.DefaultHasher, index, cp.Size, rfc6962.DefaultHasher.HashLeaf(data), path, cp.Root) != nil {
		return ErrProof
	}
	return nil
}

// Consistent checks that the tree of the later checkpoint extends that of the earlier. Errors: ErrConsistency.
func Consistent(earlier, later Checkpoint, path [][]byte) error {
	if earlier.Origin != later.Origin || earlier.Size > later.Size {
		return ErrConsistency
	}
	if proof.VerifyConsistency(rfc6962.DefaultHasher, earlier.Size, later.Size, path, earlier.Root, later.Root) != nil {
		return ErrConsistency
	}
	return nil
}

// Digest returns the digest of a request's or response's body in a record: HMAC-SHA-256 under the record's own random key.
func Digest(key, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(body)
	return h.Sum(nil)
}

// Proves says whether a body is the one whose digest stands in a record.
func Proves(key, body, digest []byte) bool {
	return len(key) > 0 && subtle.ConstantTimeCompare(Digest(key, body), digest) == 1
}
