// Package api answers the RPCs of samvirke.insurance.v1: it translates a request, calls one use case and translates back. It decides
// nothing.
package api

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/page"

	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
)

// UseCases are what the handlers call. *core.Service has them.
type UseCases interface {
	RegisterAgreement(ctx context.Context, c core.Caller, a *core.Agreement) (time.Time, error)
	RecordBalancing(ctx context.Context, c core.Caller, b *core.Balancing) (time.Time, error)
	Share(ctx context.Context, c core.Caller, in core.Sharing) (subject string, at time.Time, err error)
	End(ctx context.Context, c core.Caller, handle, partner string, purpose core.Purpose) (time.Time, error)
	RecordConsent(ctx context.Context, c core.Caller, handle string, consent core.Consent) (time.Time, core.Day, error)
	WithdrawConsent(ctx context.Context, c core.Caller, handle, id string, channel int) (time.Time, error)
	OptOut(ctx context.Context, c core.Caller, handle, partner string, purpose core.Purpose, channel int) (time.Time, error)
	Object(ctx context.Context, c core.Caller, handle string, channel int) (time.Time, error)
	Restrict(ctx context.Context, c core.Caller, handle string, on bool) (time.Time, error)
	Disclosures(ctx context.Context, c core.Caller, handle string, before int64, limit int) ([]core.Disclosure, error)
	Import(ctx context.Context, c core.Caller, members []core.Member, note core.NoteItem) (core.Imported, error)
	Mailbox(ctx context.Context, c core.Caller, in core.Fetching, note core.NoteItem) (*core.Delivered, error)
	SharedSubject(ctx context.Context, c core.Caller, in core.Subject) (*core.Disclosed, *core.Share, error)

	FetchForAgreement(ctx context.Context, a *core.Agreement) context.Context
	FetchForShare(ctx context.Context, c core.Caller, in core.Sharing) context.Context
	FetchForMailbox(ctx context.Context, c core.Caller, in core.Fetching) context.Context
	FetchForSubject(ctx context.Context, c core.Caller, in core.Subject) context.Context
}

// Deps are what a Server needs. All are required.
type Deps struct {
	UseCases UseCases
	// Caller returns who calls, as authorisation found out.
	Caller func(ctx context.Context) core.Caller
	// Item returns the context in which item i (from 0) of an answer is noted, so that it leaves a record of its own.
	Item core.NoteItem
	// EventID returns the id of the running call's audit records.
	EventID func(ctx context.Context) string
	// Cursors makes and reads the cursors of mailboxes, Pages the page tokens of disclosures.
	Cursors *page.Codec[Position]
	Pages   *page.Codec[Position]
}

// Position is where a mailbox or a list goes on.
type Position struct{ Seq int64 }

// AppendBinary implements encoding.BinaryAppender.
func (p Position) AppendBinary(to []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint64(to, uint64(p.Seq)), nil //nolint:gosec // read back as it was
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (p *Position) UnmarshalBinary(b []byte) error {
	if len(b) != 8 {
		return errors.New("insurance: api: position of another length")
	}
	p.Seq = int64(binary.BigEndian.Uint64(b)) //nolint:gosec // as it was written
	return nil
}

// Server implements the services. It is safe for concurrent use.
type Server struct {
	insurancev1.UnimplementedInsuranceServiceServer
	insurancev1.UnimplementedShareServiceServer
	insurancev1.UnimplementedMemberDirectoryServiceServer

	deps Deps
}

// New returns the server.
func New(d Deps) (*Server, error) {
	if d.UseCases == nil || d.Caller == nil || d.Item == nil || d.EventID == nil || d.Cursors == nil || d.Pages == nil {
		return nil, errors.New("insurance: api: use cases, caller, item, event id, cursors and pages are required")
	}
	return &Server{deps: d}, nil
}

var (
	_ insurancev1.InsuranceServiceServer       = (*Server)(nil)
	_ insurancev1.ShareServiceServer           = (*Server)(nil)
	_ insurancev1.MemberDirectoryServiceServer = (*Server)(nil)
)
