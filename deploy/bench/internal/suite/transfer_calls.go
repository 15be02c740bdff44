package suite

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
	"samvirke.dev/deploy/bench/internal/load"
	"samvirke.dev/deploy/internal/localca"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/clock"
)

// The calls of the transfer service. RecordDues and CreateTransfer are one command each: the first asks nobody, the other the
// identity service. Move is a whole transfer: all commands of both funds and what the funds tell each other, up to the confirmed exit
// in both records.
const (
	CallRecordDues = "transfer.RecordDues"
	CallCreate     = "transfer.CreateTransfer"
	CallMove       = "transfer.Move"
)

// movePoll is how often a fund looks whether the other one has been told.
const movePoll = 25 * time.Millisecond

// mover is a line of the movers file.
type mover struct{ number, name, poa string }

func readMovers(path string) ([]mover, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("movers: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	var all []mover
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		part := strings.Split(lines.Text(), "\t")
		if len(part) != 3 {
			return nil, fmt.Errorf("movers: line %d has %d columns", len(all)+1, len(part))
		}
		all = append(all, mover{part[0], part[1], part[2]})
	}
	if len(all) == 0 {
		return nil, errors.New("movers: file is empty")
	}
	return all, lines.Err()
}

// moving is what all lanes share.
type moving struct {
	conf   transferData
	all    []mover
	next   atomic.Int64 // of those who have not moved
	number atomic.Int64 // of memberships
	handle string       // of the first mover, for calls that move nobody
	from   transferv1.TransferServiceClient
	ident  identityv1.IdentityServiceClient
	today  *commonv1.Date
}

// errMovedAll means that the run was longer than there are persons.
var errMovedAll = errors.New("transfer: everybody has moved; more persons with --persons")

func (m *moving) mover() (mover, error) {
	i := m.next.Add(1) - 1
	if i >= int64(len(m.all)) {
		return mover{}, errMovedAll
	}
	return m.all[i], nil
}

func (m *moving) why(controller string) *commonv1.RequestContext {
	return &commonv1.RequestContext{
		ControllerId: controller, Purpose: vocabularyv1.Purpose_PURPOSE_FUND_TRANSFER, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C,
		LegalReference: "DK:ALF§41", CaseReference: "bench-1", ActorId: "caseworker-7",
	}
}

func (m *moving) handleOf(ctx context.Context, number string) (string, error) {
	out, err := m.ident.ResolveSubject(ctx, &identityv1.ResolveSubjectRequest{Context: m.why(m.conf.To), NationalId: danishID(number)})
	return out.GetHandle(), err
}

func danishID(number string) *commonv1.NationalId {
	return &commonv1.NationalId{Country: vocabularyv1.Country_COUNTRY_DK, Value: number}
}

// connected connects with a certificate; the connection lives as long as the process.
func connected(address, server string, files localca.Files) (*grpc.ClientConn, error) {
	id, err := workload.Parse(server)
	if err != nil {
		return nil, err
	}
	src, err := mtls.Files(files.Cert, files.Key, files.CA)
	if err != nil {
		return nil, err
	}
	conf, err := mtls.ClientConfig(src, id)
	if err != nil {
		return nil, err
	}
	return grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(conf)))
}

// transferLanes are the transfer service's calls, of the movers file's persons.
func transferLanes(ctx context.Context, _ *load.Target, data json.RawMessage) (map[string]load.Lane, error) {
	m := &moving{}
	if err := json.Unmarshal(data, &m.conf); err != nil {
		return nil, fmt.Errorf("transfer: data: %w", err)
	}
	var err error
	if m.all, err = readMovers(m.conf.Movers); err != nil {
		return nil, err
	}
	from, err1 := connected(m.conf.Address, m.conf.Server, m.conf.Files)
	register, err2 := connected(m.conf.Identity, m.conf.Register, m.conf.Own)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	m.from, m.ident = transferv1.NewTransferServiceClient(from), identityv1.NewIdentityServiceClient(register)
	now := clock.System().Now()
	m.today = &commonv1.Date{Year: int32(now.Year()), Month: int32(now.Month()), Day: int32(now.Day())} //nolint:gosec // a date
	if m.handle, err = m.handleOf(ctx, m.all[0].number); err != nil {
		return nil, fmt.Errorf("resolve a person: %w", err)
	}
	unary := func(method string, next func() (proto.Message, proto.Message)) load.Lane {
		return func(t *load.Target, i int) (load.Caller, error) {
			conn, err := t.Conn(i)
			return &load.Unary{Conn: conn, Method: method, Audited: true, Next: func() (proto.Message, proto.Message, func() error) {
				request, answer := next()
				return request, answer, func() error { return nil }
			}}, err
		}
	}
	return map[string]load.Lane{
		CallRecordDues: unary(transferv1.MembershipService_RecordDues_FullMethodName, m.dues),
		CallCreate:     unary(transferv1.TransferService_CreateTransfer_FullMethodName, m.create),
		CallMove: func(t *load.Target, i int) (load.Caller, error) {
			conn, err := t.Conn(i)
			return &move{m, transferv1.NewTransferServiceClient(conn)}, err
		},
	}, nil
}

func (m *moving) dues() (proto.Message, proto.Message) {
	why := m.why(m.conf.To)
	why.Purpose = vocabularyv1.Purpose_PURPOSE_MEMBERSHIP_ADMIN
	return &transferv1.RecordDuesRequest{
		Context: why, MembershipReference: fmt.Sprintf("m-%d", m.number.Add(1)), Handle: m.handle, MemberSince: m.today, PaidThrough: m.today,
	}, new(transferv1.RecordDuesResponse)
}

