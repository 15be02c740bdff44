// Package devvault is a development and test server that speaks the part of HashiCorp Vault's HTTP API that this project uses:
// sys (health, seal, mounts, auth, policies), AppRole, tokens, PKI and transit, over TLS on loopback, in memory.
//
// It is no Vault. Everything is lost at Close, the unseal key lies in the same memory, and its only purpose is that a sandbox
// starts in a second and that tests can take a Vault down. It must never behave better than the real one: policies deny by
// default, tokens end when their time is up, and what it does not implement is refused rather than ignored. One contract suite
// runs against this server and against the real one.
package devvault

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"samvirke.dev/certs/internal/clock"
	"samvirke.dev/certs/internal/minica"
)

// Config of a server. The zero value listens on a free port of the loopback interface.
type Config struct {
	// Listen is the address to listen on; "127.0.0.1:0" when empty. Only loopback addresses are accepted.
	Listen string
	// Log gets one line for each refused request at debug level; nil discards them. Never bodies, never tokens.
	Log *slog.Logger
}

// Server is a running development Vault, initialised and unsealed.
type Server struct {
	log       *slog.Logger
	ca        *minica.CA
	tls       *tls.Config
	addr      string
	rootToken string
	unsealKey string

	latency atomic.Int64

	core *core

	mu     sync.Mutex
	http   *http.Server
	done   chan struct{}
	closed bool
}

// Start brings a server up. Close ends it.
func Start(cfg Config) (*Server, error) {
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	ca, err := minica.New("devvault listener", 30*24*time.Hour)
	if err != nil {
		return nil, fmt.Errorf("devvault: %w", err)
	}
	cert, err := ca.Listener(30 * 24 * time.Hour)
	if err != nil {
		return nil, fmt.Errorf("devvault: %w", err)
	}
	s := &Server{
		log:       cfg.Log,
		ca:        ca,
		tls:       &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*cert}, NextProtos: []string{"h2", "http/1.1"}},
		unsealKey: hex.EncodeToString(randomBytes(32)),
	}
	s.core = newCore(s.unsealKey)
	s.rootToken = s.core.tokens.root().id
	if err := s.listen(cfg.Listen); err != nil {
		return nil, err
	}
	return s, nil
}

// Addr is the base URL, such as "https://127.0.0.1:8200".
func (s *Server) Addr() string { return "https://" + s.addr }

// CAPEM is the anchor of the listener's certificate.
func (s *Server) CAPEM() []byte { return s.ca.PEM() }

// RootToken is the token that may do everything.
func (s *Server) RootToken() string { return s.rootToken }

// UnsealKey is the single share that sys/unseal wants.
func (s *Server) UnsealKey() string { return s.unsealKey }

// Seal makes every request but those of health and unsealing answer 503.
func (s *Server) Seal() { s.core.seal() }

// Unseal takes Seal back.
func (s *Server) Unseal() { s.core.unseal(s.unsealKey) }

// SetLatency delays every answer; zero takes it back.
func (s *Server) SetLatency(d time.Duration) { s.latency.Store(int64(d)) }

// Down closes the listener and cuts every connection, as a crashed process would; state is kept. It does nothing when already
// down.
func (s *Server) Down() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down()
}

// Up listens again on the same address after Down.
func (s *Server) Up() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errors.New("devvault: closed")
	}
	running := s.http != nil
	s.mu.Unlock()
	if running {
		return nil
	}
	return s.listen(s.addr)
}

// Restart is Down, then Up. Like a real Vault with one key share, the server comes back sealed when sealed is true.
func (s *Server) Restart(sealed bool) error {
	if err := s.Down(); err != nil {
		return err
	}
	if sealed {
		s.Seal()
	}
	return s.Up()
}

// Close ends the server for good and forgets everything.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.down()
}

func (s *Server) down() error {
	if s.http == nil {
		return nil
	}
	err := s.http.Close()
	<-s.done
	s.http = nil
	if err != nil {
		return fmt.Errorf("devvault: %w", err)
	}
	return nil
}

func (s *Server) listen(addr string) error {
	l, err := net.Listen("tcp", addr) //nolint:noctx // a listener has no life to bind to a context
	if err != nil {
		return fmt.Errorf("devvault: %w", err)
	}
	tcp, ok := l.Addr().(*net.TCPAddr)
	if !ok || !tcp.IP.IsLoopback() {
		return errors.Join(fmt.Errorf("devvault: %s is not a loopback address", l.Addr()), l.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr = tcp.String()
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		TLSConfig:         s.tls.Clone(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	s.done = make(chan struct{})
	go func(srv *http.Server, done chan struct{}) {
		defer close(done)
		if err := srv.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("devvault stopped", "error", err)
		}
	}(s.http, s.done)
	return nil
}

// delay waits as SetLatency says, or until the client has gone.
func (s *Server) delay(ctx context.Context) error {
	if d := time.Duration(s.latency.Load()); d > 0 {
		return clock.Wait(ctx, d)
	}
	return nil
}

// randomBytes never fails: crypto/rand ends the process rather than return too little.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func newUUID() string {
	b := randomBytes(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
