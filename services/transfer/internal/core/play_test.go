package core_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"pgregory.net/rapid"

	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/store"
)

// persons makes every sequence's member a new one, over all databases and runs.
var persons atomic.Int64 //nolint:gochecknoglobals // a counter of tests

// play is one transfer under way between two funds and a network that loses, doubles and delays.
type play struct {
	t              *rapid.T
	ctx            context.Context
	clk            *clock.Fake
	n, o           *samvirke // may be the same one
	from, to       string
	who            person
	id             string
	born           bool            // the releasing fund opened a record and did not reject it at once
	kept           []core.Envelope // messages that may come again, at any time
	wrong          int             // acts of the wrong party that were tried
	parts          int
	allowed        map[[3]string]bool
	seenN, seenO   int64
	stateN, stateO string

	undone bool
	known  []*samvirke // n and o, or the one that they both are
}

func begin(ctx context.Context, t *rapid.T, clk *clock.Fake, n, o *samvirke, allowed map[[3]string]bool) *play {
	funds := rapid.SampledFrom([][2]string{{nord, syd}, {syd, nord}, {ett, tva}, {tva, ett}}).Draw(t, "funds")
	if n != o { // each serves its own
		funds = rapid.SampledFrom([][2]string{{nord, syd}, {ett, tva}}).Draw(t, "own funds")
	}
	start := rapid.SampledFrom([]string{"2026-01-31", "2028-02-29", "2026-03-15", "2026-12-30", "2028-01-31"}).Draw(t, "start")
	at, _ := time.Parse(time.DateOnly, start)
	clk.Set(at.Add(9 * time.Hour))
	p := &play{t: t, ctx: ctx, clk: clk, n: n, o: o, from: funds[0], to: funds[1], allowed: allowed, stateN: "DRAFT"}
	p.known = slices.Compact([]*samvirke{n, o})
	p.who = newPerson(int(persons.Add(1)), p.from, p.to, civil.Of(at))
	c, err := n.Create(ctx, caller(p.to), core.Creation{Other: p.from, Handle: "handle", Membership: "m-1"})
	must(t, err)
	p.id, p.seenN = c.ID, 1
	return p
}

// fine says whether a refusal is one of the kinds that a caller may get.
func (p *play) fine(err error) {
	p.t.Helper()
	if err != nil && !errors.Is(err, cases.ErrState) && !errors.Is(err, cases.ErrGuard) && !errors.Is(err, cases.ErrWrongActor) &&
		!errors.Is(err, core.ErrNotFound) && !errors.Is(err, core.ErrPoAReused) {
		p.t.Fatalf("%v", err)
	}
}

// forbidden demands that the wrong party is refused before anything else.
func (p *play) forbidden(err error) {
	p.t.Helper()
	if !errors.Is(err, cases.ErrWrongActor) && !errors.Is(err, core.ErrNotFound) {
		p.t.Fatalf("the wrong party got %v", err)
	}
	p.wrong++
}

// forward takes the step that both parties would take if nothing went wrong.
func (p *play) forward(by, other core.Caller) {
	n, err := p.n.store.Get(p.ctx, p.id, p.to)
	must(p.t, err)
	var o cases.Case
	if n.State >= cases.Requested {
		o, _ = p.o.store.Get(p.ctx, p.id, p.from)
	}
	switch {
	case n.State == cases.Draft:
		_, err = p.n.Submit(p.ctx, by, p.id, application(p.who))
	case n.State == cases.Submitted:
		_, err = p.n.Verify(p.ctx, by, p.id, poaText(p.who.poa))
	case n.State == cases.PoAVerified:
		_, err = p.n.SendRequest(p.ctx, by, p.id)
	case o.State == cases.Requested:
		_, err = p.o.Acknowledge(p.ctx, other, p.id, core.Acknowledgement{Membership: "m-0", Handle: "other-handle"})
	case o.State == cases.Acknowledged || o.State == cases.DataPartial:
		p.deliver(other)
	case o.State == cases.DataDelivered:
		_, err = p.o.ConfirmExit(p.ctx, other, p.id)
	case o.State == cases.ExitConfirmed:
		err = p.late(n, o, by, other)
	default:
		p.network()
	}
	p.fine(err)
}

