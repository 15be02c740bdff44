package core

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"

	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/store"
)

// Lanes is in how many rows messages to one fund stand; those of one transfer keep to one row and so their order.
const Lanes = 4

// Envelope is one message to the other fund: an offer, a report, or a withdrawal.
type Envelope struct {
	TransferID string        `json:"-"`
	From       string        `json:"-"`
	To         string        `json:"-"`
	Seq        int64         `json:"-"`
	Offer      *OfferBody    `json:"offer,omitempty"`
	Report     *cases.Report `json:"report,omitempty"`
	Withdrawal bool          `json:"withdrawal,omitempty"`
	Channel    cases.Channel `json:"channel,omitempty"` // of a withdrawal
	// Part is what a report of a delivery carries; filled in when it is sent, nil in one whose content was erased meanwhile.
	Part *store.Part `json:"-"`
}

// OfferBody is what the releasing fund gets of a request, and nothing more (domain rule B.9).
type OfferBody struct {
	Number  string     `json:"number"` // canonical national number
	PoA     string     `json:"poa"`    // the proof: the assertion as the member signed it
	Wanted  civil.Date `json:"wanted"`
	Agreed  bool       `json:"agreed,omitempty"`
	Country string     `json:"country"`
}

// Outcome is what became of a message.
type Outcome int

// The outcomes.
const (
	Applied   Outcome = iota + 1
	Duplicate         // was there already
	TooEarly          // one before it is missing
	Refused           // does not fit; the sender looks into it
)

// send writes a message to the other fund in the transaction of ctx.
func (s *Service) send(ctx context.Context, c *cases.Case, e Envelope) error {
	plain, err := json.Marshal(e)
	if err != nil {
		return err
	}
	sealed, err := s.Sealer.Encrypt(plain, binding("message", c.ID, c.Fund))
	if err != nil {
		return errors.Join(ErrKeys, err)
	}
	c.OutSeq++
	err = s.Store.Send(ctx, store.Message{TransferID: c.ID, Fund: c.Fund, Other: c.Other, Seq: c.OutSeq, Lane: LaneOf(c.ID), Body: sealed})
	s.Wake()
	return err
}

// LaneOf is the lane of a transfer's messages.
func LaneOf(id string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // a hash never fails
	return int(h.Sum32() % Lanes)
}

// Read opens a message for sending, with the part that it is about.
func (s *Service) Read(ctx context.Context, m store.Message) (Envelope, error) {
	var e Envelope
	plain, err := s.Sealer.Decrypt(m.Body, binding("message", m.TransferID, m.Fund))
	if err != nil {
		return e, errors.Join(ErrKeys, err)
	}
	if err := json.Unmarshal(plain, &e); err != nil {
		return e, err
	}
	e.TransferID, e.From, e.To, e.Seq = m.TransferID, m.Fund, m.Other, m.Seq
	if e.Report == nil || e.Report.Part.Number == 0 {
		return e, nil
	}
	parts, err := s.Store.Parts(ctx, m.TransferID, m.Fund, e.Report.Part.Number-1, 1)
	if err != nil {
		return e, err
	}
	if len(parts) == 1 && parts[0].Number == e.Report.Part.Number {
		e.Part = &parts[0]
	}
	return e, nil
}

// Receive applies a message of the other fund. from is the organisation whose certificate it came with. A part was checked already.
// Whatever is repeated changes nothing, whatever comes too early is asked for again. Errors are faults of ours.
func (s *Service) Receive(ctx context.Context, from string, e Envelope) (Outcome, error) {
	if own, ok := s.Directory.Find(e.To); !ok || !own.Hosted || from != e.From {
		return Refused, nil
	}
	out := Refused
	err := s.Store.InTx(ctx, func(ctx context.Context) (err error) {
		if e.Offer != nil {
			out, err = s.offered(ctx, e)
			return err
		}
		out, err = s.told(ctx, e)
		return err
	})
	return out, err
}

