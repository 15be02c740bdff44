package suitetest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/platform/agreement"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/authz"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/platform/telemetry"
)

// TrustDomain is the one of the test authority.
const TrustDomain = "samvirke.example"

// Options say what server to start.
type Options struct {
	Name       string     // of the service; test when empty
	DB         *sqlkit.DB // SQLite in memory when nil
	Migrations fs.FS      // of the service; may be nil
	Agreements map[string]string
	Keysets    []keys.Spec
	Clock      clock.Clock // the system's when nil
	Limits     func(*rpc.Config)
	Wrap       *LocalWrap // a fresh one when nil; a second server on the same database needs that of the first
	Telemetry  func(*telemetry.Config)
	// CA is the authority of this server and its callers; a fresh one when nil. Servers that call each other share one.
	CA *certtest.CA
	// Listener is where to answer; a free port when nil. Servers that call each other know their addresses before they start.
	Listener net.Listener
	// Register adds the service.
	Register func(s *Server, r grpc.ServiceRegistrar)
}

// Server is a running server with real sockets and mutual TLS, without Vault: its certificates come from a test authority, its
// keys are wrapped by a key in memory.
type Server struct {
	Addr    string
	CA      *certtest.CA
	DB      *sqlkit.DB
	Keys    *keys.Ring
	Records *audit.Reader
	Methods authz.Methods
	RPC     *rpc.Server
	Source  *certtest.Source // the server's own certificate
	Logs    *SafeBuffer
	Wrap    *LocalWrap

	name       string
	recorder   *audit.Recorder
	log        *slog.Logger
	agreements atomic.Pointer[agreement.Set]
	t          testing.TB
}

// Start runs a server until the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Clock == nil {
		o.Clock = clock.System()
	}
	if o.Wrap == nil {
		o.Wrap = NewLocalWrap()
	}
	if o.Name == "" {
		o.Name = "test"
	}
	if o.CA == nil {
		o.CA = certtest.New(t, TrustDomain)
	}
	s := &Server{t: t, name: o.Name, CA: o.CA, DB: o.DB, Logs: &SafeBuffer{}, Wrap: o.Wrap}
	if s.DB == nil {
		s.DB = sqltest.Open(t, sqltest.MemoryConfig(t))
	}
	s.migrate(o.Migrations)
	s.openKeys(o)
	tel := s.telemetry(o.Telemetry)
	s.openServer(o, tel)
	return s
}

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) migrate(own fs.FS) {
	s.t.Helper()
	s.must(chassis.MigratePlatform(s.t.Context(), s.DB))
	if own != nil {
		s.must(s.DB.Migrate(s.t.Context(), own, "service"))
	}
}

func (s *Server) openKeys(o Options) {
	s.t.Helper()
	ring, err := keys.Open(s.t.Context(), keys.Config{
		Store: keys.NewSQLStore(s.DB, o.Clock.Now), Wrap: s.Wrap.Wrap, MaxAge: time.Hour, RefreshEvery: time.Minute, Now: o.Clock.Now,
	}, append(chassis.PlatformKeysets("test"), o.Keysets...)...)
	s.must(err)
	s.Keys = ring
	recorder, reader, err := chassis.NewRecorder(context.WithoutCancel(s.t.Context()), s.DB, ring, o.Clock,
		&auditv1.Writer{Service: o.Name, Version: "test", Instance: "test"})
	s.must(err)
	s.recorder, s.Records = recorder, reader
}

func (s *Server) telemetry(edit func(*telemetry.Config)) *telemetry.Telemetry {
	s.t.Helper()
	config := telemetry.Config{ServiceName: "test", LogWriter: s.Logs}
	if edit != nil {
		edit(&config)
	}
	tel, err := telemetry.New(s.t.Context(), config)
	s.must(err)
	return tel
}

func (s *Server) openServer(o Options, tel *telemetry.Telemetry) {
	s.t.Helper()
	s.Source = s.CA.Source(s.CA.Service(s.name))
	s.log = tel.Logger()
	config, err := mtls.ServerConfig(s.Source, mtls.Accept{
		TrustDomains: []string{TrustDomain}, Kinds: []workload.Kind{workload.KindOrganisation, workload.KindService},
	})
	s.must(err)
	seal, err := s.Keys.AEAD(chassis.ResponseSeal)
	s.must(err)
	ids, err := s.Keys.PRF(chassis.RequestIDs)
	s.must(err)
	limits := rpc.DefaultConfig()
	if o.Limits != nil {
		o.Limits(&limits)
	}
	s.RPC, err = rpc.New(limits, rpc.Deps{
		TLS: config, Log: tel.Logger(), Clock: o.Clock, DB: s.DB, Recorder: s.recorder, Seal: seal, RequestIDs: ids,
		TracerProvider: tel.TracerProvider(), MeterProvider: tel.MeterProvider(), Propagator: tel.Propagator(),
	})
	s.must(err)
	o.Register(s, s.RPC.Registrar())
	s.Methods, err = s.RPC.Cover()
	s.must(err)
	s.UseAgreements(o.Agreements)
	s.RPC.Use(func() authz.Agreements { return s.agreements.Load() })
	s.serve(tel, o.Listener)
}

