package core_test

import (
	"errors"
	"testing"
	"time"

	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/rules"
)

// stage is two Samvirkes with one transfer from Nord to Syd, or in Sweden from Ett to Två.
type stage struct {
	t        *testing.T
	clk      *clock.Fake
	n, o     *samvirke
	from, to string
	who      person
	id       string
}

func at(t *testing.T, date string) time.Time {
	t.Helper()
	d, err := time.Parse(time.DateOnly, date)
	must(t, err)
	return d.Add(10 * time.Hour)
}

// enter sets up a transfer in DRAFT on a day.
func enter(t *testing.T, cfg func(testing.TB) sqlkit.Config, from, to, date string) *stage {
	t.Helper()
	s := &stage{t: t, clk: clock.NewFake(at(t, date)), from: from, to: to}
	s.n = newSamvirke(t, s.clk, cfg(t), to)
	s.o = newSamvirke(t, s.clk, cfg(t), from)
	s.again()
	return s
}

// again begins another transfer of another person.
func (s *stage) again() {
	s.t.Helper()
	s.who = newPerson(int(persons.Add(1)), s.from, s.to, s.n.Today())
	c, err := s.n.Create(s.t.Context(), caller(s.to), core.Creation{Other: s.from, Handle: "handle", Membership: "m-1"})
	must(s.t, err)
	s.id = c.ID
}

// request brings the case to REQUESTED in both funds.
func (s *stage) request(edit ...func(*core.Application)) {
	s.t.Helper()
	a := application(s.who)
	for _, e := range edit {
		e(&a)
	}
	_, err := s.n.Submit(s.t.Context(), caller(s.to), s.id, a)
	must(s.t, err)
	_, err = s.n.Verify(s.t.Context(), caller(s.to), s.id, poaText(s.who.poa))
	must(s.t, err)
	_, err = s.n.SendRequest(s.t.Context(), caller(s.to), s.id)
	must(s.t, err)
	settle(s.t.Context(), s.t, s.n, s.o)
}

func (s *stage) acknowledge() {
	s.t.Helper()
	_, err := s.o.Acknowledge(s.t.Context(), caller(s.from), s.id, core.Acknowledgement{Membership: "m-0", Handle: "old-handle", Since: s.o.Today() - 400})
	must(s.t, err)
	settle(s.t.Context(), s.t, s.n, s.o)
}

func (s *stage) deliver(n int, kind cases.PackageKind, last bool) {
	s.t.Helper()
	p, err := part(s.t.Context(), s.o, s.from, s.id, n, kind, last)
	must(s.t, err)
	_, err = s.o.Deliver(s.t.Context(), caller(s.from), s.id, p, false)
	must(s.t, err)
	settle(s.t.Context(), s.t, s.n, s.o)
}

// confirm brings a requested case to EXIT_CONFIRMED in both funds.
func (s *stage) confirm() {
	s.t.Helper()
	s.acknowledge()
	s.deliver(1, cases.Mandatory(s.from[:2]), true)
	_, err := s.o.ConfirmExit(s.t.Context(), caller(s.from), s.id)
	must(s.t, err)
	settle(s.t.Context(), s.t, s.n, s.o)
}

func (s *stage) both(want cases.State) (n, o cases.Case) {
	s.t.Helper()
	n, err := s.n.store.Get(s.t.Context(), s.id, s.to)
	must(s.t, err)
	o, err = s.o.store.Get(s.t.Context(), s.id, s.from)
	must(s.t, err)
	if n.State != want || o.State != want {
		s.t.Fatalf("in %s and %s, want %s", n.State, o.State, want)
	}
	return n, o
}

func (s *stage) sweep() {
	s.t.Helper()
	for _, side := range []*samvirke{s.n, s.o} {
		_, err1 := side.MissDeadlines(s.t.Context())
		_, err2 := side.ExpirePoAs(s.t.Context())
		_, err3 := side.ReachDays(s.t.Context())
		must(s.t, errors.Join(err1, err2, err3))
	}
	settle(s.t.Context(), s.t, s.n, s.o)
}

