package monthtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"

	"samvirke.dev/services/income"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/store/sqlstore"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/sqlkit"
)

// Sum is what came of the members with one outcome.
type Sum struct {
	Members int64 `json:"members"`
	Hours   int64 `json:"hours"`  // 1/100 h
	Amount  int64 `json:"amount"` // øre
}

// account adds up results in the order of handles. Two that are the same have the same sums and the same digest.
type account struct {
	sums   map[string]Sum
	digest hash.Hash
}

func newAccount() *account { return &account{map[string]Sum{}, sha256.New()} }

func (a *account) add(handle, outcome string, hours, amount int64) {
	s := a.sums[outcome]
	a.sums[outcome] = Sum{s.Members + 1, s.Hours + hours, s.Amount + amount}
	_, _ = fmt.Fprintln(a.digest, handle, outcome, hours, amount) // a hash never fails
}

func (a *account) hex() string { return hex.EncodeToString(a.digest.Sum(nil)) }

// compare reads both results back: the decisions, decrypted, and the statement's table, member by member.
func (b *bench) compare(ctx context.Context, r *Result) error {
	ours, err := b.decided(ctx)
	if err != nil {
		return err
	}
	theirs, err := b.stated(ctx)
	if err != nil {
		return err
	}
	r.Sums, r.PeerSums = ours.sums, theirs.sums
	r.Digest, r.PeerDigest = ours.hex(), theirs.hex()
	r.PeerSame = r.Digest == r.PeerDigest
	return nil
}

// decided reads the decisions.
func (b *bench) decided(ctx context.Context) (*account, error) {
	store, err := openStore(b.db, b.ring)
	if err != nil {
		return nil, err
	}
	var last int64
	if err := b.db.QueryRow(ctx, `SELECT max(id) FROM member`).Scan(&last); err != nil {
		return nil, err
	}
	out := newAccount()
	for from := int64(0); from <= last; from += batch {
		subjects, err := store.Subjects(ctx, controller, march(), from, from+batch-1)
		if err != nil {
			return nil, err
		}
		for i := range subjects {
			d := subjects[i].Latest
			if d == nil {
				d = &core.Decision{Outcome: "none"}
			}
			out.add(string(subjects[i].Handle), d.Outcome, int64(d.Hours), int64(d.Amount))
		}
	}
	return out, nil
}

// openStore opens a second store on the same database and keys.
func openStore(db *sqlkit.DB, ring *keys.Ring) (*sqlstore.Store, error) {
	k, err := income.StoreKeys(ring)
	if err != nil {
		return nil, err
	}
	return sqlstore.New(db, k, clock.System())
}

// stated reads what the statement wrote.
func (b *bench) stated(ctx context.Context) (*account, error) {
	rows, err := b.db.Query(ctx, `SELECT handle, outcome, hours, amount FROM peer_result ORDER BY handle`)
	if err != nil {
		return nil, err
	}
	out := newAccount()
	for rows.Next() {
		var handle, outcome string
		var hours, amount int64
		if err := rows.Scan(&handle, &outcome, &hours, &amount); err != nil {
			return nil, joinClose(err, rows)
		}
		out.add(handle, outcome, hours, amount)
	}
	return out, joinClose(rows.Err(), rows)
}
