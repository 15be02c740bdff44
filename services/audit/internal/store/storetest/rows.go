// Package storetest holds every implementation of store.Store to its contract, and makes rows for tests and benchmarks.
package storetest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"samvirke.dev/services/audit/internal/store"
)

// Shard is the one in which these rows are recorded.
const Shard = 202611

// Epoch is the start of the first row; the n-th starts n milliseconds later.
var Epoch = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant

// Names of the organisations in these rows.
func org(n int) string { return fmt.Sprintf("DK:%08d", 10_000_000+n) }

// RowOf returns the n-th row of a day at an exchange: 50 organisations, 20 RPCs of 5 services, 1 in 40 refused, 1 in 200 failed, traces of
// three calls, cases of ten.
func RowOf(n int) store.Row {
	r := store.Row{
		Service: fmt.Sprintf("service-%d", n%5), RPC: fmt.Sprintf("samvirke.service%d.v1.Service/Call%d", n%5, n%20),
		Caller: org(n % 50), Owner: org(n % 50), Purpose: int32(1 + n%7), Decision: 1, Started: Epoch.Add(time.Duration(n) * time.Millisecond),
		Lasted: time.Duration(1000+n%9000) * time.Microsecond, Trace: id(n/3, "trace"), Case: id(n/10, "case"), Subject: fmt.Sprintf("k00000001.%x", id(n/20, "subject")),
		Register: n%2 == 0, Sealed: make([]byte, 560),
	}
	switch {
	case n%40 == 39:
		r.Decision, r.Status, r.Outcome = 2, 7, store.Refused
	case n%200 == 100:
		r.Decision, r.Status, r.Outcome = 0, 13, store.Failed
	}
	if n%11 == 0 { // a fund calls about another controller's data
		r.Owner = org((n + 1) % 50)
	}
	r.Received = r.Started.Add(20 * time.Millisecond)
	copy(r.Event[:], id(n, "event"))
	binary.BigEndian.PutUint64(r.Event[:8], uint64(r.Started.UnixMilli())<<16|0x7000)
	r.Leaf = sha256.Sum256(r.Event[:])
	binary.BigEndian.PutUint64(r.Sealed, uint64(n))
	return r
}

// RowsOf returns rows from one number to another, exclusive.
func RowsOf(from, to int) []store.Row {
	out := make([]store.Row, 0, to-from)
	for n := from; n < to; n++ {
		out = append(out, RowOf(n))
	}
	return out
}

func id(n int, kind string) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", kind, n))
	return sum[:16]
}