// databases runs a test on both.
func databases(t *testing.T, fn func(t *testing.T, cfg func(testing.TB) sqlkit.Config)) {
	t.Helper()
	for name, cfg := range map[string]func(testing.TB) sqlkit.Config{sqltest.Memory: sqltest.MemoryConfig, sqltest.Postgres: sqltest.PostgresConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fn(t, cfg)
		})
	}
}

// The worked examples of domain.md B.9, each as a whole move between two Samvirkes: the day, the end, and one fund on every date.
//
// covers: DFH-05 REG-06 SEK-24
func TestMovesTakeEffect(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg func(testing.TB) sqlkit.Config) {
		t.Helper()
		for _, row := range []struct {
			id, from, to, received string
			work                   rules.WorkSituation
			effective              string
		}{
			{"T02", nord, syd, "2026-03-31", rules.InWork, "2026-04-01"}, {"T03", nord, syd, "2026-04-01", rules.InWork, "2026-05-01"},
			{"T05", nord, syd, "2026-01-31", rules.OutOfWork, "2026-03-01"}, {"T06", nord, syd, "2028-01-31", rules.OutOfWork, "2028-03-01"},
			{"29 February", nord, syd, "2028-02-29", rules.OutOfWork, "2028-04-01"}, {"T08", ett, tva, "2026-03-31", 0, "2026-04-01"},
			{"T09", ett, tva, "2026-04-01", 0, "2026-05-01"}, {"T10", ett, tva, "2026-12-15", 0, "2027-01-01"},
		} {
			s := enter(t, cfg, row.from, row.to, row.received)
			s.request(func(a *core.Application) { a.Work = row.work })
			s.confirm()
			n, o := s.both(cases.ExitConfirmed)
			if n.Effective.String() != row.effective || n.Effective != o.Effective {
				t.Errorf("%s: effective %s and %s, want %s", row.id, n.Effective, o.Effective, row.effective)
			}
			s.clk.Set(at(t, row.effective).Add(-24 * time.Hour))
			s.sweep()
			s.both(cases.ExitConfirmed)
			for _, side := range []*samvirke{s.n, s.o} {
				last, err := side.store.PeriodOf(t.Context(), n.Subject, n.Effective-1)
				must(t, err)
				first, err := side.store.PeriodOf(t.Context(), n.Subject, n.Effective)
				must(t, err)
				if last.Fund != row.from || first.Fund != row.to || last.Last+1 != first.First {
					t.Errorf("%s: %+v, %+v", row.id, last, first)
				}
			}
			s.clk.Set(at(t, row.effective))
			s.sweep()
			s.both(cases.Effective)
		}
	})
}

// Deadlines: reminders by the working days of the country, progress clears them, the third miss brings a person in.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg func(testing.TB) sqlkit.Config) {
		t.Helper()
		s := enter(t, cfg, nord, syd, "2026-03-27") // five working days on, with Easter between: 8 April
		s.request()
		for _, row := range []struct {
			date      string
			overdue   bool
			reminders int
			manual    bool
			due       string
		}{
			{"2026-04-08", false, 0, false, "2026-04-08"}, {"2026-04-09", true, 1, false, "2026-04-16"}, {"2026-04-16", true, 1, false, "2026-04-16"},
			{"2026-04-17", true, 2, false, "2026-04-24"}, {"2026-04-25", true, 3, true, "-"}, {"2026-05-25", true, 3, true, "-"},
		} {
			s.clk.Set(at(t, row.date))
			s.sweep()
			s.sweep() // again changes nothing
			for _, c := range func() []cases.Case { n, o := s.both(cases.Requested); return []cases.Case{n, o} }() {
				if c.Overdue != row.overdue || c.Reminders != row.reminders || (c.Manual != 0) != row.manual || c.Due.String() != row.due {
					t.Errorf("%s, %s: overdue %v, %d reminders, manual %v, due %s", row.date, c.Fund, c.Overdue, c.Reminders, c.Manual, c.Due)
				}
			}
		}
		s.acknowledge()
		n, o := s.both(cases.Acknowledged)
		for _, c := range []cases.Case{n, o} { // E.2: progress clears it
			if c.Overdue || c.Reminders != 0 || c.Manual != 0 || c.Due.String() != "2026-06-09" {
				t.Errorf("%s: %+v", c.Fund, c)
			}
		}
	})
}

