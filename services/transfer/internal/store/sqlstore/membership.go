package sqlstore

import (
	"context"
	"strings"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/transfer/internal/store"
)

const (
	insertMember = `INSERT INTO membership (handle, first_day, state, version, statutory, union_dues, early_dues, paid_through, reminded, proof, notice,
		ended, disputed, hearing_ends, remarks, protected, fund, reference)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`
	updateMember = `UPDATE membership SET handle = $1, first_day = $2, state = $3, version = $4, statutory = $5, union_dues = $6, early_dues = $7,
		paid_through = $8, reminded = $9, proof = $10, notice = $11, ended = $12, disputed = $13, hearing_ends = $14, remarks = $15, protected = $16
		WHERE fund = $17 AND reference = $18 AND version = $19`
	selectMember = `SELECT handle, first_day, state, version, statutory, union_dues, early_dues, paid_through, reminded, proof, notice, ended, disputed,
		hearing_ends, remarks, protected FROM membership WHERE fund = $1 AND reference = $2`
)

// PutMembership implements store.Store.
func (s *Store) PutMembership(ctx context.Context, m store.Membership) error {
	d := m.Dues
	args := []any{
		m.Handle, int(m.First), int(d.State), m.Version, d.Debt.Statutory, d.Debt.Union, d.Debt.EarlyRetirement, int(d.PaidThrough), int(d.Reminded),
		d.Proof, int(d.Notice), int(d.Effective), bit(d.Disputed), int(m.HearingEnds), bit(m.Remarks), bit(m.Protected), m.Fund, m.Reference,
	}
	if m.Version == 1 {
		_, err := s.db.Exec(ctx, insertMember, args...)
		return failure("insert membership", err)
	}
	n, err := s.db.Exec(ctx, updateMember, append(args, m.Version-1)...)
	if err == nil && n == 0 {
		return store.ErrConflict
	}
	return failure("update membership", err)
}

// Membership implements store.Store.
func (s *Store) Membership(ctx context.Context, fund, reference string) (store.Membership, error) {
	m := store.Membership{Fund: fund, Reference: reference}
	var disputed, remarks, protected int
	d := &m.Dues
	err := s.db.QueryRow(ctx, selectMember, fund, reference).Scan(&m.Handle, &m.First, &d.State, &m.Version, &d.Debt.Statutory, &d.Debt.Union,
		&d.Debt.EarlyRetirement, &d.PaidThrough, &d.Reminded, &d.Proof, &d.Notice, &d.Effective, &disputed, &m.HearingEnds, &remarks, &protected)
	d.Disputed, m.Remarks, m.Protected = disputed == 1, remarks == 1, protected == 1
	return m, failure("membership", err)
}

// PutDecision implements store.Store.
func (s *Store) PutDecision(ctx context.Context, d store.Decision) error {
	_, err := s.db.Exec(ctx, `INSERT INTO decision (fund, decision_id, reference, rule_id, rule_version, outcome, codes, automation, checks, inputs,
		decided_by, decided_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, d.Fund, d.ID, d.Reference, d.RuleID, d.RuleVersion,
		d.Outcome, strings.Join(d.Codes, ","), d.Automation, d.Checks, d.Inputs, d.DecidedBy, sqlkit.Micros(d.DecidedAt))
	return failure("put decision", err)
}

// Decisions implements store.Store.
func (s *Store) Decisions(ctx context.Context, fund, reference string, limit int) ([]store.Decision, error) {
	return list(ctx, s.db, "decisions", `SELECT decision_id, rule_id, rule_version, outcome, codes, automation, checks, inputs, decided_by, decided_at
		FROM decision WHERE fund = $1 AND reference = $2 ORDER BY decided_at DESC, decision_id DESC LIMIT $3`,
		func(scan func(...any) error, d *store.Decision) error {
			var codes string
			var at int64
			d.Fund, d.Reference = fund, reference
			err := scan(&d.ID, &d.RuleID, &d.RuleVersion, &d.Outcome, &codes, &d.Automation, &d.Checks, &d.Inputs, &d.DecidedBy, &at)
			if codes != "" {
				d.Codes = strings.Split(codes, ",")
			}
			d.DecidedAt = sqlkit.Time(at)
			return err
		}, fund, reference, limit)
}
