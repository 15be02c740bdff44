package edge_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"samvirke.dev/gateway/internal/edge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// corked returns both ends of a connection; the first is corked.
func corked(t testing.TB) (server, client net.Conn) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nobody else connects
	client, err1 := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	server, err2 := edge.Cork(l).Accept()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return server, client
}

// What was written arrives whole and in order, also what was written just before the end.
func TestCorkKeepsOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 3000), 1, 100).Draw(rt, "parts")
		server, client := corked(t)
		got := make(chan []byte, 1)
		go func() {
			all, _ := io.ReadAll(client)
			got <- all
		}()
		for _, p := range parts {
			again := bytes.Clone(p) // a writer may use its slice again
			if n, err := server.Write(again); n != len(p) || err != nil {
				rt.Fatalf("wrote %d of %d bytes: %v", n, len(p), err)
			}
			clear(again)
		}
		if err := server.Close(); err != nil {
			rt.Fatal(err)
		}
		if _, err := server.Write([]byte("late")); !errors.Is(err, net.ErrClosed) {
			rt.Fatalf("write after the end: %v", err)
		}
		if all := <-got; !bytes.Equal(all, bytes.Join(parts, nil)) {
			rt.Fatalf("%d bytes arrived", len(all))
		}
	})
}

// A peer that takes nothing stops the writer instead of filling the memory, and the end of the connection sets the writer free.
func TestCorkSlowPeer(t *testing.T) {
	t.Parallel()
	server, client := corked(t)
	failed := make(chan error, 1)
	written := make(chan int, 1<<20)
	go func() {
		part := make([]byte, 32<<10)
		for {
			if _, err := server.Write(part); err != nil {
				failed <- err
				return
			}
			written <- len(part)
		}
	}()
	<-written
	if err := client.Close(); err != nil { // without having read: the peer's system says that nobody listens
		t.Fatal(err)
	}
	if err := <-failed; err == nil {
		t.Error("writing to nobody succeeds")
	}
	if n := len(written) * (32 << 10); n > 64<<20 {
		t.Errorf("%d bytes were taken for a peer that reads nothing", n)
	}
}

// Closing does not wait for a peer that takes nothing, and sets the writer free.
func TestCorkCloseWhileSending(t *testing.T) {
	t.Parallel()
	server, client := corked(t)
	failed := make(chan error, 1)
	began := make(chan struct{}, 1)
	go func() {
		for {
			if _, err := server.Write(make([]byte, 256<<10)); err != nil {
				failed <- err
				return
			}
			select {
			case began <- struct{}{}:
			default:
			}
		}
	}()
	<-began
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the writer was told %v", err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
}
