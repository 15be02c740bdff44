package vault

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hashicorp/vault/api"

	"samvirke.dev/certs/internal/clock"
)

const (
	retryMin = 100 * time.Millisecond
	retryMax = 15 * time.Second
)

// Run keeps the token alive until ctx ends, then returns nil. Trouble with Vault never ends it: it is logged, and tried again
// with growing pauses. Run is called once per client.
func (c *Client) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if forced, live := c.untilDue(ctx); live {
			c.untilAlive(ctx, forced)
		}
	}
	return nil
}

// untilAlive tries until there is a live token or ctx ends.
func (c *Client) untilAlive(ctx context.Context, forced bool) {
	back := clock.Backoff{Min: retryMin, Max: retryMax}
	for {
		err := c.keepAlive(ctx, forced)
		if err == nil || ctx.Err() != nil {
			return
		}
		pause := back.Next()
		c.log.WarnContext(ctx, "vault token not renewed", "error", err, "retry_in", pause, "token_expires", c.TokenExpiry())
		if clock.Wait(ctx, pause) != nil {
			return
		}
	}
}

// untilDue waits until two thirds of the token's life are over or a request was refused; forced tells the second. It is not live
// when ctx has ended.
func (c *Client) untilDue(ctx context.Context) (forced, live bool) {
	c.mu.Lock()
	l := c.token
	c.mu.Unlock()
	if l.life == 0 {
		// A token without end (life 0 means that to Vault) needs no renewal, only a look when something was refused.
		l.life = 24 * time.Hour
	}
	due := l.obtained.Add(clock.Jitter(l.life * 2 / 3))
	timer := time.NewTimer(max(due.Sub(clock.Now()), 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, false
	case <-c.refused:
		return true, true
	case <-timer.C:
		return false, true
	}
}

// keepAlive leaves a live token behind or says why it can't. When forced it first asks whether the token still lives: a
// refusal by policy alone must not cause a login storm.
func (c *Client) keepAlive(ctx context.Context, forced bool) error {
	if forced {
		_, err := c.api.Auth().Token().LookupSelfWithContext(ctx)
		switch {
		case err == nil:
			c.calm()
			return nil
		case !refusedToken(err):
			return Explain(err)
		}
		// The look-up itself was refused and poked the channel again.
		err = c.login(ctx)
		c.calm()
		return err
	}
	c.mu.Lock()
	l := c.token
	c.mu.Unlock()
	if !l.renewable || clock.Now().After(l.expires()) {
		return c.login(ctx)
	}
	again, err := c.renew(ctx)
	if err != nil || !again {
		return err
	}
	return c.login(ctx)
}

// renew prolongs the token. It reports again when a login is needed instead: the token is gone, or its maximum life is near,
// so that renewing gives ever shorter leases.
func (c *Client) renew(ctx context.Context) (again bool, err error) {
	asked := clock.Now()
	secret, err := c.api.Auth().Token().RenewSelfWithContext(ctx, 0)
	switch {
	case refusedToken(err):
		c.calm()
		return true, nil
	case err != nil:
		return false, Explain(err)
	case secret == nil || secret.Auth == nil:
		return true, nil
	}
	life := time.Duration(secret.Auth.LeaseDuration) * time.Second
	c.mu.Lock()
	defer c.mu.Unlock()
	if life < c.token.full {
		// Cut short by the maximum: the next renewal would give less still. A login now, with the old token good for a while,
		// leaves time for trouble.
		return true, nil
	}
	c.token.obtained, c.token.life, c.token.renewable = asked, life, secret.Auth.Renewable
	return false, nil
}

func (c *Client) calm() {
	select {
	case <-c.refused:
	default:
	}
}

func refusedToken(err error) bool {
	var resp *api.ResponseError
	return errors.As(err, &resp) && (resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusBadRequest)
}
