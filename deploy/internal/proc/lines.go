package proc

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
)

// keep bounds how many lines Lines remembers; a child under load may write for hours.
const keep = 4096

// Lines is a writer that cuts what it gets into lines, remembers the latest and lets others wait for one. It is safe for
// concurrent use; the zero value works.
type Lines struct {
	// Tee, where set, gets everything that is written too. Set it before the first Write.
	Tee io.Writer

	mu      sync.Mutex
	partial []byte
	lines   []string
	waiters []*waiter
}

type waiter struct {
	match func(string) bool
	found chan string
}

// Write implements io.Writer. Trouble with Tee is not reported: a full disk must not end the child.
func (l *Lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Tee != nil {
		_, _ = l.Tee.Write(b)
	}
	l.partial = append(l.partial, b...)
	for {
		line, rest, ok := bytes.Cut(l.partial, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		l.add(string(line))
		l.partial = rest
	}
}

func (l *Lines) add(line string) {
	if len(l.lines) >= keep {
		l.lines = slices.Delete(l.lines, 0, keep/2)
	}
	l.lines = append(l.lines, line)
	l.waiters = slices.DeleteFunc(l.waiters, func(w *waiter) bool {
		if !w.match(line) {
			return false
		}
		w.found <- line
		return true
	})
}

// All are the latest lines.
func (l *Lines) All() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// Tail is the last n lines as one text, for error messages.
func (l *Lines) Tail(n int) string {
	all := l.All()
	return strings.Join(all[max(len(all)-n, 0):], "\n")
}

// Wait returns the first line, among those remembered and those to come, that match accepts. It ends with ctx.
func (l *Lines) Wait(ctx context.Context, match func(string) bool) (string, error) {
	l.mu.Lock()
	for _, line := range l.lines {
		if match(line) {
			l.mu.Unlock()
			return line, nil
		}
	}
	w := &waiter{match: match, found: make(chan string, 1)}
	l.waiters = append(l.waiters, w)
	l.mu.Unlock()
	select {
	case line := <-w.found:
		return line, nil
	case <-ctx.Done():
		l.forget(w)
		return "", context.Cause(ctx)
	}
}

func (l *Lines) forget(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiters = slices.DeleteFunc(l.waiters, func(o *waiter) bool { return o == w })
}
