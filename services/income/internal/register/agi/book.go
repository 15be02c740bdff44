package agi

import (
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/rule"
)

// Book holds the statements in force. Apply what files tell in the order in which they were handed in. It is not safe for concurrent use.
type Book struct {
	statements map[Key]*Statement
	of         map[Recipient]map[Key]bool
}

// NewBook returns an empty book.
func NewBook() *Book {
	return &Book{statements: map[Key]*Statement{}, of: map[Recipient]map[Key]bool{}}
}

// Apply puts a statement in force: it replaces the one with the same key whole, or takes it away.
func (b *Book) Apply(s *Statement) {
	if s.Removed {
		delete(b.statements, s.Key)
		delete(b.of[s.Key.Recipient], s.Key)
		return
	}
	b.statements[s.Key] = s
	if b.of[s.Key.Recipient] == nil {
		b.of[s.Key.Recipient] = map[Key]bool{}
	}
	b.of[s.Key.Recipient][s.Key] = true
}

// Len returns how many statements are in force.
func (b *Book) Len() int { return len(b.statements) }

// Income returns the income of a person by month, in öre: the sum of the fields over all employers.
func (b *Book) Income(id string, fields []string) map[civil.Month]rule.Money {
	const ore = 100
	out := map[civil.Month]rule.Money{}
	for key := range b.of[Recipient{ID: id}] {
		s := b.statements[key]
		for _, code := range fields {
			out[key.Period] += rule.Money(s.Kronor(code) * ore)
		}
	}
	return out
}
