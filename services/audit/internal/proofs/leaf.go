// Package proofs is the arithmetic of evidence: how a leaf is made of a record, how a receipt, a checkpoint and a whole exported ledger
// are checked. It needs no server, no key but the public one and no clock, and is shared by the audit service and samvirke-verify.
package proofs

import "crypto/sha256"

// The parts of a record, in the order in which their commitments make the leaf.
const (
	Exchange = iota // who, what, why, when and the decision
	Staff           // the calling organisation's own employees
	Subject         // the person, by a pseudonym
	Bodies          // digests of request and response with their key
	Parts           // how many there are
)

// Sizes in bytes.
const (
	SaltSize = 16
	HashSize = sha256.Size
)

// Frames, so that no hash can be taken for another kind.
const (
	partFrame = "samvirke part v1\x00"
	leafFrame = "samvirke leaf v1\x00"
)

// Part is one part of a record. Either Salt and Content are there, or, of a withheld part, only Digest.
type Part struct {
	Salt    []byte
	Content []byte
	Digest  []byte
}

// Withheld says whether only the commitment is known.
func (p Part) Withheld() bool { return len(p.Salt) == 0 }

// Commitment returns the part's commitment: SHA-256 of a frame, the part's number, the salt and the content.
func (p Part) Commitment(number int) [HashSize]byte {
	if p.Withheld() {
		var out [HashSize]byte
		copy(out[:], p.Digest)
		return out
	}
	var room [256]byte
	buf := append(room[:0], partFrame...)
	buf = append(buf, byte(number+1)) //nolint:gosec // one of four
	buf = append(buf, p.Salt...)
	return sha256.Sum256(append(buf, p.Content...))
}

// Leaf returns what stands in the ledger for a record in these parts: SHA-256 of a frame and the commitments in order. The tree hashes it
// once more, as RFC 6962 says.
func Leaf(parts *[Parts]Part) [HashSize]byte {
	var room [len(leafFrame) + Parts*HashSize]byte
	buf := append(room[:0], leafFrame...)
	for i := range parts {
		c := parts[i].Commitment(i)
		buf = append(buf, c[:]...)
	}
	return sha256.Sum256(buf)
}
