package core

import (
	"context"
	"slices"
	"time"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/income/internal/core/swedish"
)

// IncomeStatement is what an employer declared to the Swedish tax agency about a person and month (AGI). Employer and Specification say
// which statement of the month it is: a later one of the same key replaces the earlier one whole, or takes it back.
type IncomeStatement struct {
	Number        string // canonical national number
	Month         civil.Month
	Employer      string
	Specification uint64 // the number that the employer chose (field 570)
	Amount        rule.Money
	Removed       bool // field 205
}

// Income is a statement in force.
type Income struct {
	Employer      string     `json:"employer"`
	Specification uint64     `json:"specification"`
	Amount        rule.Money `json:"amount"`
}

// IncomeMonth is what is in force about a person's month.
type IncomeMonth struct {
	Month     civil.Month
	Incomes   []Income
	Retrieved time.Time // when the last statement about it was delivered
}

// Sum is the income of the month, of all employers.
func (m *IncomeMonth) Sum() (sum rule.Money) {
	for _, i := range m.Incomes {
		sum += i.Amount
	}
	return sum
}

// apply puts a statement in force.
func (m *IncomeMonth) apply(s *IncomeStatement) {
	m.Incomes = slices.DeleteFunc(m.Incomes, func(i Income) bool { return i.Employer == s.Employer && i.Specification == s.Specification })
	if !s.Removed {
		m.Incomes = append(m.Incomes, Income{s.Employer, s.Specification, s.Amount})
	}
}

// IncomeDelivery is a file of statements.
type IncomeDelivery struct {
	Digest     []byte // of the file: it is applied once
	Statements []IncomeStatement
	// Months are those that the file is about. No statement about somebody in such a month means no income.
	Months []civil.Month
}

// IncomeStore keeps statements in force.
type IncomeStore interface {
	// NewDelivery notes a delivery, and says whether it is the first of its digest.
	NewDelivery(ctx context.Context, controller string, d IncomeDelivery, at time.Time) (bool, error)
	// PersonIncomes returns what is in force about a person in a month; empty for nothing.
	PersonIncomes(ctx context.Context, controller, number string, month civil.Month) (IncomeMonth, error)
	// PutPersonIncomes replaces it.
	PutPersonIncomes(ctx context.Context, controller, number string, m IncomeMonth) error
	// IncomesOf returns what is in force about an enrolled member from one month to another, and which of the months were delivered.
	// Errors: ErrNotEnrolled.
	IncomesOf(ctx context.Context, controller string, handle facts.Handle, from, to civil.Month) (have []IncomeMonth, covered []civil.Month, err error)
}

// DeliverIncomes puts the statements of a file in force, in their order, and says whether it was new. It is the whole file or nothing.
func (s *Service) DeliverIncomes(ctx context.Context, controller string, d IncomeDelivery) (fresh bool, err error) {
	if !s.d.IncomeCondition {
		return false, ErrSwitchedOff
	}
	type key struct {
		number string
		month  civil.Month
	}
	of := map[key][]*IncomeStatement{}
	for i := range d.Statements {
		st := &d.Statements[i]
		k := key{st.Number, st.Month}
		of[k] = append(of[k], st)
	}
	err = s.d.Store.InTx(ctx, func(ctx context.Context) error {
		at := s.now()
		var err error
		if fresh, err = s.d.Store.NewDelivery(ctx, controller, d, at); err != nil || !fresh {
			return err
		}
		for k, statements := range of {
			month, err := s.d.Store.PersonIncomes(ctx, controller, k.number, k.month)
			if err != nil {
				return err
			}
			for _, st := range statements {
				month.apply(st)
			}
			month.Month, month.Retrieved = k.month, at
			if err := s.d.Store.PutPersonIncomes(ctx, controller, k.number, month); err != nil {
				return err
			}
		}
		return nil
	})
	return fresh, err
}

// delivered returns the frame that ends with a month, from what was delivered. Errors: ErrNotEnrolled.
func (s *Service) delivered(ctx context.Context, controller string, handle facts.Handle, last civil.Month) (frameOf, error) {
	first := last - swedish.Frame + 1
	have, covered, err := s.d.Store.IncomesOf(ctx, controller, handle, first, last)
	if err != nil {
		return frameOf{}, err
	}
	f := frameOf{Incomes: make([]rule.Money, swedish.Frame)}
	for i := range have {
		f.Incomes[have[i].Month-first] = have[i].Sum()
		if have[i].Retrieved.After(f.at) {
			f.at = have[i].Retrieved
		}
	}
	for m := first; m <= last; m++ {
		if !slices.Contains(covered, m) {
			f.Missing = append(f.Missing, m)
		}
	}
	return f, nil
}
