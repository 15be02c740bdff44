package chassis_test

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"samvirke.dev/certs/bootstrap"
	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/vaulttest"
	"samvirke.dev/certs/workload"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/suitetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// within polls until ok, or fails the test.
func within(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", limit, what)
		case <-tick.C:
		}
	}
}

const (
	trustDomain = "samvirke.example"
	first       = "DK:10000009"
	second      = "DK:20000018"
)

// agreementOf lets an organisation verify identities for itself.
func agreementOf(org string) string {
	return strings.ReplaceAll(`id: fund-ORG
version: 1
controller: {id: "DK:ORG", name: Fund}
recipient: {id: "DK:ORG", name: Fund}
role: ROLE_FUND
valid_from: 2020-01-01T00:00:00Z
valid_until: 2100-01-01T00:00:00Z
grants:
  - rpc: samvirke.identity.v1.IdentityService/VerifyIdentity
    fields: [verdict]
    purposes: [{purpose: PURPOSE_IDENTIFICATION, legal_bases: [LEGAL_BASIS_A6_1_C]}]
`, "ORG", strings.TrimPrefix(org, "DK:"))
}

// site is a Vault that was made ready for a service, and the service's configuration.
type site struct {
	t     *testing.T
	vault vaulttest.Vault
	cfg   chassis.Config
	opts  chassis.Options
	logs  *suitetest.SafeBuffer

	controllers atomic.Int64 // how often a controller was prepared
}

func organisation(t *testing.T, org string) workload.ID {
	t.Helper()
	country, number, _ := strings.Cut(org, ":")
	id, err := workload.Organisation(trustDomain, country, number, "caseworker")
	must(t, err)
	return id
}

// prepare readies everything but the service itself.
func prepare(t *testing.T, v vaulttest.Vault) *site {
	t.Helper()
	result := vaulttest.Bootstrap(t, v, bootstrap.Spec{
		TrustDomain: trustDomain,
		Classes:     []bootstrap.Class{{Mount: bootstrap.OrgMount, Organisations: []workload.ID{organisation(t, first), organisation(t, second)}}},
		Services: []bootstrap.Service{
			{Name: "test", DNSNames: []string{"test.samvirke.example"}, AllowIPs: true, Grants: []bootstrap.Grant{{Key: "test-*", Uses: []bootstrap.Use{bootstrap.Encrypt, bootstrap.Decrypt}}}}, {Name: "other"},
		},
		Keys: []bootstrap.Key{{Name: "test-audit"}, {Name: "test-response"}, {Name: "foreign"}},
	})
	s := &site{t: t, vault: v, logs: &suitetest.SafeBuffer{}, cfg: soundConfig()}
	dir := t.TempDir()
	s.cfg.Instance = "test-1"
	s.cfg.PKI.Names = []string{"test.samvirke.example", "127.0.0.1"}
	s.cfg.Database = sqlkit.DefaultConfig("sqlite:" + filepath.Join(dir, "test.db"))
	s.cfg.Vault.Address, s.cfg.Vault.CAFile = v.Addr(), filepath.Join(dir, "vault-ca.pem")
	must(t, os.WriteFile(s.cfg.Vault.CAFile, v.CAPEM(), 0o600))
	var err error
	s.cfg.Vault.RoleIDFile, s.cfg.Vault.SecretIDFile, err = result.Credentials["test"].Write(filepath.Join(dir, "credentials"))
	must(t, err)
	s.cfg.Agreements = chassis.Agreements{Dir: filepath.Join(dir, "agreements"), Reload: 10 * time.Millisecond}
	must(t, os.Mkdir(s.cfg.Agreements.Dir, 0o700))
	s.write("first.yaml", agreementOf(first))
	s.opts = chassis.Options{Name: "test", Version: "1", Log: s.logs, Clock: clock.System(), Controller: func(context.Context, string) error {
		s.controllers.Add(1)
		return nil
	}}
	return s
}

// write puts an agreement file into the folder, whole at once as an operator should.
func (s *site) write(name, text string) {
	s.t.Helper()
	at := filepath.Join(s.cfg.Agreements.Dir, name)
	must(s.t, os.WriteFile(at+".new", []byte(text), 0o600))
	must(s.t, os.Rename(at+".new", at))
}