// late is what can happen to a confirmed exit: the day comes, the member withdraws, and an employee decides.
func (p *play) late(n, o cases.Case, by, other core.Caller) (err error) {
	switch what := rapid.IntRange(0, 3).Draw(p.t, "late"); {
	case o.Manual&cases.ManualWithdrawal != 0 && !o.Undoing && what < 3:
		_, err = p.o.Decide(p.ctx, other, p.id, what < 2)
	case what == 0:
		_, err = p.o.Withdraw(p.ctx, other, p.id, letter)
	case what == 1 && n.State == cases.ExitConfirmed:
		_, err = p.n.Withdraw(p.ctx, by, p.id, phone)
	default:
		p.days(20)
	}
	return err
}

// step takes one of the things that can happen.
func (p *play) step() {
	by, other := caller(p.to), caller(p.from)
	if rapid.IntRange(0, 2).Draw(p.t, "wild") < 2 {
		p.forward(by, other)
		if rapid.Bool().Draw(p.t, "and the network") {
			p.network()
		}
		return
	}
	switch rapid.IntRange(0, 23).Draw(p.t, "step") {
	case 0, 1:
		_, err := p.n.Submit(p.ctx, by, p.id, application(p.who))
		p.fine(err)
	case 2, 3:
		poa := p.who.poa
		switch rapid.IntRange(0, 7).Draw(p.t, "poa") {
		case 0:
			poa.Scope = cases.Exit | cases.Data // narrowed
		case 1:
			poa.Fund = vest // for another fund
		case 2:
			poa.Level = cases.Low
		}
		_, err := p.n.Verify(p.ctx, by, p.id, poaText(poa))
		p.fine(err)
	case 4, 5, 6:
		_, err := p.n.SendRequest(p.ctx, by, p.id)
		p.fine(err)
	case 7, 8, 9:
		_, err := p.o.Acknowledge(p.ctx, other, p.id, core.Acknowledgement{Membership: "m-0", Handle: "other-handle"})
		p.fine(err)
	case 10, 11, 12:
		p.deliver(other)
	case 13, 14:
		_, err := p.o.ConfirmExit(p.ctx, other, p.id)
		p.fine(err)
	case 15, 16, 17, 18:
		p.network()
	case 19:
		p.days(rapid.SampledFrom([]int{0, 1, 7, 31, 95}).Draw(p.t, "days"))
	default:
		p.rare(by, other)
	}
}

func (p *play) rare(by, other core.Caller) {
	switch rapid.IntRange(0, 6).Draw(p.t, "rare") {
	case 0:
		_, err := p.o.Reject(p.ctx, other, p.id, cases.RejectionCode(rapid.IntRange(0, 11).Draw(p.t, "code")))
		p.fine(err)
	case 1:
		_, err := p.n.Withdraw(p.ctx, by, p.id, phone)
		p.fine(err)
	case 2:
		_, err := p.o.Withdraw(p.ctx, other, p.id, letter)
		p.fine(err)
	case 3:
		_, err := p.n.Cancel(p.ctx, by, p.id)
		p.fine(err)
	case 4:
		_, err := p.n.Acknowledge(p.ctx, by, p.id, core.Acknowledgement{})
		p.forbidden(err)
		_, err = p.n.ConfirmExit(p.ctx, by, p.id)
		p.forbidden(err)
		_, err = p.n.Reject(p.ctx, by, p.id, cases.NotAMember)
		p.forbidden(err)
		_, err = p.n.Decide(p.ctx, by, p.id, true)
		p.forbidden(err)
	case 5:
		_, err := p.o.Cancel(p.ctx, other, p.id)
		p.forbidden(err)
		_, err = p.o.Submit(p.ctx, other, p.id, application(p.who))
		if !errors.Is(err, cases.ErrState) { // the table lets the receiving side alone submit; a releasing record is past that
			p.forbidden(err)
		}
	case 6:
		_, err := p.n.Get(p.ctx, caller(vest), p.id)
		if !errors.Is(err, core.ErrNotFound) {
			p.t.Fatalf("a third fund got %v", err)
		}
	}
}

