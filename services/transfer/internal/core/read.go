package core

import (
	"context"
	"errors"

	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/store"
)

// View is a record with what belongs to it.
type View struct {
	Case     cases.Case
	Receipts []store.Part   // without content
	Erasure  *store.Erasure // nil if nothing was erased
}

// maxParts is how many parts a case may have; the schema of a part holds 96 months at once, so few are needed.
const maxParts = 1000

// Get returns the fund's record.
func (s *Service) Get(ctx context.Context, by Caller, id string) (View, error) {
	c, err := s.get(ctx, by.Fund, id)
	if err != nil {
		return View{}, err
	}
	v := View{Case: c}
	if c.Parts > 0 {
		if v.Receipts, err = s.Store.Parts(ctx, id, by.Fund, 0, maxParts); err != nil {
			return View{}, err
		}
	}
	e, err := s.Store.Certificate(ctx, id, by.Fund)
	switch {
	case err == nil:
		v.Erasure = &e
	case !errors.Is(err, store.ErrNotFound):
		return View{}, err
	}
	return v, nil
}

// List returns records of the fund.
func (s *Service) List(ctx context.Context, by Caller, f store.Filter, after store.Position, limit int) ([]cases.Case, store.Position, error) {
	return s.Store.List(ctx, by.Fund, f, after, limit)
}

// Events returns what happened in the fund's record after an event.
func (s *Service) Events(ctx context.Context, by Caller, id string, after int64, limit int) ([]store.Event, error) {
	if _, err := s.get(ctx, by.Fund, id); err != nil {
		return nil, err
	}
	return s.Store.Events(ctx, id, by.Fund, after, limit)
}

// Opened is a part as the receiving fund reads it.
type Opened struct {
	store.Part

	Plain []byte // nil when it was erased
}

// ReadParts returns at most limit parts of the data after one, opened. Only the receiving fund can.
func (s *Service) ReadParts(ctx context.Context, by Caller, id string, after, limit int) ([]Opened, error) {
	c, err := s.get(ctx, by.Fund, id)
	if err != nil {
		return nil, err
	}
	if c.Side != cases.Receiving {
		return nil, cases.ErrWrongActor
	}
	parts, err := s.Store.Parts(ctx, id, by.Fund, after, limit)
	if err != nil {
		return nil, err
	}
	out := make([]Opened, len(parts))
	for i, p := range parts {
		out[i] = Opened{Part: p}
		if len(p.Content) == 0 {
			continue
		}
		if out[i].Plain, err = s.Parcels.Open(ctx, parcelOf(c, p.Part), p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// parcelOf says between whom a part of the case goes.
func parcelOf(c cases.Case, p cases.Part) Parcel {
	out := Parcel{TransferID: c.ID, From: c.Fund, To: c.Other, Part: p}
	if c.Side == cases.Receiving {
		out.From, out.To = c.Other, c.Fund
	}
	return out
}

// Wrap readies a part for delivery; it asks others and must not run in a transaction.
func (s *Service) Wrap(ctx context.Context, by Caller, id string, p cases.Part, plain []byte) (store.Part, error) {
	c, err := s.get(ctx, by.Fund, id)
	if err != nil {
		return store.Part{}, err
	}
	if c.Side != cases.Releasing {
		return store.Part{}, cases.ErrWrongActor
	}
	return s.Parcels.Wrap(ctx, parcelOf(c, p), plain)
}

// CheckPart verifies a part that came from the other fund; it may ask others and must not run in a transaction.
func (s *Service) CheckPart(ctx context.Context, e Envelope) error {
	if e.Part == nil || e.Report == nil || e.Part.Part != e.Report.Part {
		return ErrPart
	}
	return s.Parcels.Check(ctx, Parcel{TransferID: e.TransferID, From: e.From, To: e.To, Part: e.Report.Part}, *e.Part)
}
