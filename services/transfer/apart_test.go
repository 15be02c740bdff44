package transfer_test

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// part keeps the funds from telling each other anything until they are joined again.
func (w *world) part() {
	for _, n := range w.nodes {
		n.stop()
	}
}

func (w *world) join() {
	for _, n := range w.nodes {
		n.run(w.t)
	}
}

// For hours neither party reaches the other while both go on: what each did is told in order when they are together again, a withdrawal
// that crossed with the exit is a person's matter, and both end alike.
//
// covers: DFH-05
func TestPartitionOverTheWire(t *testing.T) {
	t.Parallel()
	for name, db := range map[string]func(testing.TB) *sqlkit.DB{
		"SQLite":     func(tb testing.TB) *sqlkit.DB { return sqltest.Open(tb, sqltest.MemoryConfig(tb)) },
		"PostgreSQL": func(tb testing.TB) *sqlkit.DB { return sqltest.Open(tb, sqltest.PostgresConfig(tb)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, db, []string{nord, ett}, []string{syd, tva})
			m := w.move(nord, syd, dane)
			m.asked()
			w.part()
			hours := func() {
				t.Helper()
				w.clk.offset.Add(int64(3 * time.Hour))
				for _, n := range w.nodes {
					must(t, n.Keys.Refresh(t.Context()))
				}
				m.sweep()
			}
			must(t, m.acknowledge())
			for i, p := range danish(w.clk.Now()) {
				hours()
				must(t, m.deliverOne(i+1, p, i == 6))
			}
			_, err := m.to.WithdrawPowerOfAttorney(t.Context(), &transferv1.WithdrawPowerOfAttorneyRequest{
				Context: m.to.why(), TransferId: m.id, Channel: transferv1.WithdrawalChannel_WITHDRAWAL_CHANNEL_LETTER,
			})
			must(t, err)
			hours()
			_, err = m.confirm()
			must(t, err)
			got, err := m.get(m.to)
			must(t, err)
			if x := got.GetTransfer(); x.GetState() != transferv1.TransferState_TRANSFER_STATE_REQUESTED || !x.GetWithdrawalPending() {
				t.Fatalf("something came through: %v", x)
			}
			w.join()
			for _, c := range []*client{m.to, m.from} {
				within(t, c.fund+" is told", func() bool {
					got, err := m.get(c)
					x := got.GetTransfer()
					return err == nil && x.GetState() == transferv1.TransferState_TRANSFER_STATE_EXIT_CONFIRMED && x.GetParts() == 7 && !x.GetWithdrawalPending() &&
						slices.Contains(x.GetManual(), transferv1.ManualReason_MANUAL_REASON_WITHDRAWAL)
				})
			}
		})
	}
}

// deliverOne delivers a part that need not be the last.
func (m *move) deliverOne(number int, p *transferv1.DataPackage, last bool) error {
	stream, err := m.from.DeliverPackage(m.w.t.Context())
	if err != nil {
		return err
	}
	err = stream.Send(&transferv1.DeliverPackageRequest{Context: m.from.why(), TransferId: m.id, Part: int32(number), Package: p, Last: last})
	if err != nil {
		return err
	}
	if _, err := stream.Recv(); err != nil {
		return err
	}
	return stream.CloseSend()
}

// A part that was tampered with in the releasing fund's store is refused by the receiving fund, over real sockets and with the real keys. It
// is not sent again and again: the case waits for an employee, and goes on when the part is mended.
func TestTamperedPartWaitsForAPerson(t *testing.T) {
	t.Parallel()
	w := start(t, nil, []string{nord}, []string{syd})
	m := w.move(nord, syd, dane)
	m.asked()
	must(t, m.acknowledge())
	m.is(m.to, transferv1.TransferState_TRANSFER_STATE_ACKNOWLEDGED)
	w.part()
	must(t, m.deliver(1, danish(w.clk.Now())[0]))
	db := m.from.node.DB
	flip := func() {
		t.Helper()
		var content []byte
		must(t, db.QueryRow(t.Context(), `SELECT content FROM transfer_part WHERE fund = $1`, nord).Scan(&content))
		content[len(content)/2] ^= 1
		_, err := db.Exec(t.Context(), `UPDATE transfer_part SET content = $1 WHERE fund = $2`, content, nord)
		must(t, err)
	}
	flip()
	w.join()
	refusal := []transferv1.ManualReason{transferv1.ManualReason_MANUAL_REASON_REFUSED}
	within(t, "a person is called", func() bool {
		got, err := m.get(m.from)
		return err == nil && slices.Equal(got.GetTransfer().GetManual(), refusal)
	})
	if got := m.is(m.to, transferv1.TransferState_TRANSFER_STATE_ACKNOWLEDGED); len(got.GetReceipts()) != 0 {
		t.Errorf("taken: %v", got)
	}
	if records := m.from.node.timed(t, "transfer.manual_set")[nord]; len(records) != 1 {
		t.Errorf("%d audit records", len(records))
	}
	resume := &transferv1.ResumeExchangeRequest{Context: m.from.why(), TransferId: m.id}
	resume.Context.ActorId = ""
	_, err := m.from.ResumeExchange(t.Context(), resume)
	refused(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION", "HUMAN_NEEDED")
	flip() // mended
	resume.Context = m.from.why()
	out, err := m.from.ResumeExchange(t.Context(), resume)
	must(t, err)
	if len(out.GetTransfer().GetManual()) != 0 {
		t.Errorf("%v", out)
	}
	m.is(m.to, transferv1.TransferState_TRANSFER_STATE_DATA_DELIVERED)
}