// service knows everybody and nothing.
type service struct {
	identityv1.UnimplementedIdentityServiceServer
}

// VerifyIdentity implements identityv1.IdentityServiceServer.
func (service) VerifyIdentity(ctx context.Context, in *identityv1.VerifyIdentityRequest) (*identityv1.VerifyIdentityResponse, error) {
	audit.Subject(ctx, in.GetNationalId().GetValue(), false)
	return &identityv1.VerifyIdentityResponse{Verdict: identityv1.Verdict_VERDICT_UNKNOWN}, nil
}

// serve runs the service until the test ends and returns it with its address.
func (s *site) serve() (*chassis.Chassis, string) {
	s.t.Helper()
	c, err := chassis.New(s.t.Context(), s.cfg, s.opts)
	must(s.t, err)
	identityv1.RegisterIdentityServiceServer(c.Server.Registrar(), service{})
	ctx, stop := context.WithCancel(s.t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- c.Run(ctx, func(addr string) { ready <- addr }) }()
	s.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			s.t.Errorf("run: %v", err)
		}
		if err := c.Close(context.WithoutCancel(s.t.Context())); err != nil {
			s.t.Errorf("close: %v", err)
		}
	})
	select {
	case addr := <-ready:
		return c, addr
	case err := <-ended:
		ended <- nil
		s.t.Fatalf("the service ended: %v\n%s", err, s.logs)
		return nil, ""
	}
}

// dial connects an organisation with a certificate from Vault.
func (s *site) dial(addr, org string) *grpc.ClientConn {
	s.t.Helper()
	config := s.clientTLS(org)
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	must(s.t, err)
	s.t.Cleanup(func() { must(s.t, conn.Close()) })
	return conn
}

// verify makes the one call that the agreements grant.
func verify(ctx context.Context, conn *grpc.ClientConn, org string) error {
	_, err := identityv1.NewIdentityServiceClient(conn).VerifyIdentity(ctx, &identityv1.VerifyIdentityRequest{
		Context: &commonv1.RequestContext{
			ControllerId: org, Purpose: vocabularyv1.Purpose_PURPOSE_IDENTIFICATION, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C,
			LegalReference: "DK:ALF§41", CaseReference: "case-1",
		},
		NationalId: &commonv1.NationalId{Country: vocabularyv1.Country_COUNTRY_DK, Value: "7403851013"}, FullName: "Ane Prøve",
	})
	return err
}

// health asks once.
func health(t *testing.T, conn *grpc.ClientConn) healthv1.HealthCheckResponse_ServingStatus {
	t.Helper()
	out, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: "samvirke.identity.v1.IdentityService"})
	if err != nil {
		return healthv1.HealthCheckResponse_UNKNOWN
	}
	return out.GetStatus()
}

// clientTLS is the configuration of an organisation with a certificate from Vault.
func (s *site) clientTLS(org string) *tls.Config {
	s.t.Helper()
	issued, err := bootstrap.IssueOrganisation(s.t.Context(), vaulttest.Root(s.t, s.vault), organisation(s.t, org), time.Hour)
	must(s.t, err)
	cert, key, ca, err := issued.Write(s.t.TempDir())
	must(s.t, err)
	source, err := mtls.Files(cert, key, ca)
	must(s.t, err)
	server, err := workload.Service(trustDomain, "test")
	must(s.t, err)
	config, err := mtls.ClientConfig(source, server)
	must(s.t, err)
	config.NextProtos = []string{"h2"}
	return config
}

// connect makes one TLS connection and reads until the server has judged the certificate: with TLS 1.3 the client is done before it
// is, and a server that takes the connection speaks first.
func connect(ctx context.Context, addr string, config *tls.Config) (state tls.ConnectionState, err error) {
	raw, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return state, err
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	conn, ok := raw.(*tls.Conn)
	if !ok {
		return state, errors.New("no TLS connection")
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetReadDeadline(deadline); err != nil {
			return state, err
		}
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return state, err
	}
	return conn.ConnectionState(), nil
}