// Log is the server's logger; what it writes is in Logs.
func (s *Server) Log() *slog.Logger { return s.log }

// UseAgreements puts other agreement files in force, also while calls run.
func (s *Server) UseAgreements(texts map[string]string) {
	s.t.Helper()
	files := fstest.MapFS{}
	for name, text := range texts {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	set, err := agreement.Load(files, s.Methods)
	s.must(err)
	s.agreements.Store(set)
}

func (s *Server) serve(tel *telemetry.Telemetry, listener net.Listener) {
	s.t.Helper()
	if listener == nil {
		var err error
		listener, err = (&net.ListenConfig{}).Listen(s.t.Context(), "tcp", "127.0.0.1:0")
		s.must(err)
	}
	s.Addr = listener.Addr().String()
	s.RPC.SetServing(true)
	var served sync.WaitGroup
	served.Go(func() {
		if err := s.RPC.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err := s.RPC.Stop(ctx)
		served.Wait()
		if err := errors.Join(err, s.recorder.Close(ctx), s.Keys.Close(), tel.Shutdown(ctx)); err != nil {
			s.t.Error(err)
		}
	})
}

// ClientTLS returns the configuration of a caller of that identity.
func (s *Server) ClientTLS(id workload.ID, opts ...certtest.Option) *tls.Config {
	s.t.Helper()
	config, err := mtls.ClientConfig(s.CA.Source(id, opts...), s.CA.Service(s.name))
	s.must(err)
	return config
}

// Stranger returns the configuration of a caller with the given certificate, or none, who trusts whatever server answers: what an
// attacker would use.
func (s *Server) Stranger(cert *tls.Certificate) *tls.Config {
	config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"}} // plays the attacker
	if cert != nil {
		config.Certificates = []tls.Certificate{*cert}
	}
	return config
}

// Dial connects as an identity until the test ends.
func (s *Server) Dial(id workload.ID, opts ...grpc.DialOption) *grpc.ClientConn {
	s.t.Helper()
	opts = append(opts, grpc.WithTransportCredentials(credentials.NewTLS(s.ClientTLS(id))))
	conn, err := grpc.NewClient("passthrough:///"+s.Addr, opts...)
	s.must(err)
	s.t.Cleanup(func() { s.must(conn.Close()) })
	return conn
}

// Recorder writes the records of what the service does by itself.
func (s *Server) Recorder() *audit.Recorder { return s.recorder }

// AllRecords returns every audit record, in the order of writing.
func (s *Server) AllRecords() []*auditv1.Record {
	s.t.Helper()
	var out []*auditv1.Record
	var position int64
	for {
		records, next, err := s.Records.After(s.t.Context(), position, 500)
		s.must(err)
		if len(records) == 0 {
			return out
		}
		out, position = append(out, records...), next
	}
}

// LocalWrap wraps keysets with keys in memory, in place of Vault's transit engine. Fail makes it refuse.
type LocalWrap struct {
	mu   sync.Mutex
	keys map[string]tink.AEAD
	fail error
}

// NewLocalWrap returns a wrap without keys; each is made when it is first asked for.
func NewLocalWrap() *LocalWrap { return &LocalWrap{keys: map[string]tink.AEAD{}} }

// Fail makes every later call fail with err; nil mends it.
func (l *LocalWrap) Fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = err
}

// Wrap is a keys.WrapFunc.
func (l *LocalWrap) Wrap(kek string) (keys.Wrapper, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys[kek] == nil {
		handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
		if err != nil {
			return nil, err
		}
		if l.keys[kek], err = aead.New(handle); err != nil {
			return nil, err
		}
	}
	return &localKey{l, l.keys[kek]}, nil
}

type localKey struct {
	wrap *LocalWrap
	key  tink.AEAD
}

// EncryptWithContext implements keys.Wrapper.
func (k *localKey) EncryptWithContext(_ context.Context, plaintext, ad []byte) ([]byte, error) {
	if err := k.failure(); err != nil {
		return nil, err
	}
	return k.key.Encrypt(plaintext, ad)
}

// DecryptWithContext implements keys.Wrapper.
func (k *localKey) DecryptWithContext(_ context.Context, ciphertext, ad []byte) ([]byte, error) {
	if err := k.failure(); err != nil {
		return nil, err
	}
	return k.key.Decrypt(ciphertext, ad)
}

func (k *localKey) failure() error {
	k.wrap.mu.Lock()
	defer k.wrap.mu.Unlock()
	return k.wrap.fail
}

// SafeBuffer is a buffer that a logger and a test share.
type SafeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (b *SafeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String returns what was written.
func (b *SafeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