// Expired, narrowed, of another fund, somebody else's, too weak, replayed: none of these opens anything.
//
// covers: SEK-24 MIN-36
func TestPowerOfAttorney(t *testing.T) {
	t.Parallel()
	s := enter(t, sqltest.MemoryConfig, nord, syd, "2026-03-15")
	_, err := s.n.Submit(t.Context(), caller(syd), s.id, application(s.who))
	must(t, err)
	today := s.n.Today()
	for guard, edit := range map[string]func(*cases.PowerOfAttorney){
		cases.GuardScope:      func(p *cases.PowerOfAttorney) { p.Scope &^= cases.Data },
		cases.GuardLevel:      func(p *cases.PowerOfAttorney) { p.Level = cases.Low },
		cases.GuardIdentity:   func(p *cases.PowerOfAttorney) { p.Subject = "DK:9999999999" },
		cases.GuardPoA:        func(p *cases.PowerOfAttorney) { p.Fund = vest },
		cases.GuardPoAExpired: func(p *cases.PowerOfAttorney) { p.ValidFrom, p.ValidTo = today-10, today-1 },
	} {
		poa := s.who.poa
		edit(&poa)
		var refused cases.GuardError
		if _, err := s.n.Verify(t.Context(), caller(syd), s.id, poaText(poa)); !errors.As(err, &refused) || refused.Guard != guard {
			t.Errorf("%s: %v", guard, err)
		}
	}
	long := s.who.poa
	long.ValidTo = today + 1000 // the longest time is 90 days
	c, err := s.n.Verify(t.Context(), caller(syd), s.id, poaText(long))
	if err != nil || c.PoATo != today+90 || len(c.PoAHash) != 32 {
		t.Errorf("%+v, %v", c, err)
	}
	first := s.who
	s.again()
	s.who.number, s.who.poa = first.number+"9", long
	s.who.poa.Subject = s.who.number
	_, err = s.n.Submit(t.Context(), caller(syd), s.id, application(s.who))
	must(t, err)
	if _, err := s.n.Verify(t.Context(), caller(syd), s.id, poaText(s.who.poa)); !errors.Is(err, core.ErrPoAReused) {
		t.Errorf("replayed: %v", err)
	}
}

// A power of attorney that ends under way ends the case, on its last day and not before; what was handed over ends by the releasing fund.
func TestPowerOfAttorneyExpires(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg func(testing.TB) sqlkit.Config) {
		t.Helper()
		s := enter(t, cfg, nord, syd, "2026-01-31")
		s.request()
		s.acknowledge()
		s.deliver(1, cases.PackageA, false)
		s.clk.Set(s.who.poa.ValidTo.Time().Add(12 * time.Hour))
		s.sweep()
		s.both(cases.DataPartial)
		s.clk.Advance(24 * time.Hour)
		if _, err := s.o.ConfirmExit(t.Context(), caller(nord), s.id); !errors.Is(err, cases.ErrState) {
			t.Errorf("%v", err)
		}
		p, err := part(t.Context(), s.o, nord, s.id, 2, cases.PackageB, true)
		must(t, err)
		var refused cases.GuardError
		if _, err := s.o.Deliver(t.Context(), caller(nord), s.id, p, false); !errors.As(err, &refused) || refused.Guard != cases.GuardPoAExpired {
			t.Errorf("before the timer said so: %v", err)
		}
		s.sweep()
		s.both(cases.Expired)
		for side, fund := range map[*samvirke]string{s.n: syd, s.o: nord} {
			view, err := side.Get(t.Context(), caller(fund), s.id)
			must(t, err)
			if view.Erasure == nil || len(view.Receipts) != 1 || view.Receipts[0].Content != nil {
				t.Errorf("%s: %+v", fund, view)
			}
		}
	})
}

