package edge

import (
	"net"
	"runtime"
	"sync"
	"time"
)

const (
	// corkLimit is how much may wait to be sent on a connection; whoever writes more waits for the peer.
	corkLimit = 64 << 10
	// corkLinger is how long a closed connection goes on sending what was written before.
	corkLinger = 5 * time.Second
)

// Cork is a listener whose connections send together what is written in quick succession. net/http writes the headers and the body of
// each HTTP/2 answer by themselves, and those of answers that come at the same time too: each would be a packet of its own.
func Cork(l net.Listener) net.Listener { return corkListener{l} }

type corkListener struct{ net.Listener }

// Accept implements net.Listener.
func (l corkListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &corked{Conn: conn}
	c.changed.L = &c.mu
	return c, nil
}

// corked hands what is written to a goroutine, which lasts as long as there is something to send.
type corked struct {
	net.Conn

	mu      sync.Mutex
	changed sync.Cond // something was sent
	waiting []byte
	spare   []byte // sent already, to be used again
	sending bool
	closed  bool  // to be closed as soon as nothing is sent any more
	err     error // of sending; the connection is of no use any more
}

// Write implements net.Conn. An error may be that of an earlier Write.
func (c *corked) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) >= corkLimit && c.err == nil && !c.closed {
		c.changed.Wait()
	}
	if c.closed {
		return 0, net.ErrClosed
	}
	if c.err != nil {
		return 0, c.err
	}
	c.waiting = append(c.waiting, p...)
	if !c.sending {
		c.sending = true
		go c.send()
	}
	return len(p), nil
}

func (c *corked) send() {
	runtime.Gosched() // whoever is about to write does so first
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) > 0 && c.err == nil {
		out := c.waiting
		c.waiting, c.spare = c.spare[:0], nil
		c.mu.Unlock()
		_, err := c.Conn.Write(out)
		c.mu.Lock()
		c.err = err
		if cap(out) <= corkLimit {
			c.spare = out
		}
		c.changed.Broadcast()
	}
	c.sending = false
	if c.closed {
		_ = c.Conn.Close() // whoever closed it has gone on
	}
}

// Close implements net.Conn. What was written is sent first, but nobody waits for it.
func (c *corked) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return net.ErrClosed
	case !c.sending:
		c.closed = true
		return c.Conn.Close()
	}
	c.closed = true
	c.changed.Broadcast()
	time.AfterFunc(corkLinger, func() { _ = c.Conn.Close() }) // of a peer that takes nothing
	return nil
}
