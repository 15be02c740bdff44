package peer

import (
	"context"
	"errors"
	"fmt"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/wire"
)

// Persons is the identity service of the funds that are served here.
type Persons struct{ peers *Peers }

var _ core.Persons = Persons{}

// Persons returns it.
func (p *Peers) Persons() Persons { return Persons{p} }

// client connects as the fund and returns the context of the call.
func (p Persons) client(fund string) (identityv1.IdentityServiceClient, *commonv1.RequestContext, error) {
	endpoint, ok := p.peers.cfg.Identity[fund]
	if !ok {
		return nil, nil, fmt.Errorf("%w: no identity service of %s", core.ErrRegister, fund)
	}
	conn, err := p.peers.dial(fund, endpoint)
	if err != nil {
		return nil, nil, errors.Join(core.ErrRegister, err)
	}
	return identityv1.NewIdentityServiceClient(conn), p.peers.why(fund, "transfer"), nil
}

// classify parts what the identity service says of the person from what it can't say.
func classify(err error) error {
	if err == nil {
		return nil
	}
	switch errs.ReasonOf(err) {
	case commonv1.Reason_REASON_SUBJECT_NOT_FOUND, commonv1.Reason_REASON_NATIONAL_ID_INVALID,
		commonv1.Reason_REASON_NATIONAL_ID_OUTSIDE_ENVIRONMENT:
		return core.ErrPerson
	default:
		return fmt.Errorf("%w: %w", core.ErrRegister, err)
	}
}

// Resolve implements core.Persons.
func (p Persons) Resolve(ctx context.Context, fund, canonical string) (string, error) {
	client, why, err := p.client(fund)
	if err != nil {
		return "", err
	}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	out, err := client.ResolveSubject(ctx, &identityv1.ResolveSubjectRequest{Context: why, NationalId: wire.ToNumber(canonical)})
	return out.GetHandle(), classify(err)
}

// Open implements core.Persons.
func (p Persons) Open(ctx context.Context, fund, handle, membership string, first civil.Date) error {
	client, why, err := p.client(fund)
	if err != nil {
		return err
	}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	_, err = client.OpenAddressSubscription(ctx, &identityv1.OpenAddressSubscriptionRequest{
		Context: why, Handle: handle, MembershipReference: membership, EffectiveFrom: wire.ToDate(first),
	})
	return classify(err)
}

// Close implements core.Persons.
func (p Persons) Close(ctx context.Context, fund, handle, membership string, last civil.Date) error {
	client, why, err := p.client(fund)
	if err != nil {
		return err
	}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	_, err = client.CloseAddressSubscription(ctx, &identityv1.CloseAddressSubscriptionRequest{
		Context: why, Handle: handle, MembershipReference: membership, LastDay: wire.ToDate(last),
	})
	return classify(err)
}
