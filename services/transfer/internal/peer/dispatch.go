package peer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"

	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/store"
	"samvirke.dev/services/transfer/internal/wire"
)

// batch is how many messages are under way on a lane at once.
const batch = 32

// Bounds of the pause after a failure; a fund that is away costs one try each.
const (
	firstPause = 200 * time.Millisecond
	maxPause   = time.Minute
	// earlyPause is how long one waits that came before another one; it doubles with every try, up to earlyDoubles times.
	earlyPause   = 50 * time.Millisecond
	earlyDoubles = 10
)

// Messages are the messages that wait, as the core reads them; *core.Service is one.
type Messages interface {
	Read(ctx context.Context, m store.Message) (core.Envelope, error)
	// Refused keeps what the other fund refuses from being sent again, and calls a person in.
	Refused(ctx context.Context, m store.Message) error
}

// Dispatcher tells other funds what they have to be told, each lane in order, until it is confirmed.
type Dispatcher struct {
	peers    *Peers
	store    store.Outbox
	tx       func(ctx context.Context, fn func(ctx context.Context) error) error
	messages Messages
	clock    core.Clock
	log      *slog.Logger
	poll     time.Duration
	bell     chan struct{}

	mu     sync.Mutex
	busy   map[laneKey]bool // lanes under way
	paused map[laneKey]pauseOf
}

// laneKey names a lane.
type laneKey struct {
	fund, other string
	lane        int
}

func keyOf(m store.Message) laneKey { return laneKey{m.Fund, m.Other, m.Lane} }

// pauseOf is until when a lane rests.
type pauseOf struct {
	until time.Time
	next  time.Duration
}

// NewDispatcher returns one that looks every poll, and whenever it is woken.
func NewDispatcher(p *Peers, s store.Store, m Messages, c core.Clock, log *slog.Logger, poll time.Duration) *Dispatcher {
	return &Dispatcher{
		peers: p, store: s, tx: s.InTx, messages: m, clock: c, log: log, poll: poll, bell: make(chan struct{}, 1),
		busy: map[laneKey]bool{}, paused: map[laneKey]pauseOf{},
	}
}

// Wake says that there may be something to tell. It never blocks.
func (d *Dispatcher) Wake() {
	select {
	case d.bell <- struct{}{}:
	default:
	}
}

// Run tells until ctx ends, and then waits for the lanes under way.
func (d *Dispatcher) Run(ctx context.Context) error {
	var lanes sync.WaitGroup
	defer lanes.Wait()
	tick := time.NewTicker(d.poll)
	defer tick.Stop()
	for {
		waiting, err := d.store.Lanes(ctx)
		if err != nil && ctx.Err() == nil {
			d.log.WarnContext(ctx, "messages to other funds can't be looked up", "error", err)
		}
		for _, lane := range waiting {
			if d.take(lane) {
				lanes.Go(func() { d.run(ctx, lane) })
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-d.bell:
		}
	}
}

// take claims a lane that is neither under way nor at rest.
func (d *Dispatcher) take(lane store.Message) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := keyOf(lane)
	if d.busy[key] || d.clock.Now().Before(d.paused[key].until) {
		return false
	}
	d.busy[key] = true
	return true
}

// run empties a lane over one stream.
func (d *Dispatcher) run(ctx context.Context, lane store.Message) {
	sent, err := d.empty(ctx, lane)
	d.mu.Lock()
	defer d.mu.Unlock()
	key := keyOf(lane)
	delete(d.busy, key)
	if err == nil || ctx.Err() != nil {
		delete(d.paused, key)
		if sent > 0 {
			d.Wake() // what came meanwhile
		}
		return
	}
	pause := min(max(2*d.paused[key].next, firstPause), maxPause)
	d.paused[key] = pauseOf{d.clock.Now().Add(pause), pause}
	d.log.WarnContext(ctx, "another fund can't be told", "fund", lane.Other, "pause", pause, "error", err)
}

func (d *Dispatcher) empty(ctx context.Context, lane store.Message) (sent int, err error) {
	page, err := d.unsent(ctx, lane)
	if err != nil || len(page) == 0 {
		return 0, err
	}
	endpoint, known := d.peers.cfg.Funds[lane.Other]
	if !known {
		return 0, fmt.Errorf("peer: %s is not in the directory", lane.Other)
	}
	conn, err := d.peers.dial(lane.Fund, endpoint)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := transferv1.NewTransferExchangeServiceClient(conn).Exchange(ctx)
	if err != nil {
		return 0, err
	}
	for {
		if err := d.page(ctx, stream, page); err != nil {
			return sent, err
		}
		sent += len(page)
		if page, err = d.unsent(ctx, lane); err != nil || len(page) == 0 {
			return sent, errors.Join(err, stream.CloseSend())
		}
	}
}

func (d *Dispatcher) unsent(ctx context.Context, lane store.Message) ([]store.Message, error) {
	return d.store.Unsent(ctx, lane.Fund, lane.Other, lane.Lane, d.clock.Now(), batch)
}

// page sends some messages, reads what became of them, and strikes off what is done.
func (d *Dispatcher) page(ctx context.Context, stream grpc.BidiStreamingClient[transferv1.ExchangeRequest, transferv1.ExchangeResponse], page []store.Message) error {
	for _, m := range page {
		e, err := d.messages.Read(ctx, m)
		if err != nil {
			return err
		}
		if err := stream.Send(wire.ToExchange(e, d.peers.why(m.Other, m.TransferID))); err != nil {
			_, err := stream.Recv() // says why
			return err
		}
	}
	outcomes := make([]core.Outcome, 0, len(page))
	var failed error
	for range page {
		answer, err := stream.Recv()
		if err != nil {
			failed = err
			break
		}
		outcomes = append(outcomes, core.Outcome(answer.GetOutcome()))
	}
	return errors.Join(failed, d.tx(ctx, func(ctx context.Context) error {
		for i, o := range outcomes {
			if err := d.settle(ctx, page[i], o); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (d *Dispatcher) settle(ctx context.Context, m store.Message, o core.Outcome) error {
	switch o {
	case core.Applied, core.Duplicate:
		return d.store.Sent(ctx, m.ID)
	case core.TooEarly:
		return d.store.Later(ctx, m.ID, d.clock.Now().Add(earlyPause<<min(m.Tries, earlyDoubles)))
	default:
		d.log.WarnContext(ctx, "another fund refused a message", "fund", m.Other, "transfer_id", m.TransferID)
		return d.messages.Refused(ctx, m)
	}
}
