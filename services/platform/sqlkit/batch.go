package sqlkit

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
)

// BatchConfig bounds a Batcher. Zero values are replaced by the defaults named there.
type BatchConfig struct {
	MaxBatch int // most items of one flush; default 256
	MaxQueue int // most items that wait for a flush; beyond it Add waits; default 4096
}

// Defaults of BatchConfig.
const (
	DefaultMaxBatch = 256
	DefaultMaxQueue = 4096
)

// Batcher joins the items of many callers into few durable writes (group commit). One goroutine flushes whatever has queued up while
// the flush before was under way, so a lone caller does not wait and a crowd shares the cost.
type Batcher[T any] struct {
	flush    func(ctx context.Context, items []T) error
	maxBatch int
	maxQueue int
	wake     chan struct{} // tells the goroutine that there is something to do; holds one token
	stopped  chan struct{} // closed when the goroutine has ended

	mu     sync.Mutex
	queue  []*batch[T]   // batches that wait, oldest first; all but the last are full
	queued int           // items in queue
	space  chan struct{} // closed when room is made; nil while nobody waits for it
	spare  []T           // items of a flushed batch, to be used again
	closed bool
}

// batch is a group of items with a common fate.
type batch[T any] struct {
	items []T
	err   error         // set before done is closed
	done  chan struct{} // closed when the batch is durable or has failed
}

// NewBatcher starts the goroutine that flushes; Close ends it. The context gives flush its values, such as a logger, but its end
// does not reach flush: items that were accepted are written. flush must not keep the slice.
func NewBatcher[T any](ctx context.Context, cfg BatchConfig, flush func(ctx context.Context, items []T) error) *Batcher[T] {
	b := &Batcher[T]{
		flush:    flush,
		maxBatch: cfg.MaxBatch,
		maxQueue: cfg.MaxQueue,
		wake:     make(chan struct{}, 1),
		stopped:  make(chan struct{}),
	}
	if b.maxBatch <= 0 {
		b.maxBatch = DefaultMaxBatch
	}
	if b.maxQueue <= 0 {
		b.maxQueue = DefaultMaxQueue
	}
	go b.run(context.WithoutCancel(ctx))
	return b
}

// Add queues the item and returns nil once the batch that holds it is durable, or the error of that batch. When ctx ends before,
// Add returns its error; the item may then be written all the same. After Close it returns ErrClosed. Items of one caller are
// written in the order of its calls.
func (b *Batcher[T]) Add(ctx context.Context, item T) error {
	wait, err := b.Queue(ctx, item)
	if err != nil {
		return err
	}
	return wait(ctx)
}

// Queue does the first half of Add, so that a caller can queue items in an order of its own without waiting for each: wait is the second.
func (b *Batcher[T]) Queue(ctx context.Context, item T) (wait func(context.Context) error, err error) {
	mine, err := b.put(ctx, item)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		select {
		case <-mine.done:
			return mine.err
		case <-ctx.Done():
			return &Error{op: "wait for the batch", class: ctx.Err()}
		}
	}, nil
}

// put queues the item, waiting for room if there is none.
func (b *Batcher[T]) put(ctx context.Context, item T) (*batch[T], error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, &Error{op: "add to batch", class: err}
		}
		mine, space, err := b.tryPut(item)
		if mine != nil || err != nil {
			return mine, err
		}
		select {
		case <-space:
		case <-ctx.Done():
		}
	}
}

// tryPut returns the batch that took the item, or a channel that is closed when trying again makes sense.
func (b *Batcher[T]) tryPut(item T) (mine *batch[T], space chan struct{}, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return nil, nil, &Error{op: "add to batch", class: ErrClosed}
	case b.queued >= b.maxQueue:
		if b.space == nil {
			b.space = make(chan struct{})
		}
		return nil, b.space, nil
	}
	mine = b.tail()
	mine.items = append(mine.items, item)
	b.queued++
	if b.queued == 1 {
		b.signal()
	}
	return mine, nil, nil
}

// tail returns the batch that takes the next item. The lock is held.
func (b *Batcher[T]) tail() *batch[T] {
	if n := len(b.queue); n > 0 && len(b.queue[n-1].items) < b.maxBatch {
		return b.queue[n-1]
	}
	made := &batch[T]{items: b.spare, done: make(chan struct{})}
	b.spare = nil
	b.queue = append(b.queue, made)
	return made
}

// signal wakes the goroutine. It never blocks: one token is enough, since the goroutine looks at the whole queue.
func (b *Batcher[T]) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *Batcher[T]) run(ctx context.Context) {
	defer close(b.stopped)
	for {
		next, closed := b.take()
		switch {
		case next != nil:
			b.settle(ctx, next)
		case closed:
			return
		default:
			<-b.wake
		}
		// Whoever is about to add an item gets the chance to do so first: batches come out many times as large. On an idle machine
		// this takes no time.
		runtime.Gosched()
	}
}

// take removes the oldest batch from the queue.
func (b *Batcher[T]) take() (next *batch[T], closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return nil, b.closed
	}
	next = b.queue[0]
	b.queue[0] = nil
	b.queue = b.queue[1:]
	b.queued -= len(next.items)
	if b.space != nil {
		close(b.space)
		b.space = nil
	}
	return next, false
}

// settle flushes a batch and tells its waiters, whatever happens.
func (b *Batcher[T]) settle(ctx context.Context, next *batch[T]) {
	next.err = guarded(ctx, b.flush, next.items)
	items := next.items
	next.items = nil
	close(next.done)
	clear(items) // the slice lives on, what it pointed to must not
	b.mu.Lock()
	b.spare = items[:0]
	b.mu.Unlock()
}

// guarded turns a panic of flush into an error: the callers of a whole batch wait for it, on other goroutines, where no recovery of
// theirs would see it.
func guarded[T any](ctx context.Context, flush func(context.Context, []T) error, items []T) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return flush(ctx, items)
}

// Close refuses further items, waits until everything queued is flushed, and ends the goroutine. When ctx ends before, it returns
// its error and the goroutine goes on until it is done. Closing twice is harmless.
func (b *Batcher[T]) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	if b.space != nil {
		close(b.space)
		b.space = nil
	}
	b.mu.Unlock()
	b.signal()
	select {
	case <-b.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("sqlkit: close batcher: %w", ctx.Err())
	}
}

// PanicError is what the callers of a batch receive when flush panicked. Its text does not show the value, which may hold data.
type PanicError struct {
	Value any
	Stack []byte
}

// Error returns the text for the log, without the value.
func (e *PanicError) Error() string { return fmt.Sprintf("sqlkit: flush panicked with a %T", e.Value) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

var _ error = (*PanicError)(nil)
