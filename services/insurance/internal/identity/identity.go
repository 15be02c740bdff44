// Package identity asks the identity service whether members are protected and where they live, in the name of their controller.
package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"

	"samvirke.dev/certs/workload"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/insurance/internal/core"
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

// maxPersons is about how many persons one call may ask.
const maxPersons = 100

// Standings implements core.Identity. Of a handle that the identity service does not know nothing is given out: it knows more than the
// member base does.
func (c *Client) Standings(ctx context.Context, controller string, handles []string, address bool) []core.Standing {
	out := make([]core.Standing, 0, len(handles))
	for part := range slices.Chunk(handles, maxPersons) {
		answers, err := c.ask(ctx, controller, part, address)
		if err == nil && len(answers) != len(part) {
			err = fmt.Errorf("%d answers about %d persons", len(answers), len(part))
		}
		if err != nil {
			c.log.WarnContext(ctx, "the identity service gives no answer", "error", err)
			answers = slices.Repeat([]core.Standing{{Protected: true, Unreachable: true}}, len(part))
		}
		out = append(out, answers...)
	}
	return out
}

func (c *Client) ask(ctx context.Context, controller string, handles []string, address bool) ([]core.Standing, error) {
	ctx, why, err := c.inTheNameOf(ctx, controller)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	persons := make([]*identityv1.BatchPerson, len(handles))
	for i, handle := range handles {
		persons[i] = &identityv1.BatchPerson{Handle: handle}
	}
	out := make([]core.Standing, 0, len(handles))
	if address {
		got, err := c.rpc.BatchGetPostalAddresses(ctx, &identityv1.BatchGetPostalAddressesRequest{Context: why, Persons: persons})
		for _, r := range got.GetResults() {
			out = append(out, standing(r.GetFound().GetProtection(), r.GetFound().GetAddress(), r.GetReason()))
		}
		return out, err
	}
	got, err := c.rpc.BatchGetProtectionStatuses(ctx, &identityv1.BatchGetProtectionStatusesRequest{Context: why, Persons: persons})
	for _, r := range got.GetResults() {
		out = append(out, standing(r.GetStatus().GetLevel(), nil, r.GetReason()))
	}
	return out, err
}

// standing opens nothing but for a clear "not protected".
func standing(level identityv1.ProtectionLevel, address *identityv1.PostalAddress, reason commonv1.Reason) core.Standing {
	switch {
	case reason == commonv1.Reason_REASON_SUBJECT_NOT_FOUND:
		return core.Standing{Protected: true} // the controller may not even know: then nobody else may
	case reason != commonv1.Reason_REASON_UNSPECIFIED,
		level == identityv1.ProtectionLevel_PROTECTION_LEVEL_UNKNOWN, level == identityv1.ProtectionLevel_PROTECTION_LEVEL_UNSPECIFIED:
		return core.Standing{Protected: true, Unreachable: true}
	case level == identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE:
		return core.Standing{Address: toAddress(address)}
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
