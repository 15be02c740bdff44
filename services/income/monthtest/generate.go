package monthtest

import (
	"slices"
	"time"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/rule"
)

// plain are rows of the peer's tables.
type plain struct{ cards, entries, records []any }

// member is one member's month with what the register says.
type member struct {
	handle facts.Handle
	month  core.MemberMonth
	answer facts.Answer
}

const wage = 200 // øre for 1/100 h

// rare is how many of a hundred members have an unusual month, one of each kind in turn.
const rare = 10

// generate makes members from one index to another: most without a difference as in life, three in ten with one, and some for each of
// the other rows of the decision table.
func generate(from, to int) (uploads []core.Upload, deliveries []core.Delivery, p plain) {
	for i := from; i < to; i++ {
		m := usual(i)
		if kind := i % 100; kind >= 100-rare {
			m.unusual(kind - (100 - rare))
		}
		uploads = append(uploads, core.Upload{Handle: m.handle, Month: m.month})
		deliveries = append(deliveries, core.Delivery{Handle: m.handle, Answer: m.answer})
		p.add(&m)
	}
	return uploads, deliveries, p
}

// usual is a month of which the register knows everything; every fourth member has two employers, every eighth is insured part time.
func usual(i int) member {
	at := time.Date(2026, 4, 10, 3, 0, 0, 0, time.UTC)
	declared := rule.Hours(4000 + (i%37)*100)
	register := declared
	switch i % 10 {
	case 0:
		register += 1250
	case 1:
		register -= 800
	case 2:
		register += 25
	}
	m := member{handle: facts.Handle(handleOf(i)), answer: facts.Answer{Retrieved: at}}
	m.month = core.MemberMonth{
		Status: rule.FullTime, Rate: 2_035_900,
		Card: &facts.Card{Declared: declared, Income: rule.Money(register) * wage, Count: 10, Precision: 15, Submitted: at},
	}
	if i%8 == 5 {
		m.month.Status, m.month.Rate = rule.PartTime, 1_357_300
	}
	first, last := march().First(), march().Last()
	if i%4 == 0 {
		half := register / 2
		m.answer.Records = append(m.answer.Records, facts.Record{Employer: "10000002", Hours: half, Income: rule.Money(half) * wage, From: first, To: last, Reported: at})
		register -= half
	}
	m.answer.Records = append(m.answer.Records, facts.Record{Employer: "10000001", Hours: register, Income: rule.Money(register) * wage, From: first, To: last, Reported: at})
	return m
}

// unusual makes the month one of the rows that are rare.
func (m *member) unusual(kind int) {
	card, records := m.month.Card, m.answer.Records
	switch kind {
	case 0: // R1
		m.month.Rate = 0
	case 1: // R1
		card.Declared = -100
	case 2: // R3
		m.month.Card = nil
	case 3: // R4, all
		m.month.Placement = true
		for _, r := range records {
			m.month.Ended = append(m.month.Ended, r.Employer)
		}
	case 4: // R4, some
		m.month.Placement, m.month.Ended = true, []facts.Employer{"20000001"}
		m.answer.Records = append(records, facts.Record{Employer: "20000001", Hours: 8000, Income: 8000 * wage, From: records[0].From, To: records[0].To})
	case 5: // R5
		for _, r := range records {
			m.month.Absent = append(m.month.Absent, r.Employer)
		}
	case 6: // R6
		m.answer.Records = nil
	case 7: // R7: the second half of the month is not reported
		card.Entries = []facts.CardEntry{{Day: 3, Hours: card.Declared - 1500}, {Day: 20, Hours: 1000}, {Day: 24, Hours: 500}}
		card.Count = len(card.Entries)
		for i := range records {
			records[i].To = records[i].From + 14
		}
	case 8: // the cap
		card.Declared, card.Count = 15_000, 20
		m.answer.Records = []facts.Record{{Employer: "10000001", Hours: 17_000, Income: 17_000 * wage, From: records[0].From, To: records[0].To}}
	default: // R8
		card.Income += 50_000
	}
}

// add writes the member into the peer's tables.
func (p *plain) add(m *member) {
	handle, month := string(m.handle), &m.month
	row := []any{handle, int64(month.Status), int64(month.Rate), int64(month.Other), nil, int64(0), int64(0), int64(0)}
	if c := month.Card; c != nil {
		row = append(row[:cardWidth-4], int64(c.Declared), int64(c.Income), int64(c.Count), int64(c.Precision))
		for _, e := range c.Entries {
			p.entries = append(p.entries, handle, int64(e.Day), int64(e.Hours))
		}
	}
	p.cards = append(p.cards, row...)
	first := march().First()
	for _, r := range m.answer.Records {
		counts := int64(1)
		if slices.Contains(month.Ended, r.Employer) || slices.Contains(month.Absent, r.Employer) {
			counts = 0
		}
		p.records = append(p.records, handle, string(r.Employer), int64(r.Hours), int64(r.Income), int64(r.From-first)+1, int64(r.To-first)+1, counts)
	}
}