func (m *moving) create() (proto.Message, proto.Message) {
	return &transferv1.CreateTransferRequest{
		Context: m.why(m.conf.To), ReleasingFundId: m.conf.From, Handle: m.handle, MembershipReference: fmt.Sprintf("m-%d", m.number.Add(1)),
	}, new(transferv1.CreateTransferResponse)
}

// move makes whole transfers.
type move struct {
	*moving

	to transferv1.TransferServiceClient
}

// Call implements load.Caller.
func (m *move) Call(ctx context.Context) (load.Sizes, error) {
	who, err := m.mover()
	if err != nil {
		return load.Sizes{}, err
	}
	id, sizes, err := m.submitted(ctx, m.to, who)
	if err != nil {
		return sizes, err
	}
	n, o := m.why(m.conf.To), m.why(m.conf.From)
	if _, err := m.to.VerifyPowerOfAttorney(ctx, &transferv1.VerifyPowerOfAttorneyRequest{Context: n, TransferId: id, Assertion: who.poa}); err != nil {
		return sizes, fmt.Errorf("verify: %w", err)
	}
	if _, err := m.to.SendRequest(ctx, &transferv1.SendRequestRequest{Context: n, TransferId: id}); err != nil {
		return sizes, fmt.Errorf("send: %w", err)
	}
	if err := until(ctx, m.from, o, id, transferv1.TransferState_TRANSFER_STATE_REQUESTED); err != nil {
		return sizes, err
	}
	if _, err := m.from.AcknowledgeTransfer(ctx, &transferv1.AcknowledgeTransferRequest{Context: o, TransferId: id, MembershipReference: "old"}); err != nil {
		return sizes, fmt.Errorf("acknowledge: %w", err)
	}
	if err := m.deliver(ctx, o, id); err != nil {
		return sizes, fmt.Errorf("deliver: %w", err)
	}
	if _, err := m.from.ConfirmExit(ctx, &transferv1.ConfirmExitRequest{Context: o, TransferId: id}); err != nil {
		return sizes, fmt.Errorf("confirm: %w", err)
	}
	return sizes, until(ctx, m.to, n, id, transferv1.TransferState_TRANSFER_STATE_EXIT_CONFIRMED)
}

// Finish implements load.Caller.
func (*move) Finish() error { return nil }

// submitted makes a transfer whose application is complete.
func (m *moving) submitted(ctx context.Context, c transferv1.TransferServiceClient, who mover) (string, load.Sizes, error) {
	handle, err := m.handleOf(ctx, who.number)
	if err != nil {
		return "", load.Sizes{}, fmt.Errorf("resolve: %w", err)
	}
	why := m.why(m.conf.To)
	created, err := c.CreateTransfer(ctx, &transferv1.CreateTransferRequest{Context: why, ReleasingFundId: m.conf.From, Handle: handle, MembershipReference: "new"})
	if err != nil {
		return "", load.Sizes{}, fmt.Errorf("create: %w", err)
	}
	id := created.GetTransfer().GetTransferId()
	request := &transferv1.SubmitTransferRequest{
		Context: why, TransferId: id, WorkSituation: transferv1.WorkSituation_WORK_SITUATION_IN_WORK,
		Application: &transferv1.MembershipApplication{Name: who.name, PhoneNumber: "+4512345678", NationalId: danishID(who.number)},
	}
	answer, err := c.SubmitTransfer(ctx, request)
	if err != nil {
		return "", load.Sizes{}, fmt.Errorf("submit: %w", err)
	}
	return id, load.Sizes{Request: proto.Size(request), Answer: proto.Size(answer)}, nil
}

func (m *move) deliver(ctx context.Context, why *commonv1.RequestContext, id string) error {
	stream, err := m.from.DeliverPackage(ctx)
	if err != nil {
		return err
	}
	err = stream.Send(&transferv1.DeliverPackageRequest{
		Context: why, TransferId: id, Part: 1, Last: true,
		Package: &transferv1.DataPackage{Content: &transferv1.DataPackage_Membership{Membership: &transferv1.MembershipPackage{
			Insurance: []*transferv1.InsurancePeriod{{
				Period: &transferv1.Period{FirstDay: &commonv1.Date{Year: 2019, Month: 3, Day: 1}}, Category: transferv1.InsuranceCategory_INSURANCE_CATEGORY_FULL_TIME,
			}},
		}}},
	})
	if err != nil {
		return err
	}
	if _, err := stream.Recv(); err != nil {
		return err
	}
	return stream.CloseSend()
}

// until polls a fund's record until it is in a state.
func until(ctx context.Context, c transferv1.TransferServiceClient, why *commonv1.RequestContext, id string, state transferv1.TransferState) error {
	tick := time.NewTicker(movePoll)
	defer tick.Stop()
	for {
		got, err := c.GetTransfer(ctx, &transferv1.GetTransferRequest{Context: why, TransferId: id})
		switch {
		case err == nil && got.GetTransfer().GetState() == state:
			return nil
		case err != nil && status.Code(err) != codes.NotFound: // not told yet
			return fmt.Errorf("await %s: %w", state, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("await %s: %w", state, ctx.Err())
		case <-tick.C:
		}
	}
}
