// Package peer speaks to others for the funds that are served here: to the other funds' Samvirkes and to the identity service, over mutual
// TLS and under the certificate of the fund concerned, as any organisation's system does.
package peer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// Endpoint is where a service listens, and whose certificate it must show.
type Endpoint struct {
	Address string
	ID      workload.ID
}

// Config says with whose certificates whom to reach. Maps go by fund.
type Config struct {
	Sources  map[string]mtls.Source // certificates of the funds that are served here
	Funds    map[string]Endpoint    // transfer services of all funds
	Identity map[string]Endpoint    // identity services of the funds that are served here
	// References are the legal references that calls name, by country.
	References map[string]string
}

// Peers keeps connections. It is safe for concurrent use; Close it.
type Peers struct {
	cfg    Config
	asking sync.WaitGroup // those who ask the identity service for others

	mu        sync.Mutex
	conns     map[pair]*grpc.ClientConn
	questions map[string]*questions // by fund
	closed    bool
}

// pair is a connection: as which fund, to which endpoint.
type pair struct {
	as      string
	address string
}

// New returns peers without connections: each is made when it is needed.
func New(cfg Config) *Peers {
	return &Peers{cfg: cfg, conns: map[pair]*grpc.ClientConn{}, questions: map[string]*questions{}}
}

// Close ends all connections. Nobody may ask any more.
func (p *Peers) Close() error {
	defer p.asking.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	problems := make([]error, 0, len(p.conns))
	for key, conn := range p.conns {
		problems = append(problems, conn.Close())
		delete(p.conns, key)
	}
	return errors.Join(problems...)
}

// errClosed means that the process is ending.
var errClosed = errors.New("peer: closed")

// dial returns the connection of a fund to an endpoint.
func (p *Peers) dial(as string, to Endpoint) (*grpc.ClientConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := pair{as, to.Address}
	if conn := p.conns[key]; conn != nil || p.closed {
		if p.closed {
			return nil, errClosed
		}
		return conn, nil
	}
	source := p.cfg.Sources[as]
	if source == nil {
		return nil, fmt.Errorf("peer: no certificate of %s", as)
	}
	tlsConfig, err := mtls.ClientConfig(source, to.ID)
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("dns:///"+to.Address, grpc.WithTransportCredentials(credentials.NewTLS(tlsConfig)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Minute, Timeout: 20 * time.Second}))
	if err != nil {
		return nil, err
	}
	p.conns[key] = conn
	return conn, nil
}

// why is the context of a call about a transfer: on whose responsibility, and as which case. A Danish fund acts on a legal obligation, a
// Swedish one in the public interest (domain rule B.11).
func (p *Peers) why(controller, transferID string) *commonv1.RequestContext {
	basis := vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C
	if controller[:2] == "SE" {
		basis = vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_E_PUBLIC_INTEREST
	}
	return &commonv1.RequestContext{
		ControllerId: controller, Purpose: vocabularyv1.Purpose_PURPOSE_FUND_TRANSFER, LegalBasis: basis,
		LegalReference: p.cfg.References[controller[:2]], CaseReference: transferID,
	}
}

// withTimeout bounds calls that a person or a job waits for.
func withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	const limit = 5 * time.Second
	return context.WithTimeout(ctx, limit)
}
