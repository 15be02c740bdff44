package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/proto"

	"samvirke.dev/deploy/bench/internal/load"
	"samvirke.dev/deploy/internal/scene"
	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
	"samvirke.dev/deploy/registers/persons"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
)

// CallFollowed is a VerifyIdentity about persons whom the fund follows, with the registers connected: the answer comes from the local copy
// that is kept up to date. Its answers must not be slower than those of CallVerify, which knows no registers.
const CallFollowed = "followed.VerifyIdentity"

const (
	followedName = "followed"
	// copyAge is how old a copy gets before the register is asked again: longer than a measurement, in which no copy changes.
	copyAge = time.Hour
	// fetchLimit is how long the first fetch of all followed persons may take.
	fetchLimit = time.Minute
	fetchLook  = 50 * time.Millisecond
	// fewest is how many persons there must be.
	fewest = 10
)

func followedService() Service {
	return Service{Name: followedName, Calls: []string{CallFollowed}, Sized: true, Start: startFollowed, Prepare: followedLanes}
}

// startFollowed starts identityd with simulated registers in this process, and as many persons in its store as without them.
func startFollowed(ctx context.Context, in Stage) (*Running, error) {
	in.registers = true
	return alone(ctx, in, stack.IdentityName, func(ctx context.Context, suite *stack.Stack, s *scene.Scene) (any, error) {
		if _, err := importPeople(ctx, suite, in); err != nil {
			return nil, err
		}
		data := identityData{Controller: s.Cast.DanishFund.Org(), LegalReference: story.LawDK, People: filepath.Join(in.Dir, "followed.tsv")}
		return data, writeSwedes(data.People)
	})
}

// writeSwedes writes the published test persons in SPAR who live in Sweden and have no protection.
func writeSwedes(file string) error {
	all, err := persons.Swedes()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	n := 0
	for _, p := range all {
		if p.Protected() || p.Blank || p.DeregCode != "" || len(p.References) > 0 {
			continue
		}
		for _, name := range p.Names {
			if name.Current() {
				out.WriteString(personLine("SE", p.Number, name.Given+" "+name.Family))
				n++
				break
			}
		}
	}
	if n < fewest {
		return errors.New("too few test persons to follow")
	}
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		return fmt.Errorf("people file: %w", err)
	}
	return nil
}

// followedLanes subscribes to the persons and waits until all are fetched.
func followedLanes(ctx context.Context, t *load.Target, data json.RawMessage) (map[string]load.Lane, error) {
	var conf identityData
	if err := json.Unmarshal(data, &conf); err != nil {
		return nil, fmt.Errorf("followed: data: %w", err)
	}
	p, err := readPeople(ctx, t, conf)
	if err != nil {
		return nil, err
	}
	conn, err := t.Conn(0)
	if err != nil {
		return nil, err
	}
	f := &followed{client: identityv1.NewIdentityServiceClient(conn), people: p, copies: map[string]time.Time{}}
	if err := f.subscribe(ctx); err != nil {
		return nil, fmt.Errorf("followed: %w", err)
	}
	return map[string]load.Lane{CallFollowed: func(t *load.Target, i int) (load.Caller, error) {
		conn, err := t.Conn(i)
		ask := newAsker(p, i)
		return &load.Unary{
			Conn: conn, Method: identityv1.IdentityService_VerifyIdentity_FullMethodName, Audited: true,
			Next: func() (req, resp proto.Message, check func() error) { return f.verify(ask) },
		}, err
	}}, nil
}

// followed are persons whom the fund follows.
type followed struct {
	client identityv1.IdentityServiceClient
	people *asked
	copies map[string]time.Time // when the register gave the copy, by number
}

// subscribe opens subscriptions and keeps those persons who are answered from a copy.
func (f *followed) subscribe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	year, month, day := time.Now().UTC().Date()                                      //nolint:forbidigo // the day of the service's clock
	today := &commonv1.Date{Year: int32(year), Month: int32(month), Day: int32(day)} //nolint:gosec // small numbers
	for i, who := range f.people.all {
		subject, err := f.client.ResolveSubject(ctx, &identityv1.ResolveSubjectRequest{Context: f.people.verify, NationalId: who.id()})
		if err != nil {
			return err
		}
		if _, err := f.client.OpenAddressSubscription(ctx, &identityv1.OpenAddressSubscriptionRequest{
			Context: f.people.address, Handle: subject.GetHandle(), MembershipReference: fmt.Sprintf("bench-%d", i), EffectiveFrom: today,
		}); err != nil {
			return err
		}
	}
	for _, who := range f.people.all {
		if err := f.settle(ctx, who); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until two answers about a person come from the same copy: one from the register tells the moment in which it was given.
func (f *followed) settle(ctx context.Context, who person) error {
	tick := time.NewTicker(fetchLook)
	defer tick.Stop()
	for {
		got, err := f.client.VerifyIdentity(ctx, &identityv1.VerifyIdentityRequest{Context: f.people.verify, NationalId: who.id(), FullName: who.name})
		if err != nil {
			return err
		}
		if err := sameVerdict(got.GetVerdict(), identityv1.Verdict_VERDICT_MATCH); err != nil {
			return err
		}
		given := got.GetRegisterTime().AsTime()
		if given.Equal(f.copies[who.number]) {
			return nil
		}
		f.copies[who.number] = given
		select {
		case <-ctx.Done():
			return errors.New("the register is still asked for a person who is followed")
		case <-tick.C:
		}
	}
}

// verify asks as asker.verify does; the answer must come from the copy.
func (f *followed) verify(a *asker) (proto.Message, proto.Message, func() error) {
	who, name, want := a.question()
	req := &identityv1.VerifyIdentityRequest{Context: f.people.verify, NationalId: who.id(), FullName: name}
	resp := new(identityv1.VerifyIdentityResponse)
	return req, resp, func() error {
		if !resp.GetRegisterTime().AsTime().Equal(f.copies[who.number]) {
			return errors.New("the answer does not come from the local copy")
		}
		return sameVerdict(resp.GetVerdict(), want)
	}
}
