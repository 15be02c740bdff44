// Package vaultserver runs a real Vault server as a child process: raft storage in a folder, TLS on loopback with an authority
// of its own, initialised with one key share and unsealed. It is for tests, continuous integration and the sandbox; operators
// bring their own Vault. The unseal key and the root token live in this process's memory only.
package vaultserver

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/vault/api"

	"samvirke.dev/certs/internal/clock"
	"samvirke.dev/certs/internal/minica"
)

const (
	startLimit = time.Minute
	stopLimit  = 15 * time.Second
	poll       = 50 * time.Millisecond
)

// Config of a server.
type Config struct {
	// Binary is the path of the vault executable.
	Binary string
	// Dir is an empty folder for storage, configuration and log. It stays when the server has stopped.
	Dir string
}

// Server is a running Vault, initialised and unsealed.
type Server struct {
	cfg       Config
	ca        *minica.CA
	addr      string
	cluster   string
	client    *api.Client
	http      *http.Client
	unsealKey string
	rootToken string

	mu   sync.Mutex
	proc *exec.Cmd
	done chan struct{}
}

// Start launches, initialises and unseals a server. It returns when the server serves, or with an error that names the log. The
// context bounds the start, not the server's life; Stop ends it.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Binary == "" || cfg.Dir == "" {
		return nil, errors.New("vault server: binary and folder must be given")
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	s := &Server{cfg: cfg}
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("vault server: %w", err)
	}
	err := s.launch(ctx)
	if err == nil {
		err = s.initialise(ctx)
	}
	if err == nil {
		err = s.Unseal(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("vault server: %w (log: %s)", err, s.path("vault.log")), s.Stop())
	}
	return s, nil
}

// Addr is the base URL.
func (s *Server) Addr() string { return "https://" + s.addr }

// CAPEM is the anchor of the listener's certificate.
func (s *Server) CAPEM() []byte { return s.ca.PEM() }

// RootToken is the token of the initialisation.
func (s *Server) RootToken() string { return s.rootToken }

// Seal seals the server.
func (s *Server) Seal(ctx context.Context) error {
	if err := s.client.Sys().SealWithContext(ctx); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return nil
}

// Unseal unseals the server and waits until it is the active node.
func (s *Server) Unseal(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if _, err := s.client.Sys().UnsealWithContext(ctx, s.unsealKey); err != nil {
		return fmt.Errorf("unseal: %w", err)
	}
	return s.until(ctx, func(h *api.HealthResponse) bool { return !h.Sealed && !h.Standby })
}

// Stop ends the process, gently at first. Storage stays. It does nothing when the process has ended already.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http != nil {
		s.http.CloseIdleConnections()
	}
	if s.proc == nil {
		return nil
	}
	defer func() { s.proc = nil }()
	if err := s.proc.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop vault server: %w", err)
	}
	timer := time.NewTimer(stopLimit)
	defer timer.Stop()
	select {
	case <-s.done:
		return nil
	case <-timer.C:
	}
	if err := s.proc.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop vault server: %w", err)
	}
	<-s.done
	return nil
}

// Launch starts the process again after Stop, on the same address and storage. It comes back sealed.
func (s *Server) Launch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := s.launch(ctx); err != nil {
		return fmt.Errorf("vault server: %w (log: %s)", err, s.path("vault.log"))
	}
	return nil
}

// Restart is Stop, Launch and Unseal.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Stop(); err != nil {
		return err
	}
	if err := s.Launch(ctx); err != nil {
		return err
	}
	return s.Unseal(ctx)
}

func (s *Server) path(name string) string { return filepath.Join(s.cfg.Dir, name) }

// prepare writes certificate and configuration and builds the client.
func (s *Server) prepare() error {
	ca, err := minica.New("vault listener", 30*24*time.Hour)
	if err != nil {
		return err
	}
	s.ca = ca
	cert, err := ca.Listener(30 * 24 * time.Hour)
	if err != nil {
		return err
	}
	key, err := minica.KeyPEM(cert.PrivateKey)
	if err != nil {
		return err
	}
	if s.addr, s.cluster, err = freePorts(); err != nil {
		return err
	}
	if err := os.MkdirAll(s.path("raft"), 0o700); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	for name, content := range map[string][]byte{
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), "key.pem": key, "ca.pem": ca.PEM(),
		"vault.hcl": []byte(s.configuration()),
	} {
		if err := os.WriteFile(s.path(name), content, 0o600); err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
	}
	return s.connect()
}

