// Package core holds the rules of evidence: what is kept of a record, who may see which part of it, how it is proved, checked, exported and
// at last erased.
package core

import (
	"context"
	"errors"
	"time"

	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/store"
)

// Errors of the use cases. Those of the store and the ledger come through as they are.
var (
	// ErrWriter means that a service tried to write as another.
	ErrWriter = errors.New("a service may only write as itself")
	// ErrNotFound means that there is no such record, or that the reader may not know of it.
	ErrNotFound = errors.New("no such record for this reader")
	// ErrPending means that no checkpoint covers the record yet.
	ErrPending = errors.New("no checkpoint covers the record yet")
	// ErrAccess means that an approved access is needed and not there (SEC-08).
	ErrAccess = errors.New("no approved access")
	// ErrEmployee means that the call must name the employee behind it.
	ErrEmployee = errors.New("the employee is not named")
	// ErrSamePerson means that somebody tried to approve their own access.
	ErrSamePerson = errors.New("approver and requester are the same")
)

// Clock tells the time.
type Clock interface{ Now() time.Time }

// Sealer encrypts records at rest.
type Sealer interface {
	Encrypt(plain, associated []byte) ([]byte, error)
	Decrypt(sealed, associated []byte) ([]byte, error)
}

// Digester makes keyed pseudonyms: the present one, and those of every key version that is still in use.
type Digester interface {
	Pseudonym(input string) (string, error)
	All(input string) ([]string, error)
}

// Ledger proves what stands in the logs.
type Ledger interface {
	Wake()
	Keys() proofs.Keys
	Checkpoint(ctx context.Context, shard uint32) (proofs.Checkpoint, error)
	Await(ctx context.Context, id store.ID) (proofs.Checkpoint, error)
	Inclusion(ctx context.Context, id store.ID, size uint64) ([][]byte, error)
	Hashes(ctx context.Context, shard uint32, first, n, size uint64) ([][]byte, error)
	Consistency(ctx context.Context, shard uint32, smaller, larger uint64) ([][]byte, error)
	Remove(shard uint32) error
}

// Codec turns encoded records into what is kept, and back.
type Codec interface {
	// Describe reads an encoded record.
	Describe(raw []byte) (Described, error)
	// Pack puts parts into what is sealed, Unpack takes them out again.
	Pack(parts *[proofs.Parts]proofs.Part) ([]byte, error)
	Unpack(packed []byte) ([proofs.Parts]proofs.Part, error)
}

// Described is a record as the codec understood it.
type Described struct {
	Row      store.Row // without place, time of receipt, case digest, leaf and sealed record
	Case     string    // case reference in the clear
	Contents [proofs.Parts][]byte
}

// Alerts tells those who watch.
type Alerts interface {
	// Access tells of a requested (approver "") or approved break-glass access.
	Access(ctx context.Context, a store.Access)
	// Restore tells of a restore that is about to be done, and notes in the call's record what and why.
	Restore(ctx context.Context, r Restore)
}

// Deps is what the service is made of; everything is needed.
type Deps struct {
	Store  store.Store
	Ledger Ledger
	Codec  Codec
	Seal   Sealer
	Cases  Digester
	Clock  Clock
	Alerts Alerts
	Keep   Keep
}

// Keep says how long records are kept, counted from the end of their shard's month (domain rule RET-13).
type Keep struct {
	Months         int // records in general
	RegisterMonths int // those that document data from a public register; a whole shard is dropped then
}

// Service is the use cases.
type Service struct {
	Deps

	batch batcher
}

// New returns the service; Close it before the store.
func New(ctx context.Context, d Deps) *Service {
	s := &Service{Deps: d}
	s.batch = newBatcher(ctx, s.flush)
	return s
}

// Close writes what is queued and stops.
func (s *Service) Close(ctx context.Context) error { return s.batch.Close(ctx) }

// Reader is who asks.
type Reader struct {
	Organisation string
	Controller   string // the controller of the agreement
	Employee     string // the caller's pseudonym of the person behind the call; "" for a system
	Auditor      bool   // auditor or supervisor of the controller, not a party
	Access       bool   // an approved access opens the person (SEC-08)
}

// sees says whether the reader may see a record at all: parties see their own exchanges, auditors those of their controller.
func (r Reader) sees(row *store.Row) bool {
	if r.Auditor {
		return row.Owner != "" && row.Owner == r.Controller
	}
	return r.Organisation != "" && (row.Caller == r.Organisation || row.Owner == r.Organisation)
}

// shows says which parts of a record the reader is shown. The person stays hidden from the parties, since its pseudonym is the same over
// all organisations; the bodies' digests from auditors, who could guess short bodies with their key.
func (r Reader) shows(row *store.Row) [proofs.Parts]bool {
	own := !r.Auditor && row.Caller == r.Organisation
	return [proofs.Parts]bool{
		proofs.Exchange: true, proofs.Staff: own || r.Auditor, proofs.Subject: r.Auditor && r.Access, proofs.Bodies: !r.Auditor,
	}
}
