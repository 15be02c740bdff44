package transfer_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"samvirke.dev/certs/mtls"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// flights is how many calls are under way at once.
const flights = 64

// inFlight makes b.N calls, so many at a time, and reports how many there are a second.
func inFlight(b *testing.B, call func(i int64) error) {
	b.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	for range flights {
		all.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := call(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// BenchmarkCommands measures commands against a bare grpc-go call over mutual TLS, all in one process with client and servers: ratios
// count. SQLite file with synchronous=FULL, everything on but Vault.
func BenchmarkCommands(b *testing.B) {
	w := start(b, func(tb testing.TB) *sqlkit.DB { return sqltest.Open(tb, sqltest.FileConfig(tb)) }, []string{nord, syd})
	config, err := mtls.ClientConfig(w.ca.Source(w.system(syd)), w.ca.Service("identity"))
	must(b, err)
	conn, err := grpc.NewClient("passthrough:///"+w.where, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	must(b, err)
	defer conn.Close() //nolint:errcheck // nothing is under way
	bare, c := identityv1.NewIdentityServiceClient(conn), w.as(syd)
	b.Run("bare", func(b *testing.B) {
		inFlight(b, func(int64) error {
			_, err := bare.GetProtectionStatus(b.Context(), &identityv1.GetProtectionStatusRequest{Context: c.why(), Handle: handleOf(syd, dane)})
			return err
		})
	})
	b.Run("CreateTransfer", func(b *testing.B) {
		inFlight(b, func(int64) error {
			_, err := c.CreateTransfer(b.Context(), &transferv1.CreateTransferRequest{
				Context: c.why(), ReleasingFundId: nord, Handle: handleOf(syd, dane), MembershipReference: "m",
			})
			return err
		})
	})
	var run atomic.Int64
	b.Run("RecordDues", func(b *testing.B) {
		r := run.Add(1)
		inFlight(b, func(i int64) error {
			_, err := c.members.RecordDues(b.Context(), &transferv1.RecordDuesRequest{
				Context: whyMember(syd), MembershipReference: fmt.Sprintf("m-%d-%d", r, i), Handle: handleOf(syd, dane), MemberSince: date(w.clk.Now()), PaidThrough: date(w.clk.Now()),
			})
			return err
		})
	})
	b.Run("WholeTransfer", func(b *testing.B) {
		r := run.Add(1)
		inFlight(b, func(i int64) error { return wholeTransfer(w, fmt.Sprintf("DK:%03d%07d", r, i)) })
	})
}

// wholeTransfer makes all commands of both parties, and waits for the exchange between them.
func wholeTransfer(w *world, number string) error {
	m := w.move(nord, syd, number)
	t := w.t.Context()
	created, err := m.to.CreateTransfer(t, &transferv1.CreateTransferRequest{Context: m.to.why(), ReleasingFundId: nord, Handle: handleOf(syd, number), MembershipReference: "m"})
	if err != nil {
		return err
	}
	m.id = created.GetTransfer().GetTransferId()
	if _, err := m.to.SubmitTransfer(t, m.application()); err != nil {
		return err
	}
	if err := m.verify(); err != nil {
		return err
	}
	if _, err := m.to.SendRequest(t, &transferv1.SendRequestRequest{Context: m.to.why(), TransferId: m.id}); err != nil {
		return err
	}
	if err := m.until(m.from, transferv1.TransferState_TRANSFER_STATE_REQUESTED); err != nil {
		return err
	}
	if err := m.acknowledge(); err != nil {
		return err
	}
	if err := m.deliver(1, danish(w.clk.Now())[0]); err != nil {
		return err
	}
	if _, err := m.confirm(); err != nil {
		return err
	}
	return m.until(m.to, transferv1.TransferState_TRANSFER_STATE_EXIT_CONFIRMED)
}

// until polls a record until it is in a state.
func (m *move) until(c *client, state transferv1.TransferState) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		got, err := m.get(c)
		if err == nil && got.GetTransfer().GetState() == state {
			return nil
		}
		select {
		case <-m.w.t.Context().Done():
			return m.w.t.Context().Err()
		case <-tick.C:
		}
	}
}