// What an offer itself rules out is rejected at once, and the receiving fund is told; every code of the list can be given, others not.
func TestRejections(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg func(testing.TB) sqlkit.Config) {
		t.Helper()
		s := enter(t, cfg, nord, syd, "2026-03-15")
		for code := cases.NotAMember; code <= cases.DuplicateRequest; code++ {
			s.request()
			_, err := s.o.Reject(t.Context(), caller(nord), s.id, code)
			must(t, err)
			settle(t.Context(), t, s.n, s.o)
			if n, o := s.both(cases.Rejected); n.Rejection != code || o.Rejection != code {
				t.Errorf("%s: %s, %s", code, n.Rejection, o.Rejection)
			}
			s.again()
		}
		s.request()
		if _, err := s.o.Reject(t.Context(), caller(nord), s.id, 0); !errors.Is(err, cases.ErrGuard) {
			t.Errorf("without a code: %v", err)
		}
		// The receiving fund's second request about the same person, as another fund's would, finds the first one open.
		twin := core.Envelope{
			TransferID: "second", From: syd, To: nord, Seq: 1,
			Offer: &core.OfferBody{Number: s.who.number, PoA: poaText(func() cases.PowerOfAttorney { p := s.who.poa; p.ID = "another"; return p }()), Wanted: day("2026-04-01"), Country: "DK"},
		}
		for id, row := range map[string]struct {
			edit func(*core.OfferBody)
			want cases.RejectionCode
		}{
			"duplicate": {func(*core.OfferBody) {}, cases.DuplicateRequest},
			"missing":   {func(o *core.OfferBody) { o.PoA = "" }, cases.PoAMissing},
			"unsigned":  {func(o *core.OfferBody) { o.PoA = "not an assertion" }, cases.PoAInvalid},
			"replayed":  {func(o *core.OfferBody) { o.PoA = poaText(s.who.poa) }, cases.PoAInvalid},
			"stranger":  {func(o *core.OfferBody) { o.Number = "DK:9999999999" }, cases.IdentityMismatch},
		} {
			e, body := twin, *twin.Offer
			row.edit(&body)
			e.TransferID, e.Offer = id, &body
			if id != "duplicate" && body.PoA == twin.Offer.PoA {
				body.PoA = poaText(func() cases.PowerOfAttorney { p := s.who.poa; p.ID = id; return p }())
			}
			out, err := s.o.Receive(t.Context(), syd, e)
			must(t, err)
			c, err := s.o.store.Get(t.Context(), id, nord)
			if err != nil || out != core.Applied || c.State != cases.Rejected || c.Rejection != row.want {
				t.Errorf("%s: %v %s %s %v", id, out, c.State, c.Rejection, err)
			}
			if out, err := s.o.Receive(t.Context(), syd, e); err != nil || out != core.Duplicate {
				t.Errorf("%s again: %v %v", id, out, err)
			}
		}
	})
}

// A union is no party, nor is a fund of another country, nor oneself (GAP-11, E.1 12).
//
// covers: GAP-11
func TestParties(t *testing.T) {
	t.Parallel()
	s := enter(t, sqltest.MemoryConfig, nord, syd, "2026-03-15")
	for other, guard := range map[string]string{union: cases.GuardFund, tva: cases.GuardCountry, syd: cases.GuardFund, "DK:99999999": cases.GuardFund} {
		var refused cases.GuardError
		if _, err := s.n.Create(t.Context(), caller(syd), core.Creation{Other: other, Handle: "h", Membership: "m"}); !errors.As(err, &refused) || refused.Guard != guard {
			t.Errorf("%s: %v", other, err)
		}
	}
	if _, err := s.n.Create(t.Context(), caller(nord), core.Creation{Other: syd, Handle: "h", Membership: "m"}); !errors.Is(err, core.ErrHosted) {
		t.Errorf("a fund that is not served here: %v", err)
	}
}

