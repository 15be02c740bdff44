package core

import (
	"context"
	"errors"
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

// settledKey finds the outcome in the context of a look into a mailbox that changes nothing.
type settledKey struct{}

// IsSettled says whether FetchForMailbox has found out that the look changes nothing: Mailbox then needs no transaction. What comes in
// meanwhile waits for the next look.
func IsSettled(ctx context.Context) bool { return settled(ctx) != nil }

func settled(ctx context.Context) *outcome {
	o, _ := ctx.Value(settledKey{}).(*outcome)
	return o
}

// FetchForMailbox asks the identity service about everybody on the page, and settles a look that has nothing to change: at an empty
// mailbox, or at a page that was given before, as after a lost answer.
func (s *Service) FetchForMailbox(ctx context.Context, c Caller, in Fetching) context.Context {
	box := boxOf(c)
	terms, err := s.store.Terms(ctx, box)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return ctx // Mailbox tells
	}
	var items []Item
	var more bool
	if err != nil || !terms.quiet(in.After) {
		if items, more, err = s.store.ItemsAfter(ctx, box, in.After, in.Limit); err != nil {
			return ctx // Mailbox tells
		}
		ctx = s.askAbout(ctx, c.Controller, items)
	}
	if in.After > terms.Confirmed {
		return ctx
	}
	if o := s.look(ctx, c, in, s.dealt(box, &terms), items, more); o.settled() {
		return context.WithValue(ctx, settledKey{}, o)
	}
	return ctx
}

// askAbout asks the identity service about the members whose data a page can give.
func (s *Service) askAbout(ctx context.Context, controller string, items []Item) context.Context {
	handles, address := make([]string, 0, len(items)), false
	for _, i := range items {
		if i.data() {
			handles = append(handles, i.Share.Handle)
			address = address || i.Share.Fields.Has(Address)
		}
	}
	return s.ask(ctx, controller, address, handles...)
}

// Mailbox gives the calling partner what is new, at least once: the same position gives the same again, as far as it is still allowed. What
// the rules no longer allow is withheld, and stopped. A partner whose agreement no longer stands gets the notices to stop, and the
// reasons when there are none. Errors: RefusedError, ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) Mailbox(ctx context.Context, c Caller, in Fetching, note NoteItem) (*Delivered, error) {
	o := settled(ctx)
	if o == nil {
		box := boxOf(c)
		d, err := s.dealing(ctx, box)
		if err != nil {
			return nil, err
		}
		items, more, err := s.store.ItemsAfter(ctx, box, in.After, in.Limit)
		if err != nil {
			return nil, fmt.Errorf("insurance: mailbox: %w", err)
		}
		o = s.look(ctx, c, in, d, items, more)
		if err := s.keep(ctx, box, in, o); err != nil {
			return nil, err
		}
	}
	for i, n := range o.notes {
		at := note(ctx, i)
		s.notes.Subject(at, n.handle, n.protected)
		if len(n.denied) > 0 {
			s.notes.Deny(at, n.denied)
		}
	}
	if len(o.refused) > 0 {
		return nil, &RefusedError{Reasons: o.refused}
	}
	return o.answer, nil
}

// keep keeps what follows from a look.
func (s *Service) keep(ctx context.Context, box Box, in Fetching, o *outcome) error {
	if len(o.refused) > 0 {
		return nil // nothing of the mailbox is touched
	}
	var problems []error
	if in.After > 0 {
		problems = append(problems, s.store.Confirm(ctx, box, in.After))
	}
	if len(o.given) > 0 {
		problems = append(problems, s.store.MarkDelivered(ctx, box, o.given, s.clock.Now()))
	}
	if len(o.read) > 0 {
		problems = append(problems, s.store.CountReads(ctx, o.read))
	}
	for _, share := range o.stopped {
		problems = append(problems, s.keepStopped(ctx, share))
	}
	if len(o.told) > 0 {
		problems = append(problems, s.record(ctx, o.told...))
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("insurance: mailbox: %w", err)
	}
	return nil
}

// outcome is what a look into a mailbox comes to: the answer, and what has to be kept because of it.
type outcome struct {
	answer  *Delivered
	refused Reasons // instead of the answer
	notes   []noted // one for each audit record
	given   []int64 // positions that were not given before
	read    []int64 // shares whose data are given, once for each time that counts
	stopped []*Share
	told    []Disclosure
}

// noted is what the audit record of one item needs to know.
type noted struct {
	handle    string
	protected bool
	denied    Reasons
}

