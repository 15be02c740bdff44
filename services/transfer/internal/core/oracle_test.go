package core_test

import (
	"errors"

	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/store"
)

// edges are the steps of domain rule B.9, written down again for the oracle: from, event, to.
func edges() map[[3]string]bool {
	out := map[[3]string]bool{}
	add := func(event, to string, from ...string) {
		for _, f := range from {
			out[[3]string{f, event, to}] = true
		}
	}
	add("SUBMITTED", "SUBMITTED", "DRAFT")
	add("POA_VERIFIED", "POA_VERIFIED", "SUBMITTED")
	add("REQUESTED", "REQUESTED", "POA_VERIFIED")
	add("ACKNOWLEDGED", "ACKNOWLEDGED", "REQUESTED")
	add("REJECTED", "REJECTED", "REQUESTED", "ACKNOWLEDGED")
	add("PART_DELIVERED", "DATA_PARTIAL", "ACKNOWLEDGED", "DATA_PARTIAL")
	add("DATA_DELIVERED", "DATA_DELIVERED", "ACKNOWLEDGED", "DATA_PARTIAL")
	add("EXIT_CONFIRMED", "EXIT_CONFIRMED", "DATA_DELIVERED")
	add("EFFECTIVE", "EFFECTIVE", "EXIT_CONFIRMED")
	add("WITHDRAWN", "WITHDRAWN", "SUBMITTED", "POA_VERIFIED", "REQUESTED", "ACKNOWLEDGED", "DATA_PARTIAL", "DATA_DELIVERED")
	add("EXPIRED", "EXPIRED", "POA_VERIFIED", "REQUESTED", "ACKNOWLEDGED", "DATA_PARTIAL", "DATA_DELIVERED")
	add("EXIT_UNDONE", "WITHDRAWN", "EXIT_CONFIRMED")
	add("UNDO_ASKED", "EXIT_CONFIRMED", "EXIT_CONFIRMED")
	add("EXIT_KEPT", "EXIT_CONFIRMED", "EXIT_CONFIRMED")
	add("EXIT_KEPT", "EFFECTIVE", "EFFECTIVE")
	add("CANCELLED", "CANCELLED", "DRAFT", "SUBMITTED", "POA_VERIFIED")
	for _, same := range []string{"DRAFT", "SUBMITTED", "POA_VERIFIED", "REQUESTED", "ACKNOWLEDGED", "DATA_PARTIAL", "DATA_DELIVERED", "EXIT_CONFIRMED", "EFFECTIVE"} {
		for _, flag := range []string{"DEADLINE_MISSED", "WITHDRAWAL_ASKED", "MANUAL_SET"} {
			add(flag, same, same)
		}
	}
	return out
}

// check holds everything against the oracle.
func (p *play) check() {
	p.t.Helper()
	n, err := p.n.store.Get(p.ctx, p.id, p.to)
	must(p.t, err)
	p.steps(p.n, p.to, &p.seenN, &p.stateN)
	o, err := p.o.store.Get(p.ctx, p.id, p.from)
	known := err == nil
	if known {
		if p.stateO == "" { // opened by the offer: in REQUESTED, or rejected at once
			p.stateO, p.seenO = o.State.String(), 0
			events, err := p.o.store.Events(p.ctx, p.id, p.from, 0, 1)
			must(p.t, err)
			p.stateO, p.seenO, p.born = events[0].State.String(), 1, events[0].State == cases.Requested
		}
		p.steps(p.o, p.from, &p.seenO, &p.stateO)
		p.together(n, o)
	} else if n.State > cases.Requested && n.State <= cases.Rejected {
		p.t.Fatalf("the receiving fund is in %s, the releasing fund knows nothing", n.State)
	}
	p.time(n, o)
	p.erased(n, o)
}

