package stack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"samvirke.dev/certs/bootstrap"
	"samvirke.dev/deploy/internal/localca"
)

// GatewayName is the REST gateway's name.
const GatewayName = "gateway"

// GatewayPackage is its program.
const GatewayPackage = "samvirke.dev/gateway/cmd/gatewayd"

// gatewayToken is the key with which access tokens are signed.
const gatewayToken = "gateway-token"

// restTimeout bounds a REST call of a client here.
const restTimeout = 30 * time.Second

// Gateway is the REST gateway in front of the services named, which must be part of the suite.
func Gateway(services ...string) Program {
	return Program{
		Name: GatewayName, Package: GatewayPackage, Edges: services, REST: true, DNSNames: []string{"localhost"},
		Keys:   []bootstrap.Key{{Name: gatewayToken, Type: bootstrap.Ed25519}},
		Grants: []bootstrap.Grant{{Key: gatewayToken, Uses: []bootstrap.Use{bootstrap.Sign, bootstrap.Describe}}},
		Settings: func(s *Stack) map[string]any {
			type m = map[string]any
			addrs := m{}
			for _, name := range services {
				if s.has(name) {
					addrs[name] = s.Addr(name)
				}
			}
			// The gateway keeps nothing and knows no agreements: those keys of the shared part it does not have.
			return m{
				"environment": nil, "database": nil, "transit": nil, "agreements": nil, "reflection": nil, "shipping": nil,
				"accept": m{"services": nil, "edges": nil}, "services": addrs, "url": s.RESTURL(),
				"public": m{"listen": s.public}, "token": m{"key": gatewayToken, "transit": bootstrap.TransitMount},
			}
		},
	}
}

// has says whether a program is part of the stack, running or not.
func (s *Stack) has(name string) bool {
	_, ok := s.addrs[name]
	return ok
}

// RESTURL is where partners call the gateway; its certificate names localhost.
func (s *Stack) RESTURL() string {
	return "https://" + strings.Replace(s.Addr(GatewayName), "127.0.0.1", "localhost", 1)
}

// PublicURL is where the gateway shows its documentation to those without a certificate.
func (s *Stack) PublicURL() string {
	return "https://" + strings.Replace(s.public, "127.0.0.1", "localhost", 1)
}

// HTTPClient is a client of the gateway with certificate files; close its idle connections in the end.
func HTTPClient(files localca.Files) (*http.Client, error) {
	cert, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil, fmt.Errorf("client certificate: %w", err)
	}
	anchors, err := os.ReadFile(files.CA)
	if err != nil {
		return nil, fmt.Errorf("trust anchors: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(anchors) {
		return nil, errors.New("trust anchors: no certificate in the file")
	}
	return &http.Client{Timeout: restTimeout, Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, RootCAs: pool},
	}}, nil
}

// restHealthy asks the gateway whether traffic can pass until it can or ctx ends.
func (s *Stack) restHealthy(ctx context.Context, c Caller) error {
	client, err := HTTPClient(s.files[c])
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	tick := time.NewTicker(healthPoll)
	defer tick.Stop()
	for {
		status, err := probe(ctx, client, s.RESTURL()+"/readyz")
		if err == nil && status < http.StatusBadRequest {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("health of %s: status %d: %w", GatewayName, status, errors.Join(err, context.Cause(ctx)))
		case <-tick.C:
		}
	}
}

func probe(ctx context.Context, client *http.Client, url string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}

// REST is the gateway's address and a client with the certificate of a caller; close its idle connections in the end.
func (s *Stack) REST(c Caller) (url string, client *http.Client, err error) {
	client, err = HTTPClient(s.files[c])
	return s.RESTURL(), client, err
}