// settled says that nothing has to be kept, but that the position has been reached.
func (o *outcome) settled() bool {
	return len(o.refused) > 0 || len(o.given)+len(o.read)+len(o.stopped)+len(o.told) == 0
}

// look decides what the partner gets of a page.
func (s *Service) look(ctx context.Context, c Caller, in Fetching, d dealing, items []Item, more bool) *outcome {
	f := s.facts(d, c.Purpose, c.Basis, c.Special, wanted(in.Fields, d.agreed()))
	closed := Decide(f)
	if callersFault(closed) {
		return &outcome{refused: closed}
	}
	w := walk{
		service: s, dealing: d, facts: f, closed: len(closed) > 0, answers: answers(ctx), shares: make(map[int64]*Share, len(items)),
		out: &outcome{answer: &Delivered{Last: in.After, More: more}},
	}
	w.all(items)
	if len(closed) > 0 && len(w.out.answer.Items) == 0 {
		return &outcome{refused: closed}
	}
	return w.out
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
	closed  bool             // no data at all
	answers standings        // nil: the identity service was not asked
	shares  map[int64]*Share // as they are after the items before; several items may be about one
	out     *outcome
}

func (w *walk) all(items []Item) {
	for i := range items {
		item := &items[i]
		if !w.ready(item) {
			w.out.answer.More = true
			return
		}
		if !w.take(item) {
			w.out.answer.More = false // asking again at once would not help
			return
		}
		w.out.answer.Last = item.Seq
	}
}

// ready says whether the identity service was asked about whom the item is about. One that came in since waits for the next call.
func (w *walk) ready(item *Item) bool {
	if !item.data() || w.closed || w.answers == nil {
		return true
	}
	_, ok := w.answers[item.Share.Handle]
	return ok
}

// take works through one item; false means that it has to come again.
func (w *walk) take(item *Item) (goOn bool) {
	share := w.shares[item.Share.ID]
	if share == nil {
		share = &item.Share
		w.shares[share.ID] = share
	}
	switch {
	case item.Kind == ItemStopUse:
		w.notice(item, share)
	case share.Stopped: // its notice, if there has to be one, is further on
	case w.closed:
		w.stop(share)
	default:
		return w.data(item, share)
	}
	return true
}

// notice gives a STOP_USE.
func (w *walk) notice(item *Item, share *Share) {
	w.out.notes = append(w.out.notes, noted{handle: share.Handle})
	if !item.Delivered {
		w.out.told = append(w.out.told, w.service.disclosure(w.dealing.agreement, share, ItemStopUse, 0))
	}
	w.give(item, share, nil)
}

// data gives the data of an item, or withholds them.
func (w *walk) data(item *Item, share *Share) (goOn bool) {
	standing, ok := w.answers[share.Handle]
	if !ok || standing.Unreachable {
		return false // protected until we know better, and not to be stopped for that
	}
	f, now := w.facts, w.service.clock.Now()
	f.Special = share.Special
	again := item.Delivered && share.Delivered
	f.Person = item.Known.facts(standing.Protected, share.over(now) || share.readUp() && !again)
	if reasons := Decide(f); len(reasons) > 0 {
		w.withhold(share, reasons, share.over(now))
		return true
	}
	w.out.notes = append(w.out.notes, noted{handle: share.Handle})
	data := disclose(w.dealing.agreement, item.Known.Member, share, f.Wanted, standing.Address)
	if !again {
		share.Reads++
		share.Delivered = true
		w.out.read = append(w.out.read, share.ID)
		w.out.told = append(w.out.told, w.service.disclosure(w.dealing.agreement, share, item.Kind, data.Fields))
	}
	w.give(item, share, data)
	return true
}

// withhold leaves an item out, and stops the share unless only its reads are used up: then the partner may go on using what it has.
func (w *walk) withhold(share *Share, reasons Reasons, over bool) {
	w.out.notes = append(w.out.notes, noted{handle: share.Handle, protected: slices.Contains(reasons, Protected), denied: reasons})
	if reasons[0] != ShareEnded || over {
		w.stop(share)
	}
}

func (w *walk) stop(share *Share) {
	share.Stopped = true
	w.out.stopped = append(w.out.stopped, share)
}

func (w *walk) give(item *Item, share *Share, data *Disclosed) {
	now := *share // as it is after this item
	w.out.answer.Items = append(w.out.answer.Items, Delivery{Kind: item.Kind, Item: *item, Share: &now, Data: data})
	if !item.Delivered {
		w.out.given = append(w.out.given, item.Seq)
	}
}
