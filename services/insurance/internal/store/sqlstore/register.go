package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/sqlkit"
)

// Agreement implements core.Book.
func (s *Store) Agreement(ctx context.Context, controller, partner string) (*core.Agreement, error) {
	var body string
	err := s.db.QueryRow(ctx, `SELECT body FROM agreement WHERE controller = $1 AND partner = $2 ORDER BY version DESC LIMIT 1`,
		controller, partner).Scan(&body)
	if err != nil {
		return nil, failure("agreement", err)
	}
	return s.read(body)
}

// maxRead bounds how many agreements are remembered as read.
const maxRead = 1024

// read reads a stored agreement, each only once: nobody changes what it returns.
func (s *Store) read(body string) (*core.Agreement, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.agreements[body]; a != nil {
		return a, nil
	}
	a := new(core.Agreement)
	if err := json.Unmarshal([]byte(body), a); err != nil {
		return nil, fmt.Errorf("sqlstore: a stored agreement can't be read: %w", err)
	}
	if s.agreements == nil || len(s.agreements) >= maxRead {
		s.agreements = map[string]*core.Agreement{}
	}
	s.agreements[body] = a
	return a, nil
}

// Terms implements core.Book.
func (s *Store) Terms(ctx context.Context, box core.Box) (core.Terms, error) {
	found, err := s.ask(ctx, question{op: "terms", query: selectTerms, columns: 5}, key(box)...)
	if err != nil {
		return core.Terms{}, err
	}
	if len(found) == 0 {
		return core.Terms{}, core.ErrNotFound
	}
	return s.terms(found[0])
}

const selectTerms = `SELECT a.body, b.purpose, b.assessed_on, m.last_seq, m.confirmed FROM agreement a
	LEFT JOIN balancing b ON b.controller = a.controller AND b.balancing_id = a.balancing_id
	LEFT JOIN mailbox m ON m.controller = a.controller AND m.partner = a.partner AND m.purpose = $3 AND m.basis = $4
	WHERE a.controller = $1 AND a.partner = $2 ORDER BY a.version DESC LIMIT 1`

// terms reads a row of selectTerms.
func (s *Store) terms(c *cells) (t core.Terms, err error) {
	if t.Agreement, err = s.read(c.text()); err != nil {
		return core.Terms{}, err
	}
	if purpose, assessed := c.text(), c.text(); purpose != "" {
		t.Balancing = &core.Balancing{ID: t.Agreement.BalancingID, Purpose: core.Purpose(purpose)}
		if t.Balancing.Assessed, err = core.ParseDay(assessed); err != nil {
			return core.Terms{}, err
		}
	}
	t.Last, t.Confirmed = c.int(), c.int()
	return t, nil
}

// PutAgreement implements core.Book.
func (s *Store) PutAgreement(ctx context.Context, controller string, a *core.Agreement, now time.Time) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("sqlstore: agreement: %w", err)
	}
	return s.InTx(ctx, func(ctx context.Context) error {
		before, err := s.Agreement(ctx, controller, a.Partner)
		switch {
		case errors.Is(err, core.ErrNotFound):
		case err != nil:
			return err
		case reflect.DeepEqual(before, a):
			return nil
		case before.Version >= a.Version:
			return core.ErrConflict
		}
		_, err = s.exec(ctx, "put agreement", `INSERT INTO agreement (controller, partner, version, body, registered_at, balancing_id)
			VALUES ($1, $2, $3, $4, $5, $6)`, controller, a.Partner, int64(a.Version), string(body), sqlkit.Micros(now), a.BalancingID)
		return err
	})
}

// Partners implements core.Book.
func (s *Store) Partners(ctx context.Context) (out []string, err error) {
	err = s.each(ctx, "partners", func(scan func(...any) error) error {
		var p string
		if err := scan(&p); err != nil {
			return err
		}
		out = append(out, p)
		return nil
	}, `SELECT DISTINCT partner FROM agreement ORDER BY partner`)
	return out, err
}

