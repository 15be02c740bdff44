package registers

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	"samvirke.dev/deploy/registers/serviceplatform"
	"samvirke.dev/deploy/registers/spar"
)

// The customer of SPAR that its reference implementations publish for tests.
const (
	Customer          = 500243
	Assignment        = 637 // with history, as the published answer
	AssignmentPresent = 638 // ours: present rows only
	AssignmentSecrecy = 639 // ours: may see protected persons
)

// Errors of a configuration.
var (
	// ErrNoTLS means that certificates are missing: a simulator never serves without mutual TLS.
	ErrNoTLS = errors.New("registers: certificates are missing: give a certificate, its key and the clients' authority")
	// ErrAdmin means an admin address that others could reach.
	ErrAdmin = errors.New("registers: the admin listener must be on a loopback address")
)

// DefaultAssignments are the permissions that a sandbox needs.
func DefaultAssignments() []spar.Assignment {
	return []spar.Assignment{
		{ID: Assignment, Recipient: Customer, Customer: Customer, Rights: rights(), History: true},
		{ID: AssignmentPresent, Recipient: Customer, Customer: Customer, Rights: rights()},
		{ID: AssignmentSecrecy, Recipient: Customer, Customer: Customer, Rights: rights(spar.RightSecrecy), History: true},
	}
}

// rights are those that every assignment has, and more.
func rights(more ...string) []string {
	return append([]string{spar.RightRelations, spar.RightCitizenship, spar.RightTaxation}, more...)
}

// The UUIDs of the contexts: placeholders, no real agreement's.
const (
	agreementUUID    = "00000000-0000-4000-8000-000000000001"
	userSystemUUID   = "00000000-0000-4000-8000-000000000002"
	userUUID         = "00000000-0000-4000-8000-000000000003"
	sf1520UUID       = "00000000-0000-4000-8000-000000000004"
	subscriptionUUID = "00000000-0000-4000-8000-000000000005"
)

// DefaultInvocation is the context under which SF1520 answers.
func DefaultInvocation() serviceplatform.Invocation {
	return serviceplatform.Invocation{ServiceAgreement: agreementUUID, UserSystem: userSystemUUID, User: userUUID, Service: sf1520UUID}
}

// DefaultSubscription is the context under which the subscription service answers. It differs from that of SF1520 in the service.
func DefaultSubscription() serviceplatform.Invocation {
	return serviceplatform.Invocation{ServiceAgreement: agreementUUID, UserSystem: userSystemUUID, User: userUUID, Service: subscriptionUUID}
}

// LoadTLS reads the server's certificate with its key and the authorities whose clients are let in, all PEM. Both registers speak
// TLS 1.2 at least.
func LoadTLS(cert, key, clientCA string) (*tls.Config, error) {
	if cert == "" || key == "" || clientCA == "" {
		return nil, ErrNoTLS
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("registers: certificate: %w", err)
	}
	anchors, err := os.ReadFile(clientCA)
	if err != nil {
		return nil, fmt.Errorf("registers: clients' authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(anchors) {
		return nil, errors.New("registers: clients' authority: no certificate in the file")
	}
	return MutualTLS(pair, pool), nil
}

// MutualTLS is LoadTLS for what is in memory.
func MutualTLS(pair tls.Certificate, clients *x509.CertPool) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}
}

// loopback refuses an admin address that is not on the loopback interface; empty is none.
func loopback(addr string) error {
	if addr == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAdmin, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return ErrAdmin
	}
	return nil
}
