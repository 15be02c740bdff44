package transfer_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// move is a move under way: who, from where, to where, and what both funds' systems say.
type move struct {
	w        *world
	from, to *client
	number   string
	id       string
}

func (w *world) move(from, to, number string) *move {
	return &move{w: w, from: w.as(from), to: w.as(to), number: number}
}

func nationalID(number string) *commonv1.NationalId {
	country := vocabularyv1.Country_COUNTRY_SE
	if strings.HasPrefix(number, "DK:") {
		country = vocabularyv1.Country_COUNTRY_DK
	}
	return &commonv1.NationalId{Country: country, Value: number[3:]}
}

func (m *move) create() {
	m.w.t.Helper()
	out, err := m.to.CreateTransfer(m.w.t.Context(), &transferv1.CreateTransferRequest{
		Context: m.to.why(), ReleasingFundId: m.from.fund, Handle: handleOf(m.to.fund, m.number), MembershipReference: "new-1",
	})
	must(m.w.t, err)
	m.id = out.GetTransfer().GetTransferId()
}

func (m *move) application() *transferv1.SubmitTransferRequest {
	in := &transferv1.SubmitTransferRequest{
		Context: m.to.why(), TransferId: m.id, Source: transferv1.ApplicationSource_APPLICATION_SOURCE_SMS_71350,
		Application: &transferv1.MembershipApplication{Name: "Canary Testperson", PhoneNumber: "+4512345678", NationalId: nationalID(m.number)},
	}
	if m.to.fund[:2] == "DK" {
		in.WorkSituation = transferv1.WorkSituation_WORK_SITUATION_OUT_OF_WORK
	}
	return in
}

func (m *move) submit() {
	m.w.t.Helper()
	_, err := m.to.SubmitTransfer(m.w.t.Context(), m.application())
	must(m.w.t, err)
}

func (m *move) verify(edits ...func(say)) error {
	text := m.w.issuer.poa(m.w.t, m.number, m.to.fund, m.from.fund, m.w.clk.Now(), edits...)
	_, err := m.to.VerifyPowerOfAttorney(m.w.t.Context(), &transferv1.VerifyPowerOfAttorneyRequest{Context: m.to.why(), TransferId: m.id, Assertion: text})
	return err
}

// asked brings the case to REQUESTED in both funds.
func (m *move) asked() {
	m.w.t.Helper()
	m.create()
	m.submit()
	must(m.w.t, m.verify())
	_, err := m.to.SendRequest(m.w.t.Context(), &transferv1.SendRequestRequest{Context: m.to.why(), TransferId: m.id})
	must(m.w.t, err)
	m.is(m.from, transferv1.TransferState_TRANSFER_STATE_REQUESTED)
}

func (m *move) get(c *client) (*transferv1.GetTransferResponse, error) {
	return c.GetTransfer(m.w.t.Context(), &transferv1.GetTransferRequest{Context: c.why(), TransferId: m.id})
}

// is waits until a fund's record is in a state, and returns it.
func (m *move) is(c *client, state transferv1.TransferState) (got *transferv1.GetTransferResponse) {
	m.w.t.Helper()
	within(m.w.t, c.fund+" "+state.String(), func() bool {
		var err error
		got, err = m.get(c)
		return err == nil && got.GetTransfer().GetState() == state
	})
	return got
}

func (m *move) acknowledge() error {
	_, err := m.from.AcknowledgeTransfer(m.w.t.Context(), &transferv1.AcknowledgeTransferRequest{
		Context: m.from.why(), TransferId: m.id, MembershipReference: "old-1", MemberSince: date(m.w.clk.Now().AddDate(-3, 0, 0)),
	})
	return err
}

