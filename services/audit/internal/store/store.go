// Package store says what the audit service keeps and how it is found again. Implementations keep the contract in the comments; the suite
// in storetest holds them to it.
package store

import (
	"context"
	"errors"
	"time"
)

// Errors of a Store. Others are those of sqlkit.
var (
	// ErrNotFound means that there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrState means that an access is not in the state that the change needs.
	ErrState = errors.New("not in a state that allows it")
)

// ID is a record's place: number of the shard and index in its log. IDs grow in the order of recording.
type ID int64

const indexBits = 32

// Place returns the ID of an index in a shard.
func Place(shard uint32, index uint64) ID { return ID(int64(shard)<<indexBits | int64(index)) } //nolint:gosec // a shard is a year and month, an index below 2^32

// Shard returns the number of the shard.
func (id ID) Shard() uint32 { return uint32(id >> indexBits) } //nolint:gosec // what Place put there

// Index returns the index in the shard's log.
func (id ID) Index() uint64 { return uint64(id) & (1<<indexBits - 1) } //nolint:gosec // what Place put there

// Outcome sorts calls for statistics and search.
type Outcome int32

// The outcomes.
const (
	Done    Outcome = 0 // went well
	Refused Outcome = 1 // refused by the rules
	Failed  Outcome = 2 // any other error
)

// Row is a record as it is kept: the columns by which it is searched, its leaf, and all of it sealed.
type Row struct {
	ID       ID
	Event    [16]byte // event id, a UUID
	Item     uint32
	Service  string // that wrote it
	RPC      string // full name
	Caller   string // organisation that called, as DK:12345678; "" for our own services
	Owner    string // controller, as DK:12345678; "" when none was named
	Purpose  int32  // samvirke.vocabulary.v1.Purpose
	Decision int32  // samvirke.audit.v1.Decision
	Status   int32  // canonical gRPC code
	Outcome  Outcome
	Started  time.Time     // by the writer's clock
	Lasted   time.Duration // not negative
	Received time.Time     // by our clock
	Trace    []byte        // W3C trace id, 16 bytes or none
	Case     []byte        // keyed digest of calling organisation and case reference, or none
	Subject  string        // pseudonym of the person, or ""
	Register bool          // documents data from a public register, which is kept longer (domain rule RET-13)
	Leaf     [32]byte      // data of the leaf
	Sealed   []byte        // encrypted samvirke.audit.store.v1.SealedRecord; empty once erased
}

// Key is a row's place in the order of searches: by start, then by ID. The zero Key is after everything.
type Key struct {
	Started int64 `json:"s"` // microseconds since 1970
	ID      ID    `json:"i"`
}

// Query narrows a search. Zero fields do not narrow. Party or Owner is always set for callers from outside.
type Query struct {
	Party    string // organisation on either side: caller or controller
	Caller   string
	Owner    string
	Service  string
	RPC      string
	Purpose  int32
	Decision int32 // -1 asks for failed calls that ended before a decision
	Outcome  Outcome
	Trace    []byte
	Cases    [][]byte  // any of these digests
	Subjects []string  // any of these pseudonyms
	From     time.Time // not before
	Until    time.Time // before
	After    Key       // goes on behind this key, towards the past
	Limit    int       // most rows; at least 1
}

// Found is one page of a search.
type Found struct {
	Rows []Row // the latest first
	// Next is where to go on; the zero Key when there is no more. It may be set although there are few rows, or none: a search looks at a
	// bounded number of rows, so that no combination of conditions can make it slow.
	Next Key
}

// Leaf is one leaf of a log.
type Leaf struct {
	ID   ID
	Data [32]byte
}

// Shard is one log.
type Shard struct {
	Number     uint32 // year and month of recording, as 202611
	Size       uint64 // how many records were recorded
	Checkpoint string // the last one, of a shard that was dropped
	Dropped    bool
}

// Bucket counts calls of one minute, RPC and outcome whose duration is in one class.
type Bucket struct {
	Minute  time.Time
	Service string
	RPC     string
	Outcome Outcome
	Class   int // duration class; see Durations
	Calls   int64
}

// Access is a break-glass access (SEC-08).
type Access struct {
	ID           string
	Organisation string
	Owner        string // controller
	Reason       int32  // samvirke.audit.v1.AccessReason
	Requester    string // pseudonym of the employee who asked
	Approver     string // of the one who approved; "" until then
	Requested    time.Time
	Expires      time.Time // zero until approved
}

// Store keeps records, shards, counts and accesses. All methods are safe for concurrent use, also by several processes on one database.
type Store interface {
	// Append records the rows in their order, at the end of the shard: it fills in their IDs, which are dense, makes them durable and counts
	// them. Rows whose event and item are there already are left out. It tells how many were new. All or nothing.
	Append(ctx context.Context, shard uint32, rows []Row) (int, error)
	// Leaves returns up to limit leaves of the shard from an index on, in order.
	Leaves(ctx context.Context, shard uint32, from uint64, limit int) ([]Leaf, error)
	// Get returns the record of an event and item. ErrNotFound.
	Get(ctx context.Context, event [16]byte, item uint32) (Row, error)
	// Range returns up to limit rows of the shard from an index on, in order. Dropped ones are missing, erased ones have nothing sealed.
	Range(ctx context.Context, shard uint32, from uint64, limit int) ([]Row, error)
	// Search returns the rows that a query asks for.
	Search(ctx context.Context, q Query) (Found, error)
	// Oldest returns up to limit rows of a controller from a moment on, oldest first, behind the key; for exports.
	Oldest(ctx context.Context, owner string, from, until time.Time, after Key, limit int) ([]Row, error)
	// Counts returns the counts from one minute to another (exclusive), in no particular order.
	Counts(ctx context.Context, from, until time.Time) ([]Bucket, error)
	// Shards returns all shards, oldest first.
	Shards(ctx context.Context) ([]Shard, error)
	// Erase empties records of the shard that document no register data, at most limit at a time, and tells how many; their leaves stay.
	Erase(ctx context.Context, shard uint32, limit int) (int, error)
	// Drop deletes records of the shard, at most limit at a time, and tells how many. When none is left it keeps the last checkpoint and marks
	// the shard as dropped.
	Drop(ctx context.Context, shard uint32, checkpoint string, limit int) (int, error)
	// PutAccess keeps a requested access.
	PutAccess(ctx context.Context, a Access) error
	// Access returns an access. ErrNotFound.
	Access(ctx context.Context, id string) (Access, error)
	// Approve notes who approved an access and until when it is open. ErrNotFound; ErrState when it was approved before.
	Approve(ctx context.Context, id, approver string, expires time.Time) error
}
