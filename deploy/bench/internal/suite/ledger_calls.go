package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
	"samvirke.dev/deploy/bench/internal/load"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/audit/ledgertest"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/errs"
)

const (
	// perBatch and batches are what a service ships at once when it has much to ship: as many records as fit into a message of 192 KiB, and
	// as many messages as it has under way.
	perBatch = 400
	batches  = 16
	// perSecond is the load at which receipts are timed, of all senders together, and tickEvery how often each ships what has gathered.
	perSecond = 20_000
	tickEvery = 20 * time.Millisecond
	// findEvery is how often the fund asks for a receipt until the ledger service knows the record.
	findEvery = 10 * time.Millisecond
	// checks is how many receipts are checked in a call.
	checks = 100
)

// ledgerLanes are the ledger's calls.
func ledgerLanes(ctx context.Context, t *load.Target, raw json.RawMessage) (map[string]load.Lane, error) {
	var data ledgerData
	if err := json.Unmarshal(raw, &data); err != nil {
		return nil, fmt.Errorf("ledger: data: %w", err)
	}
	l := &ledgerBench{ctx: context.WithoutCancel(ctx), data: data, clock: clock.System()}
	return map[string]load.Lane{
		CallShip:     func(*load.Target, int) (load.Caller, error) { return l.sender() },
		CallShipMany: func(*load.Target, int) (load.Caller, error) { return l.sender() },
		CallReceipt:  l.receipts,
		CallCheck:    func(t *load.Target, _ int) (load.Caller, error) { return l.checker(t) },
		callTessera:  func(*load.Target, int) (load.Caller, error) { return l.bare() },
	}, nil
}

type ledgerBench struct {
	ctx   context.Context
	data  ledgerData
	clock clock.Clock

	mu  sync.Mutex
	log *ledgertest.Bare
}

// sender ships records as the services do, as fast as it goes.
type sender struct {
	l      *ledgerBench
	writer *ledgertest.Writer
	remote *audit.Remote
}

func (l *ledgerBench) sender() (*sender, error) {
	id, err := workload.Parse(l.data.ServerID)
	if err != nil {
		return nil, err
	}
	source, err := mtls.Files(l.data.Service.Cert, l.data.Service.Key, l.data.Service.CA)
	if err != nil {
		return nil, err
	}
	config, err := mtls.ClientConfig(source, id)
	if err != nil {
		return nil, err
	}
	remote, err1 := audit.NewRemote(l.data.Addr, config)
	writer, err2 := ledgertest.NewWriter(l.data.Organisation)
	return &sender{l: l, writer: writer, remote: remote}, errors.Join(err1, err2)
}

// records makes n records that end now, and returns the last one's event.
func (s *sender) records(n int) (event string, records [][]byte, size int, err error) {
	now := s.l.clock.Now()
	records = make([][]byte, n)
	for i := range records {
		if event, records[i], err = s.writer.Record(now); err != nil {
			return "", nil, 0, err
		}
		size += len(records[i])
	}
	return event, records, size, nil
}

// Call implements load.Caller.
func (s *sender) Call(ctx context.Context) (load.Sizes, error) {
	window, size := make([][][]byte, batches), 0
	for i := range window {
		_, records, bytes, err := s.records(perBatch)
		if err != nil {
			return load.Sizes{}, err
		}
		window[i] = records
		size += bytes
	}
	_, err := s.remote.Ship(ctx, window)
	return load.Sizes{Request: size, Count: batches * perBatch}, err
}

// Finish implements load.Caller.
func (s *sender) Finish() error { return s.remote.Close() }

// bare adds leaves to a log of Tessera alone, all lanes to the same.
type bare struct{ log *ledgertest.Bare }

func (l *ledgerBench) bare() (_ bare, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.log == nil { // it ends with the process
		l.log, err = ledgertest.OpenBare(l.ctx, l.data.Dir)
	}
	return bare{l.log}, err
}

// Call implements load.Caller.
func (b bare) Call(ctx context.Context) (load.Sizes, error) {
	return load.Sizes{Count: batches * perBatch}, b.log.Add(ctx, batches*perBatch)
}

// Finish implements load.Caller.
func (b bare) Finish() error { return nil }

// paced ships at an even pace in the background, while receipts of some of its events are fetched.
type paced struct {
	*sender

	fund   auditv1.LedgerServiceClient
	why    *commonv1.RequestContext
	events chan event
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	sent   int // since the last call
	failed error
}

// event is one that was shipped, or is about to be.
type event struct {
	id string
	at time.Time
}

func (l *ledgerBench) receipts(t *load.Target, i int) (load.Caller, error) {
	conn, err := t.Conn(i)
	if err != nil {
		return nil, err
	}
	s, err := l.sender()
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(l.ctx)
	p := &paced{sender: s, fund: auditv1.NewLedgerServiceClient(conn), why: l.why(), events: make(chan event), stop: stop}
	if err := p.caughtUp(running); err != nil {
		return nil, errors.Join(err, p.Finish())
	}
	p.done.Go(func() { p.ship(running) })
	return p, nil
}

