package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// callLimit bounds one call of a load.
const callLimit = 10 * time.Second

// load makes calls from several lanes at once and remembers what was acknowledged.
type load struct {
	f *fixture

	mu      sync.Mutex
	events  []string
	serials map[string]bool
	errs    []error

	answered atomic.Int64
}

func newLoad(f *fixture) *load { return &load{f: f, serials: map[string]bool{}} }

// run keeps lanes busy until ctx ends. A lane stops at its first failed call; reconnect is after how many calls it takes
// a new connection, 0 for never.
func (l *load) run(ctx context.Context, lanes, reconnect int) {
	var wg sync.WaitGroup
	for i := range lanes {
		wg.Go(func() {
			if err := l.lane(ctx, i, reconnect); err != nil && ctx.Err() == nil {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.errs = append(l.errs, err)
			}
		})
	}
	wg.Wait()
}

func (l *load) lane(ctx context.Context, i, reconnect int) error {
	for ctx.Err() == nil {
		conn, err := l.f.Dial(stack.IdentityName, l.f.scene.Cast.DanishFund)
		if err != nil {
			return err
		}
		err = l.calls(ctx, identityv1.NewIdentityServiceClient(conn), i, reconnect)
		if err = errors.Join(err, conn.Close()); err != nil {
			return err
		}
	}
	return nil
}

// calls takes turns between a read, a change and a disclosure.
func (l *load) calls(ctx context.Context, client identityv1.IdentityServiceClient, lane, count int) error {
	cast := l.f.scene.Cast
	id := &commonv1.NationalId{Country: vocabularyv1.Country_COUNTRY_DK, Value: cast.Dane.Number}
	handle := ""
	for n := 0; (count == 0 || n < count) && ctx.Err() == nil; n++ {
		why := l.because(vocabularyv1.Purpose_PURPOSE_IDENTIFICATION, lane, n)
		var call func(context.Context, ...grpc.CallOption) error
		switch {
		case n%3 == 0 || handle == "":
			call = func(ctx context.Context, opts ...grpc.CallOption) error {
				resp, err := client.ResolveSubject(ctx, &identityv1.ResolveSubjectRequest{Context: why, NationalId: id}, opts...)
				handle = resp.GetHandle()
				return err
			}
		case n%3 == 1:
			call = func(ctx context.Context, opts ...grpc.CallOption) error {
				_, err := client.VerifyIdentity(ctx, &identityv1.VerifyIdentityRequest{Context: why, NationalId: id, FullName: cast.Dane.Name}, opts...)
				return err
			}
		default:
			why.Purpose = vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE
			call = func(ctx context.Context, opts ...grpc.CallOption) error {
				_, err := client.GetPostalAddress(ctx, &identityv1.GetPostalAddressRequest{Context: why, Handle: handle}, opts...)
				return err
			}
		}
		if err := l.one(ctx, call); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) because(purpose vocabularyv1.Purpose, lane, n int) *commonv1.RequestContext {
	return &commonv1.RequestContext{
		ControllerId: l.f.scene.Cast.DanishFund.Org(), Purpose: purpose, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C,
		LegalReference: story.LawDK, CaseReference: fmt.Sprintf("load-%d-%d", lane, n),
	}
}

// one makes a call and remembers its event when it was answered: from then on its record must exist.
func (l *load) one(ctx context.Context, call func(context.Context, ...grpc.CallOption) error) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	var trailer metadata.MD
	var from peer.Peer
	if err := call(ctx, grpc.Trailer(&trailer), grpc.Peer(&from)); err != nil {
		return err
	}
	events := trailer.Get(story.EventTrailer)
	if len(events) != 1 {
		return fmt.Errorf("%d event ids in a trailer", len(events))
	}
	l.mu.Lock()
	l.events = append(l.events, events[0])
	if tls, ok := from.AuthInfo.(credentials.TLSInfo); ok && len(tls.State.PeerCertificates) > 0 {
		l.serials[tls.State.PeerCertificates[0].SerialNumber.String()] = true
	}
	l.mu.Unlock()
	l.answered.Add(1)
	return nil
}

// served is how many of the server's certificates were seen.
func (l *load) served() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.serials)
}

// failures are what went wrong.
func (l *load) failures() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.errs...)
}

// recordsOf asks for the records of many events, a command line full at a time, and counts them by event.
func recordsOf(t *testing.T, f *fixture, events []string) map[string]int {
	t.Helper()
	const perCommand = 500
	count := map[string]int{}
	for len(events) > 0 {
		n := min(perCommand, len(events))
		records, err := f.Records(t.Context(), stack.IdentityName, events[:n]...)
		must(t, err)
		for _, r := range records {
			count[r.GetEventId()]++
		}
		events = events[n:]
	}
	return count
}