func (p *play) deliver(other core.Caller) {
	kind := cases.PackageA
	if p.from[:2] == "SE" {
		kind = cases.SwedishMembership
	}
	kind = rapid.SampledFrom([]cases.PackageKind{kind, kind, cases.PackageF, cases.Ledger, cases.SwedishBenefit}).Draw(p.t, "kind")
	n := p.parts + rapid.SampledFrom([]int{1, 1, 1, 0, 2}).Draw(p.t, "number")
	wrapped, err := part(p.ctx, p.o, p.from, p.id, n, kind, rapid.Bool().Draw(p.t, "last"))
	if err == nil {
		_, err = p.o.Deliver(p.ctx, other, p.id, wrapped, false)
	}
	if err == nil {
		p.parts = n
	}
	p.fine(err)
}

// network delivers, loses (which is to deliver nothing), doubles, or brings back an old message.
func (p *play) network() {
	switch rapid.IntRange(0, 4).Draw(p.t, "network") {
	case 0: // lost or partitioned
	case 1:
		if len(p.kept) > 0 {
			e := rapid.SampledFrom(p.kept).Draw(p.t, "replayed")
			p.receive(e)
		}
	case 2: // what comes out of order, without being struck off
		for _, m := range slices.Backward(p.waiting()) {
			p.receive(p.read(m))
		}
	default:
		for _, m := range p.waiting() {
			e := p.read(m)
			p.kept = append(p.kept, e)
			out := p.receive(e)
			if rapid.IntRange(0, 3).Draw(p.t, "confirmation lost") == 0 {
				continue
			}
			if out == core.Applied || out == core.Duplicate {
				must(p.t, p.side(m.Fund).store.Sent(p.ctx, m.ID))
			}
		}
	}
}

func (p *play) side(fund string) *samvirke {
	if fund == p.to {
		return p.n
	}
	return p.o
}

func (p *play) waiting() (out []store.Message) {
	for _, dir := range [][2]string{{p.to, p.from}, {p.from, p.to}} {
		page, err := p.side(dir[0]).store.Unsent(p.ctx, dir[0], dir[1], core.LaneOf(p.id), p.clk.Now(), 1000)
		must(p.t, err)
		for _, m := range page {
			if m.TransferID == p.id {
				out = append(out, m)
			}
		}
	}
	return out
}

func (p *play) read(m store.Message) core.Envelope {
	e, err := p.side(m.Fund).Read(p.ctx, m)
	must(p.t, err)
	return e
}

func (p *play) receive(e core.Envelope) core.Outcome {
	if e.Part != nil {
		must(p.t, p.side(e.To).CheckPart(p.ctx, e))
	}
	if out, err := p.side(e.To).Receive(p.ctx, vest, e); err != nil || out != core.Refused {
		p.t.Fatalf("a message under another fund's certificate: %v %v", out, err)
	}
	out, err := p.side(e.To).Receive(p.ctx, e.From, e)
	must(p.t, err)
	return out
}

func (p *play) days(n int) {
	p.clk.Advance(time.Duration(n) * 24 * time.Hour)
	for _, s := range p.known {
		_, err1 := s.MissDeadlines(p.ctx)
		_, err2 := s.ExpirePoAs(p.ctx)
		_, err3 := s.ReachDays(p.ctx)
		must(p.t, errors.Join(err1, err2, err3))
	}
}

// heal lets the network deliver all, and demands that both then agree.
func (p *play) heal() {
	for range 20 {
		moved := false
		for _, m := range p.waiting() {
			if out := p.receive(p.read(m)); out == core.Applied || out == core.Duplicate {
				must(p.t, p.side(m.Fund).store.Sent(p.ctx, m.ID))
				moved = true
			}
		}
		if !moved {
			break
		}
		p.check()
	}
	if left := p.waiting(); len(left) > 0 {
		p.t.Fatalf("%d messages can't be delivered", len(left))
	}
	p.days(0) // the timers of the day
	n, err := p.n.store.Get(p.ctx, p.id, p.to)
	must(p.t, err)
	o, err := p.o.store.Get(p.ctx, p.id, p.from)
	if errors.Is(err, store.ErrNotFound) {
		if n.State >= cases.Requested && n.State != cases.Withdrawn && n.State != cases.Expired && n.State != cases.Cancelled {
			p.t.Fatalf("%s and no record in the releasing fund", n.State)
		}
		return
	}
	must(p.t, err)
	if n.State != o.State {
		p.t.Fatalf("ended in %s and %s", n.State, o.State)
	}
	if n.Withdrawing || o.Undoing {
		p.t.Fatal("a fund still waits for the outcome of a withdrawal")
	}
}