// caughtUp waits until the log has caught up with what was shipped before, as fast as it went.
func (p *paced) caughtUp(ctx context.Context) error {
	id, records, _, err := p.records(1)
	if err != nil {
		return err
	}
	if _, err := p.remote.Ship(ctx, [][][]byte{records}); err != nil {
		return err
	}
	for {
		_, err := p.fund.GetReceipt(ctx, &auditv1.GetReceiptRequest{Context: p.why, EventId: id})
		if errs.ReasonOf(err) != commonv1.Reason_REASON_RECEIPT_PENDING {
			return err
		}
	}
}

// why is the context in which a fund asks for its receipts.
func (l *ledgerBench) why() *commonv1.RequestContext {
	return &commonv1.RequestContext{
		ControllerId: l.data.Organisation, Purpose: vocabularyv1.Purpose_PURPOSE_AUDIT, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C,
		LegalReference: "DK:GDPR-5-2", CaseReference: "bench-1",
	}
}

// ship ships what has gathered, tick by tick, until ctx ends. Behind its pace it ships more at once.
func (p *paced) ship(ctx context.Context) {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	begun, shipped := p.l.clock.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		due := int(p.l.clock.Now().Sub(begun).Seconds()*perSecond/senders) - shipped
		var window [][][]byte
		for rest := min(due, batches*perBatch); rest > 0; rest -= perBatch {
			id, records, _, err := p.records(min(rest, perBatch))
			if err != nil {
				p.note(0, err)
				return
			}
			window = append(window, records)
			shipped += len(records)
			select {
			case p.events <- event{id: id, at: p.l.clock.Now().Add(-tickEvery)}: // as old as the oldest of those that gathered
			default: // the receipt before is still being fetched
			}
		}
		if _, err := p.remote.Ship(ctx, window); err != nil && ctx.Err() == nil {
			p.note(0, err)
			return
		}
		n := 0
		for _, records := range window {
			n += len(records)
		}
		p.note(n, nil)
	}
}

func (p *paced) note(sent int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent += sent
	p.failed = errors.Join(p.failed, err)
}

// Call fetches the receipt of the next event. Its latency is from the event on. It implements load.Caller.
func (p *paced) Call(ctx context.Context) (load.Sizes, error) {
	var e event
	select {
	case e = <-p.events:
	case <-ctx.Done():
		return load.Sizes{}, ctx.Err()
	}
	tick := time.NewTicker(findEvery)
	defer tick.Stop()
	for {
		_, err := p.fund.GetReceipt(ctx, &auditv1.GetReceiptRequest{Context: p.why, EventId: e.id})
		if err == nil {
			break
		}
		if errs.ReasonOf(err) != commonv1.Reason_REASON_RECORD_NOT_FOUND {
			return load.Sizes{}, err
		}
		<-tick.C
	}
	took := p.l.clock.Now().Sub(e.at)
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.sent
	p.sent = 0
	return load.Sizes{Count: n, Took: took}, p.failed
}

// Finish implements load.Caller.
func (p *paced) Finish() error {
	p.stop()
	p.done.Wait()
	return p.remote.Close()
}

// checker checks receipts.
type checker struct {
	l        *ledgerBench
	receipts []*auditv1.Receipt
}

// checker ships a few records and fetches their receipts.
func (l *ledgerBench) checker(t *load.Target) (_ *checker, err error) {
	conn, err := t.Conn(0)
	if err != nil {
		return nil, err
	}
	s, err := l.sender()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Finish()) }()
	c := &checker{l: l}
	for range checks {
		id, records, _, err := s.records(1)
		if err != nil {
			return nil, err
		}
		if _, err := s.remote.Ship(l.ctx, [][][]byte{records}); err != nil {
			return nil, err
		}
		got, err := auditv1.NewLedgerServiceClient(conn).GetReceipt(l.ctx, &auditv1.GetReceiptRequest{Context: l.why(), EventId: id})
		if err != nil {
			return nil, err
		}
		c.receipts = append(c.receipts, got.GetReceipt())
	}
	return c, nil
}

// Call checks one receipt after the other; its latency is of one. It implements load.Caller.
func (c *checker) Call(context.Context) (load.Sizes, error) {
	begun := c.l.clock.Now()
	for _, r := range c.receipts {
		if err := ledgertest.Check(r, c.l.data.Keys); err != nil {
			return load.Sizes{}, err
		}
	}
	return load.Sizes{Count: len(c.receipts), Took: c.l.clock.Now().Sub(begun) / time.Duration(len(c.receipts))}, nil
}

// Finish implements load.Caller.
func (c *checker) Finish() error { return nil }
