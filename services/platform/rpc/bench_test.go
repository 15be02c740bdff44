package rpc_test

import (
	"context"
	"net"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/platform/suitetest"
)

const inFlight = 32 // goroutines a core

// BenchmarkBare is grpc-go alone with the same certificates and messages: what BenchmarkChain is compared with.
func BenchmarkBare(b *testing.B) {
	ca := certtest.New(b, suitetest.TrustDomain)
	config, err := mtls.ServerConfig(ca.Source(ca.Service("test")), mtls.Accept{
		TrustDomains: []string{suitetest.TrustDomain}, Kinds: []workload.Kind{workload.KindOrganisation},
	})
	if err != nil {
		b.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	identityv1.RegisterIdentityServiceServer(server, &service{verify: func(context.Context, *identityv1.VerifyIdentityRequest) (*identityv1.VerifyIdentityResponse, error) {
		return &identityv1.VerifyIdentityResponse{Verdict: identityv1.Verdict_VERDICT_MATCH}, nil
	}})
	listener, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	clientConfig, err := mtls.ClientConfig(ca.Source(ca.Organisation("DK", "10000009", "caseworker")), ca.Service("test"))
	if err != nil {
		b.Fatal(err)
	}
	conn, err := grpc.NewClient("passthrough:///"+listener.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(clientConfig)))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	load(b, conn)
}

// BenchmarkChain is the same call through the whole chain, with a durable audit record on SQLite.
func BenchmarkChain(b *testing.B) {
	s := suitetest.Start(b, suitetest.Options{
		DB:         sqltest.Open(b, sqltest.FileConfig(b)),
		Agreements: map[string]string{"fund.yaml": fundAgreement},
		Register: func(_ *suitetest.Server, r grpc.ServiceRegistrar) {
			identityv1.RegisterIdentityServiceServer(r, &service{})
		},
	})
	load(b, s.Dial(s.CA.Organisation("DK", "10000009", "caseworker")))
}

func load(b *testing.B, conn *grpc.ClientConn) {
	client := identityv1.NewIdentityServiceClient(conn)
	b.SetParallelism(inFlight)
	b.ReportAllocs()
	before := processor(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := client.VerifyIdentity(b.Context(), verifyRequest()); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(float64((processor(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
}

// processor returns the processor time of the process so far: client and server together.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