// deliver streams packages, the last of them as the last part.
func (m *move) deliver(first int, packages ...*transferv1.DataPackage) error {
	ctx, cancel := context.WithCancel(m.w.t.Context())
	defer cancel()
	stream, err := m.from.DeliverPackage(ctx)
	if err != nil {
		return err
	}
	for i, p := range packages {
		err := stream.Send(&transferv1.DeliverPackageRequest{
			Context: m.from.why(), TransferId: m.id, Part: int32(first + i), Package: p, Last: i == len(packages)-1,
		})
		if err != nil {
			return err
		}
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
	return stream.CloseSend()
}

func (m *move) confirm() (*transferv1.Transfer, error) {
	out, err := m.from.ConfirmExit(m.w.t.Context(), &transferv1.ConfirmExitRequest{Context: m.from.why(), TransferId: m.id})
	return out.GetTransfer(), err
}

func (m *move) sweep() {
	m.w.t.Helper()
	for _, n := range m.w.nodes {
		must(m.w.t, n.parts.Sweep(m.w.t.Context()))
	}
}

func days(from, to time.Time) *transferv1.Period {
	return &transferv1.Period{FirstDay: date(from), LastDay: date(to)}
}

// danish are all packages of Denmark, the ledger with 96 months.
func danish(now time.Time) []*transferv1.DataPackage {
	period := days(now.AddDate(-3, 0, 0), now)
	ledger := &transferv1.ConsumptionLedger{}
	for i := range 96 {
		month := time.Date(now.Year(), now.Month()-time.Month(i), 1, 0, 0, 0, 0, time.UTC)
		ledger.Months = append(ledger.Months, &transferv1.ConsumedMonth{Month: int32(month.Year()*100 + int(month.Month())), Hours: int64(100 * i)})
	}
	return []*transferv1.DataPackage{
		{Content: &transferv1.DataPackage_Membership{Membership: &transferv1.MembershipPackage{
			Insurance: []*transferv1.InsurancePeriod{{Period: period, Category: transferv1.InsuranceCategory_INSURANCE_CATEGORY_FULL_TIME}},
		}}},
		{Content: &transferv1.DataPackage_BenefitRight{BenefitRight: &transferv1.BenefitRightPackage{SupplementaryWeeks: 12, SurplusHours: 740}}},
		{Content: &transferv1.DataPackage_Payments{Payments: &transferv1.PaymentsPackage{Payments: []*transferv1.Payment{{Month: 202609, Amount: 2035900, Hours: 16033}}}}},
		{Content: &transferv1.DataPackage_EarlyRetirement{EarlyRetirement: &transferv1.EarlyRetirementPackage{Contributions: []*transferv1.Period{period}}}},
		{Content: &transferv1.DataPackage_Sanctions{Sanctions: &transferv1.SanctionsPackage{Debt: 120000}}},
		{Content: &transferv1.DataPackage_Exemptions{Exemptions: &transferv1.ExemptionPackage{Exempt: []*transferv1.Period{period}}}},
		{Content: &transferv1.DataPackage_Consumption{Consumption: ledger}},
	}
}

func swedish(fund string, now time.Time) *transferv1.DataPackage {
	return &transferv1.DataPackage{Content: &transferv1.DataPackage_SwedishMembership{SwedishMembership: &transferv1.SwedishMembershipPackage{
		Periods: []*transferv1.Period{days(now.AddDate(-5, 0, 0), now)}, FundId: fund, LastMonth: 202611, PaidThroughMonth: 202611,
	}}}
}

// worlds runs a test with one Samvirke for all funds and with one for each, on both databases.
func worlds(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	for name, db := range map[string]func(testing.TB) *sqlkit.DB{
		"SQLite":     func(tb testing.TB) *sqlkit.DB { return sqltest.Open(tb, sqltest.MemoryConfig(tb)) },
		"PostgreSQL": func(tb testing.TB) *sqlkit.DB { return sqltest.Open(tb, sqltest.PostgresConfig(tb)) },
	} {
		t.Run(name+", one Samvirke", func(t *testing.T) {
			t.Parallel()
			fn(t, start(t, db, []string{nord, syd, ett, tva}))
		})
		t.Run(name+", two Samvirkes", func(t *testing.T) {
			t.Parallel()
			fn(t, start(t, db, []string{nord, ett}, []string{syd, tva}))
		})
	}
}

const (
	dane  = "DK:0709614126"
	swede = "SE:198111309285"
)

// A whole Danish move over real sockets: data of 96 months, receipts to both, addresses followed by the new fund and no longer by the old.
//
// covers: DFH-05 REG-06 SEK-23 SEK-24 SEK-27 SEK-26
func TestDanishMove(t *testing.T) {
	t.Parallel()
	worlds(t, func(t *testing.T, w *world) {
		t.Helper()
		m := w.move(nord, syd, dane)
		m.asked()
		must(t, m.acknowledge())
		m.is(m.to, transferv1.TransferState_TRANSFER_STATE_ACKNOWLEDGED)
		sent := danish(w.clk.Now())
		must(t, m.deliver(1, sent...))
		n := m.is(m.to, transferv1.TransferState_TRANSFER_STATE_DATA_DELIVERED)
		o := m.is(m.from, transferv1.TransferState_TRANSFER_STATE_DATA_DELIVERED)
		if len(n.GetReceipts()) != len(sent) || len(o.GetReceipts()) != len(sent) {
			t.Fatalf("%d and %d receipts", len(n.GetReceipts()), len(o.GetReceipts()))
		}
		for i, r := range n.GetReceipts() {
			if string(r.GetDigest()) != string(o.GetReceipts()[i].GetDigest()) || r.GetSignature() == "" {
				t.Errorf("receipt %d differs", i+1)
			}
		}
		read, err := m.to.ReadPackages(t.Context(), &transferv1.ReadPackagesRequest{Context: m.to.why(), TransferId: m.id})
		must(t, err)
		if got := read.GetPackages(); len(got) != len(sent) || len(got[6].GetPackage().GetConsumption().GetMonths()) != 96 {
			t.Fatalf("%d packages", len(got))
		}
		_, err = m.from.ReadPackages(t.Context(), &transferv1.ReadPackagesRequest{Context: m.from.why(), TransferId: m.id})
		refused(t, err, codes.PermissionDenied, "WRONG_PARTY", "")
		confirmed, err := m.confirm()
		must(t, err)
		n = m.is(m.to, transferv1.TransferState_TRANSFER_STATE_EXIT_CONFIRMED)
		if iso(n.GetTransfer().GetEffectiveOn()) != iso(confirmed.GetEffectiveOn()) {
			t.Fatal("the funds do not agree on the day")
		}
		m.sweep() // too early
		m.is(m.to, transferv1.TransferState_TRANSFER_STATE_EXIT_CONFIRMED)
		w.later(70)
		w.reg.set(func(r *register) { r.away = true })
		for _, n := range w.nodes {
			if err := n.parts.Sweep(t.Context()); err == nil {
				t.Error("the identity service is away, and nobody says so")
			}
		}
		w.reg.set(func(r *register) { r.away = false })
		m.sweep()
		m.is(m.to, transferv1.TransferState_TRANSFER_STATE_EFFECTIVE)
		m.is(m.from, transferv1.TransferState_TRANSFER_STATE_EFFECTIVE)
		opened, closed := w.reg.opened[handleOf(syd, dane)+" new-1"], w.reg.closed[handleOf(nord, dane)+" old-1"]
		if opened != iso(confirmed.GetEffectiveOn()) || closed != iso(confirmed.GetEndsOn()) {
			t.Errorf("address followed from %q, and until %q", opened, closed)
		}
	})
}

// A Swedish move, watched by both funds.
//
// covers: DFH-05
func TestSwedishMove(t *testing.T) {
	t.Parallel()
	worlds(t, func(t *testing.T, w *world) {
		t.Helper()
		m := w.move(ett, tva, swede)
		m.asked()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		watching, err := m.to.WatchTransfer(ctx, &transferv1.WatchTransferRequest{Context: m.to.why(), TransferId: m.id, After: 2})
		must(t, err)
		must(t, m.acknowledge())
		must(t, m.deliver(1, swedish(ett, w.clk.Now())))
		_, err = m.confirm()
		must(t, err)
		var kinds []string
		for len(kinds) < 5 {
			got, err := watching.Recv()
			must(t, err)
			for _, e := range got.GetEvents() {
				kinds = append(kinds, strings.TrimPrefix(e.GetKind().String(), "TRANSFER_EVENT_KIND_"))
			}
		}
		if want := "POA_VERIFIED REQUESTED ACKNOWLEDGED DATA_DELIVERED EXIT_CONFIRMED"; strings.Join(kinds, " ") != want {
			t.Errorf("watched %v, want %s", kinds, want)
		}
		got := m.is(m.from, transferv1.TransferState_TRANSFER_STATE_EXIT_CONFIRMED).GetTransfer()
		if got.GetEffectiveOn().GetDay() != 1 {
			t.Errorf("effective on %v", got.GetEffectiveOn())
		}
	})
}

// Rejected, corrected as a new transfer, and withdrawn: the data are erased with a certificate.
//
// covers: SEK-24
func TestRejectionCorrectionWithdrawal(t *testing.T) {
	t.Parallel()
	worlds(t, func(t *testing.T, w *world) {
		t.Helper()
		m := w.move(nord, syd, dane)
		m.asked()
		_, err := m.from.RejectTransfer(t.Context(), &transferv1.RejectTransferRequest{
			Context: m.from.why(), TransferId: m.id, Code: transferv1.RejectionCode_REJECTION_CODE_DATE_CONFLICT,
		})
		must(t, err)
		if got := m.is(m.to, transferv1.TransferState_TRANSFER_STATE_REJECTED).GetTransfer(); !got.GetCorrectable() {
			t.Error("a conflict of dates can be corrected")
		}
		m.asked() // anew
		must(t, m.acknowledge())
		must(t, m.deliver(1, danish(w.clk.Now())[0]))
		m.is(m.to, transferv1.TransferState_TRANSFER_STATE_DATA_DELIVERED)
		out, err := m.to.WithdrawPowerOfAttorney(t.Context(), &transferv1.WithdrawPowerOfAttorneyRequest{
			Context: m.to.why(), TransferId: m.id, Channel: transferv1.WithdrawalChannel_WITHDRAWAL_CHANNEL_PHONE,
		})
		must(t, err)
		if !out.GetTransfer().GetWithdrawalPending() {
			t.Errorf("%v", out)
		}
		n := m.is(m.to, transferv1.TransferState_TRANSFER_STATE_WITHDRAWN)
		o := m.is(m.from, transferv1.TransferState_TRANSFER_STATE_WITHDRAWN)
		if n.GetErasure().GetParts() != 1 || o.GetErasure() == nil || len(n.GetTransfer().GetPoaHash()) != 32 {
			t.Errorf("%v\n%v", n, o)
		}
		read, err := m.to.ReadPackages(t.Context(), &transferv1.ReadPackagesRequest{Context: m.to.why(), TransferId: m.id})
		must(t, err)
		if read.GetPackages()[0].GetPackage() != nil || read.GetPackages()[0].GetReceipt() == nil {
			t.Errorf("%v", read)
		}
	})
}

// What callers do wrong, each with its answer.
//
// covers: MIN-36 GAP-11 SEK-23
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := start(t, nil, []string{nord, ett}, []string{syd, tva})
	m := w.move(nord, syd, dane)
	for other, violation := range map[string]string{union: "NOT_A_FUND", tva: "CROSS_BORDER", "DK:99999999": "NOT_A_FUND"} {
		_, err := m.to.CreateTransfer(t.Context(), &transferv1.CreateTransferRequest{
			Context: m.to.why(), ReleasingFundId: other, Handle: handleOf(syd, dane), MembershipReference: "m",
		})
		refused(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION", violation)
	}
	_, err := m.to.CreateTransfer(t.Context(), &transferv1.CreateTransferRequest{
		Context: m.to.why(), ReleasingFundId: nord, Handle: "unknown-to-the-register", MembershipReference: "m",
	})
	refused(t, err, codes.NotFound, "SUBJECT_NOT_FOUND", "")
	m.create()
	other := m.application()
	other.Application.NationalId = nationalID("DK:0101010101")
	_, err = m.to.SubmitTransfer(t.Context(), other)
	refused(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION", "IDENTITY_MISMATCH")
	for name, edit := range map[string]func(*transferv1.SubmitTransferRequest){
		"no name":   func(r *transferv1.SubmitTransferRequest) { r.Application.Name = "" },
		"bad phone": func(r *transferv1.SubmitTransferRequest) { r.Application.PhoneNumber = "12" },
		"no number": func(r *transferv1.SubmitTransferRequest) { r.Application.NationalId = nil },
	} {
		in := m.application()
		edit(in)
		if _, err := m.to.SubmitTransfer(t.Context(), in); err == nil {
			t.Errorf("%s was taken", name)
		} else {
			refused(t, err, codes.InvalidArgument, "INVALID_REQUEST", "")
		}
	}
	m.submit()
	foreign := newIssuer(t)
	for violation, edit := range map[string]func(say){
		"POA_SCOPE":         func(s say) { s["scope"] = []string{"exit"} },
		"POA_LEVEL":         func(s say) { s["acr"] = "low" },
		"IDENTITY_MISMATCH": func(s say) { s["sub"] = "DK:0101010101" },
		"POA_EXPIRED": func(s say) {
			s["nbf"], s["exp"] = w.clk.Now().AddDate(0, 0, -9).Unix(), w.clk.Now().AddDate(0, 0, -2).Unix()
		},
	} {
		refused(t, m.verify(edit), codes.FailedPrecondition, "FAILED_PRECONDITION", violation)
	}
	for name, text := range map[string]string{
		"another key":     foreign.poa(t, dane, syd, nord, w.clk.Now()),
		"unknown issuer":  w.issuer.poa(t, dane, syd, nord, w.clk.Now(), func(s say) { s["iss"] = "https://elsewhere.example" }),
		"another fund":    w.issuer.poa(t, dane, nord, syd, w.clk.Now()),
		"without jti":     w.issuer.poa(t, dane, syd, nord, w.clk.Now(), func(s say) { delete(s, "jti") }),
		"changed content": tampered(w.issuer.poa(t, dane, syd, nord, w.clk.Now())),
	} {
		_, err := m.to.VerifyPowerOfAttorney(t.Context(), &transferv1.VerifyPowerOfAttorneyRequest{Context: m.to.why(), TransferId: m.id, Assertion: text})
		if err == nil {
			t.Errorf("%s was taken", name)
			continue
		}
		refused(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION", "POA_INVALID")
	}
	must(t, m.verify())
	_, err = m.to.ConfirmExit(t.Context(), &transferv1.ConfirmExitRequest{Context: m.to.why(), TransferId: m.id})
	refused(t, err, codes.PermissionDenied, "WRONG_PARTY", "")
	_, err = m.to.SubmitTransfer(t.Context(), m.application())
	refused(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION", "STATE_POA_VERIFIED")
	_, err = m.get(w.as(nord))
	refused(t, err, codes.NotFound, "CASE_NOT_FOUND", "")
	_, err = m.to.SendRequest(t.Context(), &transferv1.SendRequestRequest{Context: why(nord), TransferId: m.id})
	refused(t, err, codes.PermissionDenied, "RPC_NOT_GRANTED", "")
}

// tampered changes one character of the payload.
func tampered(text string) string {
	parts := strings.Split(text, ".")
	middle := []byte(parts[1])
	middle[len(middle)/2] ^= 1
	if c := middle[len(middle)/2]; (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
		middle[len(middle)/2] = 'A'
	}
	return parts[0] + "." + string(middle) + "." + parts[2]
}

// A repeated command gets the first answer; the same request id for another one is refused.
func TestCommandsAreIdempotent(t *testing.T) {
	t.Parallel()
	w := start(t, nil, []string{nord}, []string{syd})
	c := w.as(syd)
	in := &transferv1.CreateTransferRequest{
		Context: c.why(), ReleasingFundId: nord, Handle: handleOf(syd, dane), MembershipReference: "m", RequestId: "request-0000000001",
	}
	first, err := c.CreateTransfer(t.Context(), in)
	must(t, err)
	for range 3 {
		again, err := c.CreateTransfer(t.Context(), in)
		must(t, err)
		if again.GetTransfer().GetTransferId() != first.GetTransfer().GetTransferId() {
			t.Fatal("a second transfer was made")
		}
	}
	in.MembershipReference = "other"
	_, err = c.CreateTransfer(t.Context(), in)
	refused(t, err, codes.AlreadyExists, "REQUEST_ID_REUSED", "")
}

// Protection: read freshly, an employee is needed, never a rejection; an identity service that is away counts as protected.
func TestProtection(t *testing.T) {
	t.Parallel()
	w := start(t, nil, []string{nord}, []string{syd})
	w.reg.set(func(r *register) { r.protected[handleOf(nord, dane)] = true })
	m := w.move(nord, syd, dane)
	m.asked()
	in := &transferv1.AcknowledgeTransferRequest{Context: m.from.why(), TransferId: m.id, MembershipReference: "old-1"}
	in.Context.ActorId = ""
	_, err := m.from.AcknowledgeTransfer(t.Context(), in)
	refused(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION", "HUMAN_NEEDED")
	must(t, m.acknowledge())
	got := m.is(m.from, transferv1.TransferState_TRANSFER_STATE_ACKNOWLEDGED).GetTransfer()
	if len(got.GetManual()) != 1 || got.GetManual()[0] != transferv1.ManualReason_MANUAL_REASON_PROTECTED {
		t.Errorf("%v", got)
	}
	w.reg.set(func(r *register) { r.away = true })
	out, err := m.to.CreateTransfer(t.Context(), &transferv1.CreateTransferRequest{
		Context: m.to.why(), ReleasingFundId: nord, Handle: handleOf(syd, "DK:0101010101"), MembershipReference: "m",
	})
	must(t, err)
	if len(out.GetTransfer().GetManual()) != 1 {
		t.Errorf("%v", out)
	}
}

// Lists go on where they ended, and show a fund its own records only.
func TestLists(t *testing.T) {
	t.Parallel()
	w := start(t, nil, []string{nord, syd})
	c := w.as(syd)
	for range 5 {
		m := w.move(nord, syd, dane)
		m.create()
	}
	seen := map[string]bool{}
	token := ""
	for {
		page, err := c.ListTransfers(t.Context(), &transferv1.ListTransfersRequest{Context: c.why(), PageSize: 2, PageToken: token, OpenOnly: true})
		must(t, err)
		for _, x := range page.GetTransfers() {
			seen[x.GetTransferId()] = true
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d of 5", len(seen))
	}
	others, err := w.as(nord).ListTransfers(t.Context(), &transferv1.ListTransfersRequest{Context: why(nord)})
	must(t, err)
	if len(others.GetTransfers()) != 0 {
		t.Error("a fund saw another's records")
	}
}

// No number, name or assertion is in any log line.
func TestNothingPersonalIsLogged(t *testing.T) {
	t.Parallel()
	w := start(t, nil, []string{nord}, []string{syd})
	m := w.move(nord, syd, dane)
	m.asked()
	must(t, m.acknowledge())
	must(t, m.deliver(1, danish(w.clk.Now())...))
	m.is(m.to, transferv1.TransferState_TRANSFER_STATE_DATA_DELIVERED)
	for _, n := range w.nodes {
		for _, secret := range []string{dane[3:], "Canary", "12345678"} {
			if strings.Contains(n.Logs.String(), secret) {
				t.Errorf("a log holds %q", secret)
			}
		}
	}
}
