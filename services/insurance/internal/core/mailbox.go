package core

import (
	"context"
	"fmt"
	"slices"
)

// Fetching is a partner's question for what is new in its mailbox.
type Fetching struct {
	After  int64 // position up to which everything has arrived
	Fields Fields
	Limit  int // items at most
}

// Delivery is one item as the partner gets it.
type Delivery struct {
	Kind  ItemKind
	Item  Item
	Share *Share
	Data  *Disclosed // nil with ItemStopUse
}

// Delivered is the answer to Fetching.
type Delivered struct {
	Items []Delivery
	Last  int64 // where to go on
	More  bool
}

// NoteItem makes the context in which item i (from 0) of an answer is noted, so that it leaves a record of its own.
type NoteItem func(ctx context.Context, i int) context.Context

// quietKey finds the terms in the context of a look into a mailbox that holds nothing new.
type quietKey struct{}

// IsQuiet says whether FetchForMailbox found nothing new: then Mailbox changes nothing, and needs no transaction. What comes in
// meanwhile waits for the next look.
func IsQuiet(ctx context.Context) bool { return quiet(ctx) != nil }

func quiet(ctx context.Context) *Terms {
	t, _ := ctx.Value(quietKey{}).(*Terms)
	return t
}

// FetchForMailbox asks the identity service about everybody on the page.
func (s *Service) FetchForMailbox(ctx context.Context, c Caller, in Fetching) context.Context {
	if terms, err := s.store.Terms(ctx, boxOf(c)); err == nil && terms.quiet(in.After) {
		return context.WithValue(ctx, quietKey{}, &terms)
	}
	items, err := s.store.ItemsAfter(ctx, boxOf(c), in.After, in.Limit)
	if err != nil {
		return ctx // Mailbox tells
	}
	handles, address := make([]string, 0, len(items)), false
	for _, i := range items {
		if i.Kind != ItemStopUse && !i.Share.Stopped {
			handles = append(handles, i.Share.Handle)
			address = address || i.Share.Fields.Has(Address)
		}
	}
	return s.ask(ctx, c.Controller, address, handles...)
}

// Mailbox gives the calling partner what is new, at least once: the same position gives the same again, as far as it is still allowed. What
// the rules no longer allow is withheld, and stopped. A partner whose agreement no longer stands gets the notices to stop, and the
// reasons when there are none. Errors: RefusedError, ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) Mailbox(ctx context.Context, c Caller, in Fetching, note NoteItem) (*Delivered, error) {
	box := boxOf(c)
	if terms := quiet(ctx); terms != nil {
		return s.nothingNew(c, in, s.dealt(box, terms))
	}
	d, err := s.dealing(ctx, box)
	if err != nil {
		return nil, err
	}
	f := s.facts(d, c.Purpose, c.Basis, c.Special, wanted(in.Fields, d.agreed()))
	closed := Decide(f)
	if callersFault(closed) {
		return nil, &RefusedError{Reasons: closed}
	}
	if in.After > 0 {
		if err := s.store.Confirm(ctx, box, in.After); err != nil {
			return nil, fmt.Errorf("insurance: mailbox: %w", err)
		}
	}
	items, err := s.store.ItemsAfter(ctx, box, in.After, in.Limit+1)
	if err != nil {
		return nil, fmt.Errorf("insurance: mailbox: %w", err)
	}
	w := walk{service: s, dealing: d, facts: f, closed: len(closed) > 0, note: note, out: &Delivered{Last: in.After}}
	if err := w.all(ctx, items, in.Limit); err != nil {
		return nil, err
	}
	if len(closed) > 0 && len(w.out.Items) == 0 {
		return nil, &RefusedError{Reasons: closed}
	}
	return w.out, nil
}

// nothingNew is the answer of a quiet mailbox.
func (s *Service) nothingNew(c Caller, in Fetching, d dealing) (*Delivered, error) {
	f := s.facts(d, c.Purpose, c.Basis, c.Special, wanted(in.Fields, d.agreed()))
	if closed := Decide(f); len(closed) > 0 {
		return nil, &RefusedError{Reasons: closed}
	}
	return &Delivered{Last: in.After}, nil
}

// callersFault says whether the partner itself asks wrongly, so that nothing of its mailbox is touched.
func callersFault(rs Reasons) bool {
	return slices.ContainsFunc(rs, func(r Reason) bool { return r == BasisInvalid || r == FieldsExceed })
}