// Balancing implements core.Book.
func (s *Store) Balancing(ctx context.Context, controller, id string) (*core.Balancing, error) {
	b := &core.Balancing{ID: id}
	var assessed string
	err := s.db.QueryRow(ctx, `SELECT purpose, assessed_on FROM balancing WHERE controller = $1 AND balancing_id = $2`,
		controller, id).Scan(&b.Purpose, &assessed)
	if err != nil {
		return nil, failure("balancing", err)
	}
	b.Assessed, err = core.ParseDay(assessed)
	return b, err
}

// PutBalancing implements core.Book.
func (s *Store) PutBalancing(ctx context.Context, controller string, b *core.Balancing, now time.Time) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		before, err := s.Balancing(ctx, controller, b.ID)
		switch {
		case errors.Is(err, core.ErrNotFound):
		case err != nil:
			return err
		case *before == *b:
			return nil
		default:
			return core.ErrConflict
		}
		_, err = s.exec(ctx, "put balancing", `INSERT INTO balancing (controller, balancing_id, purpose, assessed_on, recorded_at) VALUES ($1, $2, $3, $4, $5)`,
			controller, b.ID, string(b.Purpose), b.Assessed.String(), sqlkit.Micros(now))
		return err
	})
}

func readConsent(body string) (c core.Consent, err error) {
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		return c, errors.New("sqlstore: a stored consent can't be read")
	}
	return c, nil
}

// PutConsent implements core.Book.
func (s *Store) PutConsent(ctx context.Context, member int64, c *core.Consent, now time.Time) error {
	body, err := json.Marshal(c)
	if err != nil {
		return errors.New("sqlstore: a consent can't be written")
	}
	return s.InTx(ctx, func(ctx context.Context) error {
		var before string
		err := s.db.QueryRow(ctx, `SELECT body FROM consent WHERE member_id = $1 AND consent_id = $2`, member, c.ID).Scan(&before)
		switch {
		case errors.Is(err, sqlkit.ErrNotFound):
		case err != nil:
			return failure("consent", err)
		case before == string(body):
			return nil
		default:
			return core.ErrConflict
		}
		_, err = s.exec(ctx, "put consent", `INSERT INTO consent (member_id, consent_id, body, recorded_at) VALUES ($1, $2, $3, $4)`,
			member, c.ID, string(body), sqlkit.Micros(now))
		return err
	})
}

// Withdraw implements core.Book.
func (s *Store) Withdraw(ctx context.Context, member int64, id string, channel int, now time.Time) (at time.Time, err error) {
	err = s.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.exec(ctx, "withdraw", `UPDATE consent SET withdrawn_at = $1, withdrawn_channel = $2
			WHERE member_id = $3 AND consent_id = $4 AND withdrawn_at IS NULL`, sqlkit.Micros(now), channel, member, id); err != nil {
			return err
		}
		var micros int64
		err := s.db.QueryRow(ctx, `SELECT withdrawn_at FROM consent WHERE member_id = $1 AND consent_id = $2`, member, id).Scan(&micros)
		at = sqlkit.Time(micros)
		return failure("withdraw", err)
	})
	return at, err
}

// PutRefusal implements core.Book.
func (s *Store) PutRefusal(ctx context.Context, member int64, r core.StoredRefusal) (at time.Time, err error) {
	err = s.InTx(ctx, func(ctx context.Context) error {
		key := []any{member, int64(r.Kind), r.Partner, string(r.Purpose)}
		if _, err := s.exec(ctx, "put refusal", `INSERT INTO refusal (member_id, kind, partner, purpose, channel, since) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (member_id, kind, partner, purpose) DO NOTHING`, append(key, r.Channel, sqlkit.Micros(r.At))...); err != nil {
			return err
		}
		var since int64
		err := s.db.QueryRow(ctx, `SELECT since FROM refusal WHERE member_id = $1 AND kind = $2 AND partner = $3 AND purpose = $4`, key...).Scan(&since)
		at = sqlkit.Time(since)
		return failure("put refusal", err)
	})
	return at, err
}

// LiftRestriction implements core.Book.
func (s *Store) LiftRestriction(ctx context.Context, member int64) error {
	_, err := s.exec(ctx, "lift restriction", `DELETE FROM refusal WHERE member_id = $1 AND kind = $2`, member, int64(core.KindRestriction))
	return err
}
