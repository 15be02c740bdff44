package cases

import (
	"samvirke.dev/services/transfer/internal/core/civil"
)

// Report is an event of the releasing fund's record, as the receiving fund is told of it.
type Report struct {
	Event     Event         `json:"event"`
	Rejection RejectionCode `json:"rejection,omitempty"`
	Part      Part          `json:"part,omitzero"`
	Effective civil.Date    `json:"effective,omitempty"`
	Channel   Channel       `json:"channel,omitempty"`
}

// Follow applies a report to the receiving fund's record. Reports come in order, so whatever does not fit is refused as a fault of the
// other side: a record never takes a step that the table of domain rule B.9 does not know.
func (m *Machine) Follow(c Case, r Report, today civil.Date) (Case, error) {
	if c.Side != Receiving {
		return c.answered(r.Event)
	}
	switch r.Event {
	case Acknowledge:
		if err := c.allow(Acknowledge, Releasing); err != nil {
			return c, err
		}
		return m.await(c.to(Acknowledged), today, m.terms.DeliverWorkdays)
	case Reject:
		return m.Reject(c, Releasing, r.Rejection)
	case DeliverPart, DeliverLast:
		if err := c.allow(DeliverPart, Releasing); err != nil {
			return c, err
		}
		return m.delivered(c, r.Part, today)
	case ConfirmExit:
		if err := c.allow(ConfirmExit, Releasing); err != nil {
			return c, err
		}
		if r.Effective.IsZero() {
			return c, GuardError{GuardDate}
		}
		c.Effective = r.Effective
		return c.to(ExitConfirmed), nil
	case Withdraw, ExpirePoA:
		c.Channel = max(c.Channel, r.Channel)
		return c.ended(r.Event)
	case ManualSet, KeepExit:
		if c.State != ExitConfirmed && c.State != Effective {
			return c, StateError{c.State, r.Event}
		}
		if r.Event == KeepExit {
			return c.kept(), nil
		}
		c.Withdrawing, c.Channel = false, max(c.Channel, r.Channel)
		c.Manual |= ManualWithdrawal
		return c.noted(), nil
	default:
		return c, ErrWrongActor
	}
}

// ended applies the end that the releasing fund reports.
func (c Case) ended(e Event) (Case, error) {
	if c.State < Requested || c.State > DataDelivered {
		return c, StateError{c.State, e}
	}
	if e == ExpirePoA {
		return c.to(Expired), nil
	}
	return c.to(Withdrawn), nil
}