// Protection is never a rejection: the case is for employees alone (domain rule B.10).
func TestProtectedPersons(t *testing.T) {
	t.Parallel()
	s := enter(t, sqltest.MemoryConfig, nord, syd, "2026-03-15")
	s.request()
	_, err := s.o.Acknowledge(t.Context(), core.Caller{Fund: nord}, s.id, core.Acknowledgement{Membership: "m-0", Protected: true})
	if !errors.Is(err, cases.ErrGuard) {
		t.Errorf("a system acted for a protected person: %v", err)
	}
	c, err := s.o.Acknowledge(t.Context(), caller(nord), s.id, core.Acknowledgement{Membership: "m-0", Protected: true})
	if err != nil || c.Manual&cases.ManualProtected == 0 || c.State != cases.Acknowledged {
		t.Errorf("%+v, %v", c, err)
	}
}

// The parties are apart for hours: everything is kept and told, in order, when they are together again, and deadlines run meanwhile.
func TestPartition(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg func(testing.TB) sqlkit.Config) {
		t.Helper()
		s := enter(t, cfg, nord, syd, "2026-03-15")
		s.request()
		_, err := s.o.Acknowledge(t.Context(), caller(nord), s.id, core.Acknowledgement{Membership: "m-0"})
		must(t, err)
		for n := 1; n <= 8; n++ {
			s.clk.Advance(time.Hour)
			p, err := part(t.Context(), s.o, nord, s.id, n, cases.PackageA, n == 8)
			must(t, err)
			_, err = s.o.Deliver(t.Context(), caller(nord), s.id, p, false)
			must(t, err)
		}
		_, err = s.n.Withdraw(t.Context(), caller(syd), s.id, phone) // crosses with what the other fund did
		must(t, err)
		_, err = s.o.ConfirmExit(t.Context(), caller(nord), s.id)
		must(t, err)
		settle(t.Context(), t, s.n, s.o)
		n, o := s.both(cases.ExitConfirmed)
		if n.Manual&cases.ManualWithdrawal == 0 || o.Manual&cases.ManualWithdrawal == 0 || n.Withdrawing || n.Parts != 8 {
			t.Errorf("the exit was confirmed first, so a person decides: %+v", n)
		}
	})
}

// A part that was changed on its way, signed for another transfer, or comes under another fund's name is refused.
func TestForgedParts(t *testing.T) {
	t.Parallel()
	s := enter(t, sqltest.MemoryConfig, nord, syd, "2026-03-15")
	s.request()
	s.acknowledge()
	good, err := part(t.Context(), s.o, nord, s.id, 1, cases.PackageA, true)
	must(t, err)
	for name, edit := range map[string]func(*core.Envelope){
		"changed content":   func(e *core.Envelope) { e.Part.Content = []byte("other") },
		"changed digest":    func(e *core.Envelope) { e.Part.Digest = make([]byte, 32) },
		"changed signature": func(e *core.Envelope) { e.Part.Signature += "x" },
		"another transfer":  func(e *core.Envelope) { e.TransferID = "other" },
		"another kind":      func(e *core.Envelope) { e.Report.Part.Kind = cases.PackageF },
		"without content":   func(e *core.Envelope) { e.Part = nil },
	} {
		p := good
		e := core.Envelope{TransferID: s.id, From: nord, To: syd, Seq: 2, Report: &cases.Report{Event: cases.DeliverLast, Part: p.Part}, Part: &p}
		edit(&e)
		if err := s.n.CheckPart(t.Context(), e); !errors.Is(err, core.ErrPart) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if out, err := s.n.Receive(t.Context(), vest, core.Envelope{TransferID: s.id, From: nord, To: syd, Seq: 2, Report: &cases.Report{Event: cases.DeliverLast}}); err != nil || out != core.Refused {
		t.Errorf("under another fund's certificate: %v %v", out, err)
	}
	if out, err := s.n.Receive(t.Context(), vest, core.Envelope{TransferID: s.id, From: vest, To: syd, Seq: 2, Report: &cases.Report{Event: cases.DeliverLast}}); err != nil || out != core.Refused {
		t.Errorf("of a fund that is no party: %v %v", out, err)
	}
}
