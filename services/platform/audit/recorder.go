package audit

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"

	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/sqlkit"
)

// ErrUnavailable means that a record could not be made durable; the call must fail and disclose nothing (SEC-07).
var ErrUnavailable = errors.New("audit record could not be written")

// Config is what a recorder needs.
type Config struct {
	DB       *sqlkit.DB
	Clock    clock.Clock
	Writer   *auditv1.Writer
	Seal     *keys.AEAD // encrypts records at rest
	Subjects *keys.PRF  // pseudonyms that only audit uses (domain C.6)
}

// Recorder closes entries durably.
type Recorder struct {
	db       *sqlkit.DB
	clock    clock.Clock
	writer   *auditv1.Writer
	seal     *keys.AEAD
	subjects *keys.PRF
	batch    *sqlkit.Batcher[closed]
	joined   []byte    // what a group commit seals; only flush touches it
	desks    sync.Pool // of *desk
}

// closed is an entry whose records are encoded, one a person, and wait to be sealed and written.
type closed struct {
	plain []byte // the records, each behind its length
	at    int64  // UTC microseconds
}

// digests bind a record to the bodies; key is random and the record's own.
type digests struct{ key, request, response []byte }

// flushLimit bounds one group commit, so that a stuck database becomes an answer and not a hang.
const flushLimit = 5 * time.Second

// NewRecorder starts a recorder; Close drains it.
func NewRecorder(ctx context.Context, cfg Config) *Recorder {
	r := &Recorder{
		db: cfg.DB, clock: cfg.Clock, writer: cfg.Writer, seal: cfg.Seal, subjects: cfg.Subjects,
	}
	r.desks.New = func() any { return &desk{} }
	r.batch = sqlkit.NewBatcher(ctx, sqlkit.BatchConfig{
		MaxBatch: 256, MaxQueue: 4096,
	}, r.flush)
	return r
}

// Close writes what is queued and stops.
func (r *Recorder) Close(ctx context.Context) error { return r.batch.Close(ctx) }

// CloseRead makes the entry durable by group commit. It does not give up when the caller goes away: the record of what was
// done matters more than the answer.
func (r *Recorder) CloseRead(ctx context.Context, e *Entry) error {
	c, err := r.encode(e)
	if err != nil {
		return err
	}
	if err := r.batch.Add(context.WithoutCancel(ctx), c); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	e.done = true
	return nil
}

// flush is the group commit: all queued entries in one transaction, and as a rule in one row.
func (r *Recorder) flush(ctx context.Context, batch []closed) error {
	ctx, cancel := context.WithTimeout(ctx, flushLimit)
	defer cancel()
	defer func() {
		if clear(r.joined); cap(r.joined) > 2*groupBytes { // batches of many persons come seldom, and need not be paid for in between
			r.joined = nil
		}
	}()
	r.joined = r.joined[:0]
	for _, c := range batch {
		r.joined = append(r.joined, c.plain...)
		clear(c.plain)
	}
	rows, err := sealGroups(r.seal, r.joined, batch[0].at)
	if err != nil {
		return err
	}
	return r.db.AppendRows(ctx, insertHead, insertColumns, arguments(rows))
}

// CloseChange writes the entry in the transaction that ctx carries, so that the change and its record stand or fall together.
// The entry counts as written only when MarkWritten follows the commit.
func (r *Recorder) CloseChange(ctx context.Context, e *Entry) error {
	c, err := r.encode(e)
	if err != nil {
		return err
	}
	rows, err := sealGroups(r.seal, c.plain, c.at)
	clear(c.plain)
	if err == nil {
		err = insert(ctx, r.db, rows)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// MarkWritten says that the transaction holding the entry was committed.
func (e *Entry) MarkWritten() { e.done = true }

// encode makes the records of an entry, one a person.
func (r *Recorder) encode(e *Entry) (closed, error) {
	k, ok := r.desks.Get().(*desk)
	if !ok { // the pool holds nothing else
		k = &desk{}
	}
	defer r.desks.Put(k)
	defer k.clear()
	c, err := r.encodeOn(k, e)
	if err != nil {
		return closed{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return c, nil
}

func (r *Recorder) encodeOn(k *desk, e *Entry) (closed, error) {
	d, err := r.digest(k, e)
	if err != nil {
		return closed{}, err
	}
	ended, subjects := r.clock.Now(), e.subjects()
	k.describe(e, r.writer, ended, d)
	if err := k.add(&k.record, false); err != nil {
		return closed{}, err
	}
	out, shared := closed{at: ended.UnixMicro()}, len(k.encoded)
	for i, about := range subjects {
		number := 0
		if len(e.items) > 0 {
			number = i + 1
		}
		if err := k.describePerson(e, about, number, r.subjects); err != nil {
			return closed{}, err
		}
		k.encoded = k.encoded[:shared]
		if err := k.add(&k.person, false); err != nil {
			return closed{}, err
		}
		out.plain = appendRecord(out.plain, k.encoded)
	}
	return out, nil
}

// digestKeySize is the size of a record's digest key in bytes.
const digestKeySize = 16

// digest binds the record to the bodies without holding anything of them: HMAC-SHA-256 of the deterministic encoding, under a random key of
// the record's own, which only the parties to the exchange are shown. So whoever kept a body can prove it, and nobody else guess it.
func (r *Recorder) digest(k *desk, e *Entry) (d digests, err error) {
	if e.Request == nil && e.Response == nil {
		return digests{}, nil
	}
	d.key = make([]byte, digestKeySize)
	_, _ = rand.Read(d.key) // never fails
	mac := hmac.New(sha256.New, d.key)
	if e.Request != nil {
		if d.request, err = k.digest(mac, e.Request); err != nil {
			return d, err
		}
	}
	if e.Response != nil {
		mac.Reset()
		d.response, err = k.digest(mac, e.Response)
	}
	return d, err
}

func (k *desk) digest(mac hash.Hash, m proto.Message) ([]byte, error) {
	defer k.forget()
	if err := k.add(m, true); err != nil {
		return nil, err
	}
	mac.Write(k.encoded)
	return mac.Sum(nil), nil
}
