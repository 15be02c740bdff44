// Package vault is the one client of HashiCorp Vault in this project: TLS, AppRole login, token renewal and recovery are
// solved here, and everything that needs Vault (PKI, transit) gets its requests through this client's token.
//
// New logs in once and tells an operator in plain words why it can't. Run then keeps the token alive: it renews at two thirds
// of the token's life, logs in again when the token can no longer be renewed, and goes on trying with growing pauses while Vault
// is down, sealed or restarting, so that no restart of ours is needed when Vault comes back. No token and no secret id is ever
// part of an error or a log line.
package vault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"

	"samvirke.dev/certs/internal/clock"
)

// Client is an authenticated connection to Vault, safe for concurrent use.
type Client struct {
	cfg Config
	api *api.Client
	// http carries api's requests; the library offers no way to close it.
	http *http.Client
	log  *slog.Logger
	// refused is poked when any request came back as forbidden.
	refused chan struct{}

	mu     sync.Mutex
	token  lease
	logins int
}

// lease is what Run must know of the token; the token itself lives in the library's client alone.
type lease struct {
	obtained  time.Time
	life      time.Duration
	full      time.Duration
	renewable bool
}

func (l lease) expires() time.Time { return l.obtained.Add(l.life) }

// New validates the configuration, logs in and returns a client that works until its token ends; Run keeps it working. Errors
// wrap ErrSealed, ErrUninitialised, ErrUnreachable, ErrUntrusted or ErrLogin where one of them is the cause.
func New(ctx context.Context, cfg Config, log *slog.Logger) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg.withDefaults(), log: log, refused: make(chan struct{}, 1)}
	var err error
	if c.api, c.http, err = c.cfg.newAPI(c.poke); err != nil {
		return nil, err
	}
	if err := c.login(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Logical reads and writes Vault's paths under the current token. Wrap its errors with Explain before they are shown.
func (c *Client) Logical() *api.Logical { return c.api.Logical() }

// API is the library's client, for calls that Logical lacks. Callers must not change its token, headers or configuration.
func (c *Client) API() *api.Client { return c.api }

// Close drops idle connections. It does not revoke the token: another replica's secret id is not ours to judge, and the token
// ends by itself.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Healthy asks Vault whether it can serve. A standby counts as healthy, since it forwards; a sealed, uninitialised or
// unreachable Vault does not. Errors are those of New.
func (c *Client) Healthy(ctx context.Context) error {
	h, err := c.api.Sys().HealthWithContext(ctx)
	switch {
	case err != nil:
		return Explain(err)
	case !h.Initialized: //nolint:misspell // the library's spelling
		return ErrUninitialised
	case h.Sealed:
		return ErrSealed
	}
	return nil
}

// TokenExpiry is when the current token ends unless it is renewed.
func (c *Client) TokenExpiry() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token.expires()
}

// Logins counts the successful logins since New, for tests and health pages.
func (c *Client) Logins() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logins
}

func (c *Client) poke() {
	select {
	case c.refused <- struct{}{}:
	default:
	}
}

func (c *Client) login(ctx context.Context) error {
	roleID, err := c.cfg.readRoleID()
	if err != nil {
		return fmt.Errorf("vault login: %w", err)
	}
	secretID, err := c.cfg.readSecretID()
	if err != nil {
		return fmt.Errorf("vault login: %w", err)
	}
	method, err := approle.NewAppRoleAuth(roleID, &approle.SecretID{FromString: secretID}, approle.WithMountPath(c.cfg.AuthMount))
	if err != nil {
		return fmt.Errorf("vault login: %w", err)
	}
	asked := clock.Now()
	secret, err := method.Login(ctx, c.bare())
	if err != nil {
		return fmt.Errorf("vault login at %s: %w", c.cfg.Address, c.explainLogin(ctx, err))
	}
	if secret == nil || secret.Auth == nil || secret.Auth.ClientToken == "" {
		return fmt.Errorf("vault login at %s: the answer carries no token", c.cfg.Address)
	}
	c.api.SetToken(secret.Auth.ClientToken)
	life := time.Duration(secret.Auth.LeaseDuration) * time.Second
	c.mu.Lock()
	c.token = lease{obtained: asked, life: life, full: life, renewable: secret.Auth.Renewable}
	c.logins++
	c.mu.Unlock()
	c.log.InfoContext(ctx, "logged in to vault", "address", c.cfg.Address, "token_life", life, "renewable", secret.Auth.Renewable)
	return nil
}

// bare is the library's client without a token: a login must not send along the old token, which Vault would judge first.
func (c *Client) bare() *api.Client {
	clone, err := c.api.CloneWithHeaders()
	if err != nil {
		return c.api
	}
	clone.ClearToken()
	return clone
}

// explainLogin tells a refused login from a Vault that is not ready for any login.
func (c *Client) explainLogin(ctx context.Context, err error) error {
	var resp *api.ResponseError
	if !errors.As(err, &resp) {
		return Explain(err)
	}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusForbidden:
		return fmt.Errorf("%w (status %d at auth path %s, secret id from %s)",
			ErrLogin, resp.StatusCode, path.Join("auth", c.cfg.AuthMount), c.cfg.SecretIDFile)
	case http.StatusServiceUnavailable:
		// An uninitialised Vault calls itself sealed; its health page knows better.
		if health := c.Healthy(ctx); errors.Is(health, ErrUninitialised) {
			return health
		}
	}
	return Explain(err)
}
