package vault

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// Config says where Vault is and how this process proves itself. Secrets are named by file path only, and read anew at every
// login, so that an operator can replace them under a running process.
type Config struct {
	// Address is the server's URL; https only.
	Address string
	// CAFile is a PEM file with the anchors that the server's certificate must chain to. CAPEM is the same in memory; exactly
	// one of the two is set.
	CAFile string
	CAPEM  []byte
	// RoleID is the AppRole's role id, which is no secret; RoleIDFile names a file that holds it. Exactly one of the two is set.
	RoleID     string
	RoleIDFile string
	// SecretIDFile names the file that holds the AppRole's secret id.
	SecretIDFile string
	// AuthMount is where the AppRole method is mounted; "approle" when empty.
	AuthMount string
	// Namespace is for servers that have namespaces; empty otherwise.
	Namespace string
	// Timeout bounds each request; 10 seconds when zero.
	Timeout time.Duration
}

// Validate reports every problem at once, joined. It reads no file.
func (c Config) Validate() error {
	var errs []error
	u, err := url.Parse(c.Address)
	switch {
	case c.Address == "":
		errs = append(errs, errors.New("address is missing"))
	case err != nil || u.Host == "":
		errs = append(errs, errors.New("address is not a URL with a host"))
	case u.Scheme != "https":
		errs = append(errs, fmt.Errorf("address has scheme %q: only https is allowed", u.Scheme))
	case u.User != nil:
		errs = append(errs, errors.New("address carries user information: secrets are given by file only"))
	}
	if (c.CAFile == "") == (len(c.CAPEM) == 0) {
		errs = append(errs, errors.New("exactly one of CA file and CA PEM must be set"))
	}
	if (c.RoleID == "") == (c.RoleIDFile == "") {
		errs = append(errs, errors.New("exactly one of role id and role id file must be set"))
	}
	if c.SecretIDFile == "" {
		errs = append(errs, errors.New("secret id file is missing"))
	}
	if c.Timeout < 0 {
		errs = append(errs, errors.New("timeout is negative"))
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("vault configuration: %w", errors.Join(errs...))
}

func (c Config) withDefaults() Config {
	if c.AuthMount == "" {
		c.AuthMount = "approle"
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	return c
}

func (c Config) anchors() (*x509.CertPool, error) {
	bundle := c.CAPEM
	if c.CAFile != "" {
		var err error
		if bundle, err = os.ReadFile(c.CAFile); err != nil {
			return nil, fmt.Errorf("read Vault's CA: %w", err)
		}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bundle) {
		return nil, errors.New("vault's CA: no certificate in the PEM given")
	}
	return pool, nil
}

// readRoleID and readSecretID read the file afresh. Their errors name the file and never its content.
func (c Config) readRoleID() (string, error) {
	if c.RoleID != "" {
		return c.RoleID, nil
	}
	return readLine(c.RoleIDFile, "role id")
}

func (c Config) readSecretID() (string, error) { return readLine(c.SecretIDFile, "secret id") }

func readLine(path, what string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", what, err)
	}
	s := strings.TrimSpace(string(raw))
	if s == "" {
		return "", fmt.Errorf("read %s: file %s is empty", what, path)
	}
	return s, nil
}

// newAPI builds the library's client without letting the process environment have a say: the library reads VAULT_TOKEN,
// VAULT_SKIP_VERIFY and others, any of which would change whom we trust or who we are.
func (c Config) newAPI(onForbidden func()) (*api.Client, *http.Client, error) {
	roots, err := c.anchors()
	if err != nil {
		return nil, nil, err
	}
	transport := &http.Transport{
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots},
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: c.Timeout,
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     90 * time.Second,
	}
	sender := &http.Client{Transport: &watch{next: transport, onForbidden: onForbidden}}
	client, err := api.NewClient(&api.Config{
		Address:          c.Address,
		HttpClient:       sender,
		Timeout:          c.Timeout,
		MaxRetries:       2,
		MinRetryWait:     50 * time.Millisecond,
		MaxRetryWait:     500 * time.Millisecond,
		DisableRedirects: true,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("vault client: %w", err)
	}
	client.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
	client.ClearToken()
	client.ClearNamespace()
	if c.Namespace != "" {
		client.SetNamespace(c.Namespace)
	}
	return client, sender, nil
}

// watch tells the renewal loop when any request was refused, which is how a token revoked from outside is noticed
// before its time is up.
type watch struct {
	next        *http.Transport
	onForbidden func()
}

// RoundTrip implements http.RoundTripper.
func (w *watch) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusForbidden {
		w.onForbidden()
	}
	return resp, err
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the transport below.
func (w *watch) CloseIdleConnections() { w.next.CloseIdleConnections() }
