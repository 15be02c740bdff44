package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/vault/api"
)

// Reasons by which callers decide what to do; every error of Client wraps at most one of them.
var (
	// ErrSealed means that Vault answers and has no keys: somebody must unseal it.
	ErrSealed = errors.New("vault is sealed: an operator must unseal it")
	// ErrUninitialised means that Vault answers and was never initialised.
	ErrUninitialised = errors.New("vault is not initialised: an operator must initialise and unseal it")
	// ErrUnreachable means that no Vault answered.
	ErrUnreachable = errors.New("vault is unreachable: check its address, that it runs, and the network in between")
	// ErrUntrusted means that what answered could not prove with the configured CA that it is Vault.
	ErrUntrusted = errors.New("vault's certificate is not trusted: check the configured CA and the host name in the address")
	// ErrLogin means that Vault refused the AppRole login.
	ErrLogin = errors.New("vault refused the AppRole login: check role id and secret id, an operator may have to issue a new secret id")
	// ErrDenied means that the token's policies don't allow the request.
	ErrDenied = errors.New("vault denied the request: the policy of this role does not allow it, or its token is no longer valid")
)

// Explain turns an error of the Vault library into a short one that wraps the reason it stands for and Vault's own words, on
// one line and without request bodies, tokens or URL queries. Context errors pass through. Nil stays nil.
func Explain(err error) error {
	if err == nil {
		return nil
	}
	var resp *api.ResponseError
	if errors.As(err, &resp) {
		return explainResponse(resp)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	if errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &host) {
		return fmt.Errorf("%w: %w", ErrUntrusted, inner(err))
	}
	var sent *url.Error
	if errors.As(err, &sent) {
		return fmt.Errorf("%w: %w", ErrUnreachable, sent.Err)
	}
	return err
}

func explainResponse(resp *api.ResponseError) error {
	said := strings.Join(resp.Errors, "; ")
	said = strings.Join(strings.Fields(said), " ")
	switch {
	case resp.StatusCode == http.StatusServiceUnavailable && strings.Contains(said, "sealed"):
		return fmt.Errorf("%w (status 503)", ErrSealed)
	case resp.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w (status 403: %s)", ErrDenied, said)
	default:
		return fmt.Errorf("vault answered with status %d: %s", resp.StatusCode, said)
	}
}

// inner drops the URL that net/http puts around a transport error.
func inner(err error) error {
	var sent *url.Error
	if errors.As(err, &sent) {
		return sent.Err
	}
	return err
}