func (s *Server) configuration() string {
	return fmt.Sprintf(`
disable_mlock = true
ui            = false
api_addr      = "https://%[1]s"
cluster_addr  = "https://%[2]s"
log_level     = "warn"

storage "raft" {
  path                   = %[3]q
  node_id                = "single"
  performance_multiplier = 1
}

listener "tcp" {
  address         = %[1]q
  cluster_address = %[2]q
  tls_cert_file   = %[4]q
  tls_key_file    = %[5]q
  tls_min_version = "tls13"
}
`, s.addr, s.cluster, s.path("raft"), s.path("cert.pem"), s.path("key.pem"))
}

// connect builds a client free of the VAULT_ variables of the environment, which speak of another Vault.
func (s *Server) connect() error {
	s.http = &http.Client{Transport: &http.Transport{TLSClientConfig: s.ca.ClientTLS(), ForceAttemptHTTP2: true}}
	client, err := api.NewClient(&api.Config{Address: s.Addr(), HttpClient: s.http, Timeout: 10 * time.Second})
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	client.ClearToken()
	client.ClearNamespace()
	s.client = client
	return nil
}

func (s *Server) launch(ctx context.Context) error {
	s.mu.Lock()
	if s.proc != nil {
		s.mu.Unlock()
		return errors.New("already running")
	}
	out, err := os.OpenFile(s.path("vault.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.mu.Unlock()
		return fmt.Errorf("log: %w", err)
	}
	// Not bound to ctx: the context of the start may end long before the server's life does.
	cmd := exec.Command(s.cfg.Binary, "server", "-config", s.path("vault.hcl")) //nolint:gosec,noctx // the caller names the binary
	cmd.SysProcAttr = attributes()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = []string{"HOME=" + s.cfg.Dir, "PATH=" + os.Getenv("PATH")}
	if err := cmd.Start(); err != nil {
		s.mu.Unlock()
		return errors.Join(fmt.Errorf("launch: %w", err), out.Close())
	}
	done := make(chan struct{})
	s.proc, s.done = cmd, done
	s.mu.Unlock()
	go func() {
		defer close(done)
		_ = cmd.Wait() // its exit code says nothing that the log does not
		_ = out.Close()
	}()
	return s.until(ctx, func(*api.HealthResponse) bool { return true })
}

func (s *Server) initialise(ctx context.Context) error {
	resp, err := s.client.Sys().InitWithContext(ctx, &api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	if err != nil {
		return fmt.Errorf("initialise: %w", err)
	}
	if len(resp.KeysB64) != 1 {
		return errors.New("initialise: want one key share")
	}
	s.unsealKey, s.rootToken = resp.KeysB64[0], resp.RootToken
	s.client.SetToken(s.rootToken)
	return nil
}

// until polls the health page until the condition holds, ctx ends, or the process dies.
func (s *Server) until(ctx context.Context, ready func(*api.HealthResponse) bool) error {
	for {
		h, err := s.client.Sys().HealthWithContext(ctx)
		if err == nil && ready(h) {
			return nil
		}
		select {
		case <-s.done:
			return errors.New("the process has ended")
		default:
		}
		if clock.Wait(ctx, poll) != nil {
			return errors.Join(fmt.Errorf("not ready: %w", ctx.Err()), err)
		}
	}
}

// freePorts finds two addresses that nobody listens on at the moment.
func freePorts() (a, b string, err error) {
	var out [2]string
	for i := range out {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
		if err != nil {
			return "", "", fmt.Errorf("find a port: %w", err)
		}
		defer l.Close() //nolint:errcheck // held open only so that the second differs from the first
		out[i] = l.Addr().String()
	}
	return out[0], out[1], nil
}
