package insurance_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	"samvirke.dev/services/insurance"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/platform/suitetest"
)

// everything calls the RPCs that matter most and returns their errors. Nothing may be disclosed where an error is returned.
func everything(t *testing.T, fund, partner *client, subject string) map[string]error {
	t.Helper()
	data, err1 := partner.subject(partner.offer(), subject)
	box, err2 := partner.fetch(partner.offer(), "")
	_, err3 := fund.send(fund.offer(), agency, 0)
	_, err4 := fund.fund.ListDisclosures(t.Context(), &insurancev1.ListDisclosuresRequest{Context: fund.rights(), Handle: handle(0)})
	if err1 != nil && data != nil || err2 != nil && box != nil {
		t.Error("something was disclosed with an error")
	}
	return map[string]error{"GetSharedSubject": err1, "FetchShares": err2, "ShareContact": err3, "ListDisclosures": err4}
}

// Somebody else holds the write lock, the database is gone, or the keys are: a deliberate answer, nothing disclosed, and afterwards all is
// as it was.
//
// covers: SEC-07
func TestFaults(t *testing.T) {
	t.Parallel()
	cfg := sqltest.FileConfig(t)
	cfg.BusyTimeout, cfg.MaxAttempts = 20*time.Millisecond, 2
	rival := sqltest.Open(t, cfg)
	db := sqltest.Open(t, cfg)
	w := start(t, on(db))
	fund, partner := offers(w)
	_, err := fund.load(member(0))
	must(t, err)
	subject := fund.sent(fund.offer(), agency, 0)
	refused := func(what string) {
		t.Helper()
		for rpc, err := range everything(t, fund, partner, subject) {
			if code, reason := reasons(err); code != codes.Unavailable || !strings.HasSuffix(reason, "_UNAVAILABLE") {
				t.Errorf("%s, %s: %v", what, rpc, err)
			}
		}
	}
	well := func(what string) {
		t.Helper()
		for rpc, err := range everything(t, fund, partner, subject) {
			if err != nil {
				t.Errorf("after %s, %s: %v", what, rpc, err)
			}
		}
	}
	well("nothing")
	must(t, rival.InTx(t.Context(), func(context.Context) error { refused("locked"); return nil }))
	well("the lock")
	w.Wrap.Fail(errors.New("away"))
	w.clock.Advance(2 * time.Hour)
	refused("keys away")
	w.Wrap.Fail(nil)
	must(t, w.Keys.Refresh(t.Context()))
	well("the keys")
	must(t, db.Close())
	refused("database gone")
}

// Two replicas share the database: an opt-out that one takes holds for the next call at the other, and a partner's key that one made is
// the other's too.
func TestTwoReplicas(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t, sqltest.PostgresConfig(t))
	wrap := suitetest.NewLocalWrap()
	same := func(o *suitetest.Options, _ *insurance.Config) { o.DB, o.Wrap = db, wrap }
	one, two := start(t, same), start(t, same)
	fund, partner := offers(one)
	_, err := fund.load(member(0), member(1))
	must(t, err)
	subject := fund.sent(fund.offer(), agency, 0)
	elsewhere := two.as(fundDK, fundDK)
	if got := elsewhere.sent(elsewhere.offer(), agency, 0); got != subject {
		t.Errorf("%s and %s", got, subject)
	}
	must(t, elsewhere.optOut(0))
	_, err = partner.subject(partner.offer(), subject)
	wantReason(t, err, "OPTED_OUT")
}

// Random and damaged requests get a deliberate answer, never one that blames us. SAMVIRKE_TEST_HOSTILE is how many each RPC gets.
func TestRandomRequests(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, _ := offers(w)
	_, err := fund.load(member(0), member(1))
	must(t, err)
	subject := fund.sent(fund.offer(), agency, 0)
	conns := map[string]*grpc.ClientConn{fundService: w.Dial(w.workloadOf(fundDK)), shareService: w.Dial(w.workloadOf(agency))}
	rng := rand.New(rand.NewPCG(7, 11))
	each := 400
	if n, err := strconv.Atoi(os.Getenv("SAMVIRKE_TEST_HOSTILE")); err == nil {
		each = n
	}
	for rpc, in := range right(fund, subject) {
		service := rpc[:strings.LastIndexByte(rpc, '/')+1]
		if conns[service] == nil {
			continue
		}
		good, err := proto.Marshal(in)
		must(t, err)
		for range each {
			body := damaged(rng, good)
			var answer []byte
			err := conns[service].Invoke(t.Context(), "/"+rpc, body, &answer, grpc.ForceCodec(raw{}))
			switch status.Code(err) { //nolint:exhaustive // the others are deliberate
			case codes.Internal, codes.Unknown, codes.DataLoss, codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
				t.Fatalf("%s: %v for %x", rpc, err, body)
			}
		}
	}
}

// damaged changes, cuts, doubles or inserts bytes.
func damaged(rng *rand.Rand, good []byte) []byte {
	body := append([]byte(nil), good...)
	for range 1 + rng.IntN(4) {
		at := rng.IntN(len(body) + 1)
		switch rng.IntN(4) {
		case 0:
			if at < len(body) {
				body[at] = byte(rng.Uint32())
			}
		case 1:
			body = body[:at]
		case 2:
			body = append(body, body[:at]...)
		default:
			body = append(body[:at:at], append([]byte{byte(rng.Uint32())}, body[at:]...)...)
		}
	}
	return body
}

// raw sends and receives bytes as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, errors.New("want bytes")
	}
	return b, nil
}

func (raw) Unmarshal(b []byte, v any) error {
	out, ok := v.(*[]byte)
	if !ok {
		return errors.New("want bytes")
	}
	*out = append([]byte(nil), b...)
	return nil
}

func (raw) Name() string { return "proto" }
