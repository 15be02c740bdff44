package story

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"

	"samvirke.dev/deploy/internal/stack"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/platform/clock"
)

// tellLimit is how long a fund waits to be told of a change. The sandbox's registers tell within seconds.
const tellLimit = 30 * time.Second

// replaced are numbers that the registers replaced: each register points to the number in force, and the person has one handle.
func (t *teller) replaced() []step {
	c := t.cast
	return []step{
		t.resolve("A number is looked up that is in force", c.DanishFund, c.RenumberedDane, "2026-106"),
		t.same("The same person's old number: CPR points to the new one, and the handle is the same", c.DanishFund, c.OldDane, c.RenumberedDane),
		t.resolve("In Sweden too", c.SwedishFund, c.RenumberedSwede, "S-2026-5"),
		t.same("SPAR says which number took the place of the old one", c.SwedishFund, c.OldSwede, c.RenumberedSwede),
	}
}

// same looks an old number up and compares the handle with that of the number in force.
func (t *teller) same(title string, who stack.Caller, old, inForce Person) step {
	why := because(who, identification, "2026-107")
	return step{
		title: title, who: who, about: old, why: why, rpc: resolveRPC, record: discloses("handle"),
		call: identity(func(ctx context.Context, cl client, trailer grpc.CallOption) (string, string, error) {
			resp, err := cl.ResolveSubject(ctx, &identityv1.ResolveSubjectRequest{Context: why, NationalId: old.id()}, trailer)
			if err != nil {
				return "", "", err
			}
			if resp.GetHandle() != t.handles[t.key(who, inForce)] {
				return "", "", errors.New("the handle is another one")
			}
			return "the same handle " + brief(resp.GetHandle()), "", nil
		}),
	}
}

// followed are members whose addresses the funds follow: they move, and the funds are told.
func (t *teller) followed() []step {
	c := t.cast
	return []step{
		t.subscribe("The Danish fund follows a member's address", c.DanishFund, c.Dane, "dk-1"),
		t.subscribe("The Swedish fund does the same", c.SwedishFund, c.Swede, "se-1"),
		t.moves("The member moves; CPR's next delivery tells it, and the fund learns it on its stream", c.DanishFund, c.Dane),
		t.moves("In Sweden SPAR is asked again and again, and the change comes the same way", c.SwedishFund, c.Swede),
		t.unsubscribe("The membership ends, and with it what the fund is told", c.DanishFund, c.Dane, "dk-1"),
	}
}

// today is the civil date of Copenhagen and Stockholm.
func today() *commonv1.Date {
	zone := time.FixedZone("CET", int(time.Hour/time.Second)) // an hour late in summer: never a day that has not begun
	y, m, d := clock.System().Now().In(zone).Date()
	return &commonv1.Date{Year: int32(y), Month: int32(m), Day: int32(d)} //nolint:gosec // small
}

func (t *teller) subscribe(title string, who stack.Caller, about Person, reference string) step {
	why := because(who, addressUpdate, "2026-108")
	return step{
		title: title, who: who, about: about, why: why, rpc: openRPC, record: discloses("opened_on.day", "opened_on.month", "opened_on.year"),
		call: identity(func(ctx context.Context, cl client, trailer grpc.CallOption) (string, string, error) {
			resp, err := cl.OpenAddressSubscription(ctx, &identityv1.OpenAddressSubscriptionRequest{
				Context: why, Handle: t.handles[t.key(who, about)], MembershipReference: reference, EffectiveFrom: today(),
			}, trailer)
			return "open from " + day(resp.GetOpenedOn()), "", err
		}),
	}
}

func (t *teller) unsubscribe(title string, who stack.Caller, about Person, reference string) step {
	why := because(who, addressUpdate, "2026-109")
	return step{
		title: title, who: who, about: about, why: why, rpc: closeRPC, record: discloses("last_day.day", "last_day.month", "last_day.year"),
		call: identity(func(ctx context.Context, cl client, trailer grpc.CallOption) (string, string, error) {
			resp, err := cl.CloseAddressSubscription(ctx, &identityv1.CloseAddressSubscriptionRequest{
				Context: why, Handle: t.handles[t.key(who, about)], MembershipReference: reference, LastDay: today(),
			}, trailer)
			return "last day " + day(resp.GetLastDay()), "", err
		}),
	}
}

func day(d *commonv1.Date) string {
	return fmt.Sprintf("%04d-%02d-%02d", d.GetYear(), d.GetMonth(), d.GetDay())
}

// moves lets the register know a new address and reads the fund's stream until it is told.
func (t *teller) moves(title string, who stack.Caller, about Person) step {
	why := because(who, addressUpdate, "2026-110")
	return step{
		title: title, who: who, about: about, why: why, rpc: streamRPC, several: true,
		call: identity(func(ctx context.Context, cl client, _ grpc.CallOption) (string, string, error) {
			ctx, cancel := context.WithTimeout(ctx, tellLimit)
			defer cancel()
			stream, err := cl.StreamAddressChanges(ctx, &identityv1.StreamAddressChangesRequest{Context: why})
			if err != nil {
				return "", "", err
			}
			handle := t.handles[t.key(who, about)]
			// The first change is the address that holds when the subscription opens; only then does the member move.
			if _, _, err := await(stream, handle, ""); err != nil {
				return "", "", err
			}
			street, err := t.cast.Move(ctx, about)
			if err != nil {
				return "", "", err
			}
			change, event, err := await(stream, handle, street)
			return "new address " + strings.Join(change.GetAddress().GetLines(), ", "), event, err
		}),
	}
}

// await reads the stream until a person's address holds the text, and returns the change and the message's event id.
func await(
	stream grpc.ServerStreamingClient[identityv1.StreamAddressChangesResponse], handle, text string,
) (*identityv1.AddressChange, string, error) {
	for {
		msg, err := stream.Recv()
		if err != nil {
			return nil, "", err
		}
		for _, c := range msg.GetChanges() {
			if c.GetHandle() == handle && c.GetAddress() != nil && strings.Contains(strings.Join(c.GetAddress().GetLines(), " "), text) {
				return c, msg.GetEventId(), nil
			}
		}
	}
}
