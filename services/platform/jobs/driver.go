package jobs

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"samvirke.dev/services/platform/sqlkit"
)

// hooked is River's driver for the dialect with a listener of our own: jobs of this process wake its workers without any message
// through the database, which would be one more write per job on SQLite and one more connection per replica on PostgreSQL.
type hooked struct {
	riverdriver.Driver[*sql.Tx]
	bell *bell
}

func newDriver(db *sqlkit.DB, pool *sql.DB, b *bell) hooked {
	if db.Dialect() == sqlkit.Postgres {
		return hooked{riverdatabasesql.New(pool), b}
	}
	return hooked{riversqlite.New(pool), b}
}

// SupportsListener says that GetListener works.
func (hooked) SupportsListener() bool { return true }

// SupportsListenNotify says that nothing is sent through the database.
func (hooked) SupportsListenNotify() bool { return false }

// GetListener returns the bell.
func (h hooked) GetListener(*riverdriver.GetListenenerParams) riverdriver.Listener { return h.bell }

// The topic and the message by which River learns that a queue has a new job.
const insertTopic = "river_insert"

// bell tells River that there is something to do. A lost ring costs no more than the time until the next poll.
type bell struct {
	rings chan string // names of queues

	mu    sync.Mutex
	peals map[string]*peal // by queue
}

// peal rings a few times, ever later.
type peal struct {
	timer *time.Timer
	step  int
	on    bool
}

// maxRings is how many rings wait for River, which takes them at once.
const maxRings = 16

func newBell() *bell { return &bell{rings: make(chan string, maxRings), peals: map[string]*peal{}} }

// ring wakes the workers of a queue.
func (b *bell) ring(queue string) {
	select {
	case b.rings <- queue:
	default:
	}
}

// delays are the pauses before the rings for a job whose transaction is still open. A transaction that takes longer than all of them
// together has its jobs found by the next poll.
func delays() []time.Duration {
	return []time.Duration{5 * time.Millisecond, 45 * time.Millisecond, 250 * time.Millisecond}
}

// ringSoon wakes the workers of a queue when the transaction under way has probably been committed.
func (b *bell) ringSoon(queue string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.peals[queue]
	switch {
	case p == nil:
		p = &peal{}
		p.timer = time.AfterFunc(delays()[0], func() { b.next(queue) })
		b.peals[queue] = p
	case !p.on:
		p.timer.Reset(delays()[0])
	}
	p.step, p.on = 0, true
}

func (b *bell) next(queue string) {
	b.ring(queue)
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.peals[queue]
	p.step++
	if p.on = p.step < len(delays()); p.on {
		p.timer.Reset(delays()[p.step])
	}
}

// silence ends all peals.
func (b *bell) silence() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.peals {
		p.timer.Stop()
	}
}

// WaitForNotification implements riverdriver.Listener.
func (b *bell) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	select {
	case queue := <-b.rings:
		return &riverdriver.Notification{Topic: insertTopic, Payload: fmt.Sprintf(`{"queue": %q}`, queue)}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close implements riverdriver.Listener. There is no connection.
func (b *bell) Close(context.Context) error { return nil }

// Connect implements riverdriver.Listener.
func (b *bell) Connect(context.Context) error { return nil }

// Listen implements riverdriver.Listener. There is one topic, and River drops what it does not listen to.
func (b *bell) Listen(context.Context, string) error { return nil }

// Unlisten implements riverdriver.Listener.
func (b *bell) Unlisten(context.Context, string) error { return nil }

// Ping implements riverdriver.Listener.
func (b *bell) Ping(context.Context) error { return nil }

// Schema implements riverdriver.Listener.
func (b *bell) Schema() string { return "" }

// SetAfterConnectExec implements riverdriver.Listener, for River's own tests.
func (b *bell) SetAfterConnectExec(string) {}

var (
	_ riverdriver.Driver[*sql.Tx] = hooked{}
	_ riverdriver.Listener        = (*bell)(nil)
)
