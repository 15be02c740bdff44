// Package identity asks the identity service whether members are protected and where they live, in the name of their controller.
package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	"samvirke.dev/certs/workload"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/rpc"
)

// system is as whose system of the controller this service calls; the controller's agreement on the identity service admits it.
const system = "insurance"

// Config says how the identity service is asked.
type Config struct {
	TrustDomain string
	Laws        map[string]string // by country of the controller: the legal reference on which it may ask
	Timeout     time.Duration
}

// Client asks. It is safe for concurrent use, and keeps no answer: a protection is looked at freshly every time (domain rule B.10, 1).
type Client struct {
	rpc identityv1.IdentityServiceClient
	cfg Config
	log *slog.Logger
}

// New returns a client on a connection to the identity service.
func New(conn grpc.ClientConnInterface, cfg Config, log *slog.Logger) (*Client, error) {
	if conn == nil || log == nil || cfg.TrustDomain == "" || cfg.Timeout <= 0 {
		return nil, errors.New("insurance: identity: connection, log, trust domain and timeout are required")
	}
	return &Client{rpc: identityv1.NewIdentityServiceClient(conn), cfg: cfg, log: log}, nil
}

// atOnce bounds how many questions are under way for one call.
const atOnce = 16

// Standings implements core.Identity. Of a handle that the identity service does not know nothing is given out: it knows more than the
// member base does.
func (c *Client) Standings(ctx context.Context, controller string, handles []string, address bool) []core.Standing {
	out := make([]core.Standing, len(handles))
	for i := range out {
		out[i] = core.Standing{Protected: true, Unreachable: true}
	}
	ctx, why, err := c.inTheNameOf(ctx, controller)
	if err != nil {
		c.log.ErrorContext(ctx, "the identity service can't be asked", "error", err)
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	var all sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for i, handle := range handles {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			out[i] = c.one(ctx, why, handle, address)
		})
	}
	all.Wait()
	return out
}

func (c *Client) one(ctx context.Context, why *commonv1.RequestContext, handle string, address bool) core.Standing {
	if address {
		out, err := c.rpc.GetPostalAddress(ctx, &identityv1.GetPostalAddressRequest{Context: why, Handle: handle})
		return c.standing(ctx, out.GetProtection(), toAddress(out.GetAddress()), err)
	}
	out, err := c.rpc.GetProtectionStatus(ctx, &identityv1.GetProtectionStatusRequest{Context: why, Handle: handle})
	return c.standing(ctx, out.GetLevel(), nil, err)
}

func (c *Client) standing(ctx context.Context, level identityv1.ProtectionLevel, address *core.PostalAddress, err error) core.Standing {
	switch {
	case err != nil && errs.ReasonOf(err) == commonv1.Reason_REASON_SUBJECT_NOT_FOUND:
		return core.Standing{Protected: true} // the controller may not even know: then nobody else may
	case err != nil:
		c.log.WarnContext(ctx, "the identity service gives no answer", "error", err)
		return core.Standing{Protected: true, Unreachable: true}
	case level == identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE:
		return core.Standing{Address: address}
	case level == identityv1.ProtectionLevel_PROTECTION_LEVEL_UNKNOWN, level == identityv1.ProtectionLevel_PROTECTION_LEVEL_UNSPECIFIED:
		return core.Standing{Protected: true, Unreachable: true}
	default:
		return core.Standing{Protected: true}
	}
}

// inTheNameOf returns what a call in the name of a controller needs.
func (c *Client) inTheNameOf(ctx context.Context, controller string) (context.Context, *commonv1.RequestContext, error) {
	country, number, _ := strings.Cut(controller, ":")
	law := c.cfg.Laws[country]
	if law == "" {
		return ctx, nil, fmt.Errorf("insurance: no legal reference for controllers of %s", country)
	}
	as, err := workload.Organisation(c.cfg.TrustDomain, country, number, system)
	if err != nil {
		return ctx, nil, err
	}
	return rpc.WithActingFor(ctx, as), &commonv1.RequestContext{
		ControllerId: controller, Purpose: vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C,
		LegalReference: law, CaseReference: "insurance-sharing",
	}, nil
}

func toAddress(a *identityv1.PostalAddress) *core.PostalAddress {
	if a == nil {
		return nil
	}
	return &core.PostalAddress{CareOf: a.GetCareOf(), Lines: a.GetLines(), PostalCode: a.GetPostalCode(), City: a.GetCity(), Country: a.GetCountry()}
}

var _ core.Identity = (*Client)(nil)