// steps checks that every new event of a record is an edge of the table.
func (p *play) steps(s *samvirke, fund string, seen *int64, state *string) {
	events, err := s.store.Events(p.ctx, p.id, fund, *seen, 1000)
	must(p.t, err)
	for _, e := range events {
		if e.Seq != *seen+1 {
			p.t.Fatalf("event %d after %d", e.Seq, *seen)
		}
		if edge := [3]string{*state, e.Event.String(), e.State.String()}; !p.allowed[edge] {
			p.t.Fatalf("%s: no such edge %v", fund, edge)
		}
		p.undone = p.undone || e.Event == cases.UndoExit
		*seen, *state = e.Seq, e.State.String()
	}
}

// together checks that the receiving fund's record is never ahead of the releasing fund's.
func (p *play) together(n, o cases.Case) {
	switch {
	case n.State < cases.Requested, n.State == cases.Cancelled:
		p.t.Fatalf("the releasing fund has a record, the receiving fund is in %s", n.State)
	case n.State.Open() && n.State <= cases.ExitConfirmed:
		if o.State < n.State && o.State != cases.Effective {
			p.t.Fatalf("the receiving fund is in %s, the releasing fund in %s", n.State, o.State)
		}
	case n.State == cases.Effective:
		if o.State != cases.Effective && o.State != cases.ExitConfirmed {
			p.t.Fatalf("effective in the receiving fund, %s in the releasing", o.State)
		}
	case n.State != o.State && (n.State != cases.Withdrawn || !o.Undoing): // the answer that the exit is undone may be on its way
		p.t.Fatalf("ended as %s and as %s", n.State, o.State)
	}
	if n.Effective > 0 && n.Effective != o.Effective {
		p.t.Fatalf("effective %s and %s", n.Effective, o.Effective)
	}
}

// time checks that the person is in exactly one fund on every date, in both databases, and changes on the day of the move.
func (p *play) time(n, o cases.Case) {
	for _, s := range p.known {
		subject, _ := index{}.Subject(p.who.number)
		line, err := s.store.Timeline(p.ctx, subject)
		must(p.t, err)
		for i, period := range line {
			if i > 0 && line[i-1].Last+1 != period.First {
				p.t.Fatalf("gap or overlap: %+v", line)
			}
			if period.First > period.Last {
				p.t.Fatalf("empty period: %+v", line)
			}
		}
		switch {
		case len(line) > 2:
			p.t.Fatalf("one move, %+v", line)
		case len(line) == 2:
			if line[0].Fund != p.from || line[1].Fund != p.to || line[1].First != o.Effective || line[0].Last != o.ReleasedOn() || line[1].Last != store.Forever {
				p.t.Fatalf("%+v for a move on %s", line, o.Effective)
			}
		case len(line) == 1 && (line[0].Fund != p.from || line[0].Last != store.Forever):
			p.t.Fatalf("%+v before the move", line)
		}
		if moved := len(line) == 2; s == p.o && moved != (o.Effective > 0) && (!o.Undoing || p.n != p.o) || s == p.n && n.Effective > 0 && !moved {
			p.t.Fatalf("moved: %v, effective %s and %s", moved, n.Effective, o.Effective)
		}
	}
}

// erased checks that a case that ended without a move keeps nothing that came only through it.
func (p *play) erased(n, o cases.Case) {
	for _, c := range []cases.Case{n, o} {
		if c.ID == "" || c.State.Open() || c.State == cases.Effective || c.State == cases.Cancelled || (c.Side == cases.Releasing && !p.born) {
			continue
		}
		s := p.side(c.Fund)
		parts, err := s.store.Parts(p.ctx, c.ID, c.Fund, 0, 1000)
		must(p.t, err)
		for _, part := range parts {
			if part.Content != nil {
				p.t.Fatalf("%s keeps the content of part %d after %s", c.Fund, part.Number, c.State)
			}
		}
		if _, err := s.store.Certificate(p.ctx, c.ID, c.Fund); err != nil {
			p.t.Fatalf("no certificate of erasure after %s: %v", c.State, err)
		}
		if _, err := s.store.Details(p.ctx, c.ID, c.Fund); c.Side == cases.Releasing && !errors.Is(err, store.ErrNotFound) {
			p.t.Fatalf("the releasing fund keeps what the request told: %v", err)
		}
	}
}
