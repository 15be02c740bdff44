package transfer_test

import (
	"fmt"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// Questions to the identity service that come while one is under way go together, and each gets its own answer. Where a call for many fails,
// each person is asked about alone, so that one person's fault is nobody else's; where nobody answers, everybody counts as protected.
//
// covers: B.10
func TestQuestionsAboutProtectionGoTogether(t *testing.T) {
	t.Parallel()
	w := start(t, func(tb testing.TB) *sqlkit.DB { return sqltest.Open(tb, sqltest.MemoryConfig(tb)) }, []string{nord, syd})
	const crowd = 30
	handle := func(i int) string { return handleOf(syd, fmt.Sprintf("DK:%010d", i)) }
	w.reg.set(func(r *register) {
		for i := 0; i < crowd; i += 3 {
			r.protected[handle(i)] = true
		}
		r.asked, r.gate = make(chan struct{}, crowd), make(chan struct{})
	})
	c := w.as(syd)
	create := func(handle string) (*transferv1.CreateTransferResponse, error) {
		return c.CreateTransfer(t.Context(), &transferv1.CreateTransferRequest{Context: c.why(), ReleasingFundId: nord, Handle: handle, MembershipReference: "m"})
	}
	var calls sync.WaitGroup
	ask := func(i int) {
		calls.Go(func() {
			h := handle(i)
			if i%3 == 1 {
				h = "nobody.nobody.nobody"
			}
			out, err := create(h)
			if unknown := i%3 == 1; (status.Code(err) == codes.NotFound) != unknown || (err != nil) != unknown {
				t.Errorf("person %d: %v", i, err)
			}
			if got := out.GetTransfer().GetManual(); (len(got) > 0) != (i%3 == 0) {
				t.Errorf("person %d: %v", i, got)
			}
		})
	}
	ask(0)
	<-w.reg.asked // and is under way
	for i := 1; i < crowd; i++ {
		ask(i)
	}
	close(w.reg.gate)
	calls.Wait()
	if got := w.reg.batches.Load(); got >= crowd {
		t.Errorf("%d calls for %d questions", got, crowd)
	}
	w.reg.set(func(r *register) { r.broken = true })
	if out, err := create(handle(2)); err != nil || len(out.GetTransfer().GetManual()) > 0 {
		t.Errorf("asked alone: %v, %v", out, err)
	}
	w.reg.set(func(r *register) { r.away = true })
	if out, err := create(handle(2)); err != nil || len(out.GetTransfer().GetManual()) == 0 {
		t.Errorf("nobody answers: %v, %v", out, err)
	}
}