// offered opens the releasing fund's record.
func (s *Service) offered(ctx context.Context, e Envelope) (Outcome, error) {
	if known, err := s.Store.Get(ctx, e.TransferID, e.To); err == nil {
		s.note(ctx, known)
		if known.Other != e.From {
			return Refused, nil
		}
		return Duplicate, nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	own, _ := s.Directory.Find(e.To)
	other, known := s.Directory.Find(e.From)
	if e.Seq != 1 || !known || !own.IsFund || !other.IsFund || own.Country != other.Country || e.Offer.Country != own.Country {
		return Refused, nil
	}
	subject, err := s.Index.Subject(e.Offer.Number)
	if err != nil {
		return 0, err
	}
	offer := cases.Offer{
		ID: e.TransferID, Fund: e.To, Other: e.From, Country: e.Offer.Country, Subject: subject, Number: e.Offer.Number, Wanted: e.Offer.Wanted,
		Agreed: e.Offer.Agreed,
	}
	if err := s.examine(ctx, e, &offer); err != nil {
		return 0, err
	}
	c, err := s.Machine.Accept(offer, s.Today())
	if err != nil {
		return 0, err
	}
	s.note(ctx, c)
	c.PeerSeq = e.Seq
	return Applied, s.open(ctx, c, e)
}

// examine looks at the power of attorney and at what else there is about the person.
func (s *Service) examine(ctx context.Context, e Envelope, o *cases.Offer) error {
	poa, err := s.Assertions.Verify(e.Offer.PoA)
	switch {
	case e.Offer.PoA == "":
		o.Problem = cases.PoAMissing
	case err != nil:
		o.Problem = cases.PoAInvalid
	default:
		used, err := s.Store.PoAUsed(ctx, o.Fund, poa.Issuer, poa.ID)
		if err != nil {
			return err
		}
		if used { // replayed: its id stays with the transfer that it was for
			o.Problem = cases.PoAInvalid
		} else {
			o.PoA = &poa
		}
	}
	if o.Duplicate, err = s.Store.OpenOut(ctx, o.Fund, o.Subject); err != nil {
		return err
	}
	now, err := s.Store.PeriodOf(ctx, o.Subject, store.Forever)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	o.Gone = err == nil && now.Fund != o.Fund
	return nil
}

// open keeps a record that an offer began; one that was rejected at once is told at once.
func (s *Service) open(ctx context.Context, c cases.Case, e Envelope) error {
	event := store.Event{Event: cases.SendRequest, Actor: cases.Receiving, At: s.Clock.Now()}
	if c.State == cases.Rejected {
		event.Event, event.Actor, c.OutSeq = cases.Reject, cases.Releasing, 1
	}
	if err := s.Store.Insert(ctx, c, event); err != nil {
		return err
	}
	if c.State == cases.Rejected {
		c.OutSeq = 0
		return s.send(ctx, &c, Envelope{Report: &cases.Report{Event: cases.Reject, Rejection: c.Rejection}})
	}
	return s.putDetails(ctx, c, details{Application: Application{Number: e.Offer.Number}, PoA: e.Offer.PoA})
}

// told applies what is not an offer, in order.
func (s *Service) told(ctx context.Context, e Envelope) (Outcome, error) {
	c, err := s.Store.Get(ctx, e.TransferID, e.To)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return TooEarly, nil
	case err != nil:
		return 0, err
	}
	s.note(ctx, c)
	switch {
	case c.Other != e.From:
		return Refused, nil
	case e.Seq <= c.PeerSeq:
		return Duplicate, nil
	case e.Seq != c.PeerSeq+1:
		return TooEarly, nil
	}
	c.PeerSeq = e.Seq
	if e.Withdrawal {
		return s.toldWithdrawal(ctx, c, e.Channel)
	}
	if e.Report == nil {
		return Refused, nil
	}
	if e.Report.Event == cases.AskUndo {
		return s.toldUndo(ctx, c)
	}
	_, err = s.take(ctx, c, step{
		event: e.Report.Event, actor: actorIn(*e.Report),
		move: func(_ context.Context, c cases.Case) (cases.Case, error) {
			return s.Machine.Follow(c, *e.Report, s.Today())
		},
		then: func(ctx context.Context, next *cases.Case) error { return s.follow(ctx, *next, e, c.Effective) },
	})
	if errors.Is(err, cases.ErrState) || errors.Is(err, cases.ErrGuard) || errors.Is(err, cases.ErrWrongActor) {
		return Refused, nil
	}
	return Applied, err
}

// actorIn is who caused what is reported.
func actorIn(r cases.Report) cases.Party {
	switch r.Event {
	case cases.Withdraw, cases.ManualSet:
		return cases.Member
	case cases.ExpirePoA:
		return cases.System
	case cases.UndoExit:
		return cases.Receiving
	default:
		return cases.Releasing
	}
}

// toldWithdrawal ends the releasing fund's record, or brings a person in; where it is too late, nothing changes.
func (s *Service) toldWithdrawal(ctx context.Context, c cases.Case, ch cases.Channel) (Outcome, error) {
	if c.Side != cases.Releasing {
		return Refused, nil
	}
	_, err := s.withdraw(ctx, c, ch)
	if errors.Is(err, cases.ErrState) || errors.Is(err, cases.ErrWrongActor) {
		return Applied, s.Store.Advance(ctx, c)
	}
	return Applied, err
}

// follow is what a report brings with it: the part, or the person's new time, or the old one again; moved is the day of the move before.
func (s *Service) follow(ctx context.Context, c cases.Case, e Envelope, moved civil.Date) error {
	if e.Part != nil {
		return s.Store.PutPart(ctx, c.ID, c.Fund, *e.Part)
	}
	switch e.Report.Event {
	case cases.ConfirmExit:
		return s.followExit(ctx, c)
	case cases.UndoExit:
		done, err := s.Store.Undo(ctx, c.Subject, c.Fund, c.Other, moved, c.ID)
		if err == nil && !done {
			err = cases.GuardError{Guard: cases.GuardDate}
		}
		return err
	default:
		return nil
	}
}

// followExit begins the person's new time.
func (s *Service) followExit(ctx context.Context, c cases.Case) error {
	_, err := s.Store.PeriodOf(ctx, c.Subject, store.Forever)
	if errors.Is(err, store.ErrNotFound) { // when that fund's time began is not ours to know
		err = s.Store.Begin(ctx, c.Subject, store.Period{Fund: c.Other, First: 1})
	}
	if err != nil {
		return err
	}
	return s.Store.Move(ctx, c.Subject, c.Other, c.Fund, c.Effective, c.ID)
}