// walk goes through the items of one page.
type walk struct {
	service *Service
	dealing dealing
	facts   Facts
	closed  bool // no data at all
	note    NoteItem
	noted   int // records of this answer: of what is given, and of what is withheld
	out     *Delivered
}

func (w *walk) all(ctx context.Context, items []Item, limit int) error {
	for i, item := range items {
		if i == limit || !w.ready(ctx, item) {
			w.out.More = true
			return nil
		}
		goOn, err := w.take(ctx, item)
		if err != nil || !goOn {
			return err
		}
		w.out.Last = item.Seq
	}
	return nil
}

// ready says whether the identity service was asked about whom the item is about. One that came in since waits for the next call.
func (w *walk) ready(ctx context.Context, item Item) bool {
	if item.Kind == ItemStopUse || item.Share.Stopped || w.closed || !asked(ctx) {
		return true
	}
	answers, _ := ctx.Value(standingsKey{}).(standings)
	_, ok := answers[item.Share.Handle]
	return ok
}

// take works through one item; false means that it has to come again.
func (w *walk) take(ctx context.Context, item Item) (goOn bool, err error) {
	share := &item.Share
	switch {
	case item.Kind == ItemStopUse:
		return true, w.notice(ctx, item)
	case share.Stopped: // its notice, if there has to be one, is further on
		return true, nil
	case w.closed:
		return true, w.service.stop(ctx, share)
	default:
		return w.data(ctx, item)
	}
}

// notice gives a STOP_USE.
func (w *walk) notice(ctx context.Context, item Item) error {
	w.service.notes.Subject(w.next(ctx), item.Share.Handle, false)
	if !item.Delivered {
		if err := w.service.record(ctx, w.dealing.agreement, &item.Share, ItemStopUse, 0); err != nil {
			return err
		}
	}
	return w.give(ctx, Delivery{Kind: ItemStopUse, Item: item, Share: &item.Share})
}

// next makes the context of the next record.
func (w *walk) next(ctx context.Context) context.Context {
	w.noted++
	return w.note(ctx, w.noted-1)
}

// data gives the data of an item, or withholds them.
func (w *walk) data(ctx context.Context, item Item) (goOn bool, err error) {
	s, share := w.service, &item.Share
	m, err := s.store.MemberByID(ctx, share.Member)
	if err != nil {
		return false, fmt.Errorf("insurance: member: %w", err)
	}
	standing := s.standing(ctx, share.Handle)
	if standing.Unreachable {
		return false, nil // protected until we know better, and not to be stopped for that
	}
	f := w.facts
	f.Special = share.Special
	again := item.Delivered && share.Delivered
	if f.Person, err = s.person(ctx, m, standing.Protected, share.over(s.clock.Now()) || share.readUp() && !again); err != nil {
		return false, err
	}
	if reasons := Decide(f); len(reasons) > 0 {
		return true, w.withhold(ctx, share, reasons)
	}
	s.notes.Subject(w.next(ctx), share.Handle, false)
	data := disclose(w.dealing.agreement, m, share, f.Wanted, standing.Address)
	if !again {
		share.Reads++
		share.Delivered = true
		if err := s.store.PutShare(ctx, share); err != nil {
			return false, fmt.Errorf("insurance: share: %w", err)
		}
		if err := s.record(ctx, w.dealing.agreement, share, item.Kind, data.Fields); err != nil {
			return false, err
		}
	}
	return true, w.give(ctx, Delivery{Kind: item.Kind, Item: item, Share: share, Data: data})
}

// withhold leaves an item out, and stops the share unless only its reads are used up: then the partner may go on using what it has.
func (w *walk) withhold(ctx context.Context, share *Share, reasons Reasons) error {
	s, noted := w.service, w.next(ctx)
	s.notes.Subject(noted, share.Handle, slices.Contains(reasons, Protected))
	s.notes.Deny(noted, reasons)
	if reasons[0] == ShareEnded && !share.over(s.clock.Now()) {
		return nil
	}
	return s.stop(ctx, share)
}

func (w *walk) give(ctx context.Context, d Delivery) error {
	w.out.Items = append(w.out.Items, d)
	if d.Item.Delivered {
		return nil
	}
	if err := w.service.store.MarkDelivered(ctx, d.Share.box(), d.Item.Seq, w.service.clock.Now()); err != nil {
		return fmt.Errorf("insurance: mailbox: %w", err)
	}
	return nil
}
