// Package api translates between the audit service's RPCs and its use cases. It decides nothing.
package api

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/audit/internal/core"
	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/platform/page"
	"samvirke.dev/services/platform/rpc"
)

// UseCases is what the service can do.
type UseCases interface {
	Sequence() *core.Sequence
	Receipt(ctx context.Context, reader core.Reader, event [16]byte, item uint32) (core.Receipt, error)
	List(ctx context.Context, reader core.Reader, f core.Filter) ([]core.Entry, store.Key, error)
	Verify(ctx context.Context, shard uint32, first uint64, outside []byte) (core.Verified, error)
	Export(ctx context.Context, reader core.Reader, year int, after store.Key, limit int) ([]core.Receipt, store.Key, error)
	RequestAccess(ctx context.Context, reader core.Reader, id string, reason int32) error
	ApproveAccess(ctx context.Context, reader core.Reader, id string) (time.Time, error)
	RecordRestore(ctx context.Context, reader core.Reader, r core.Restore) (time.Time, error)
	Opened(ctx context.Context, reader core.Reader, id string) (store.Access, error)
}

// Deps is what the RPCs are made of.
type Deps struct {
	UseCases UseCases
	// Writer names the service whose certificate the call bears.
	Writer func(ctx context.Context) string
	// Reader tells who asks, from the decision that let the call through.
	Reader func(ctx context.Context) core.Reader
	// Approved notes in the call's record who approved the access that it uses.
	Approved func(ctx context.Context, approver string)
	// NewID makes the id of an access.
	NewID  func() string
	Tokens *page.Codec[store.Key]
}

// Server implements the RPCs of ingest, parties and auditors.
type Server struct {
	auditv1.UnimplementedIngestServiceServer
	auditv1.UnimplementedLedgerServiceServer
	auditv1.UnimplementedRestoreServiceServer
	auditv1.UnimplementedAuditorServiceServer

	d Deps
}

// New returns the server.
func New(d Deps) *Server { return &Server{d: d} }

// shipAhead is how many batches of a stream are worked on at once: as many as a sender has under way, half of which become durable while the
// others are prepared.
const shipAhead = 16

// Ship implements auditv1.IngestServiceServer.
func (s *Server) Ship(stream grpc.BidiStreamingServer[auditv1.ShipRequest, auditv1.ShipResponse]) error {
	sequence := s.d.UseCases.Sequence()
	return rpc.EachAhead(stream, shipAhead, func(ctx context.Context, n uint64, req *auditv1.ShipRequest) (*auditv1.ShipResponse, error) {
		stored, err := sequence.Ingest(ctx, n, s.d.Writer(ctx), req.GetRecords())
		if err != nil {
			return nil, failure(err)
		}
		return &auditv1.ShipResponse{Stored: uint32(stored)}, nil //nolint:gosec // at most a batch
	})
}

// GetReceipt implements auditv1.LedgerServiceServer.
func (s *Server) GetReceipt(ctx context.Context, req *auditv1.GetReceiptRequest) (*auditv1.GetReceiptResponse, error) {
	event, err := eventOf(req.GetEventId())
	if err != nil {
		return nil, err
	}
	receipt, err := s.d.UseCases.Receipt(ctx, s.d.Reader(ctx), event, req.GetItem())
	if err != nil {
		return nil, failure(err)
	}
	return &auditv1.GetReceiptResponse{Receipt: ReceiptOf(receipt)}, nil
}

// ListExchanges implements auditv1.LedgerServiceServer.
func (s *Server) ListExchanges(ctx context.Context, req *auditv1.ListExchangesRequest) (*auditv1.ListExchangesResponse, error) {
	f := core.Filter{From: timeOf(req.GetFrom()), Until: timeOf(req.GetUntil()), Purpose: int32(req.GetPurpose()), Case: req.GetCaseReference()}
	records, next, err := s.list(ctx, auditv1.LedgerService_ListExchanges_FullMethodName, s.d.Reader(ctx), f, req)
	if err != nil {
		return nil, err
	}
	return &auditv1.ListExchangesResponse{Exchanges: records, NextPageToken: next}, nil
}

// QueryAudit implements auditv1.AuditorServiceServer.
func (s *Server) QueryAudit(ctx context.Context, req *auditv1.QueryAuditRequest) (*auditv1.QueryAuditResponse, error) {
	reader, err := s.withAccess(ctx, req.GetAccessId())
	if err != nil {
		return nil, err
	}
	f := core.Filter{
		From: timeOf(req.GetFrom()), Until: timeOf(req.GetUntil()), Caller: req.GetOrganisation(), Service: req.GetService(), RPC: req.GetRpc(),
		Purpose: int32(req.GetPurpose()), Decision: int32(req.GetDecision()), Trace: req.GetTraceId(), Case: req.GetCaseReference(), Subject: req.GetSubjectRef(),
	}
	records, next, err := s.list(ctx, auditv1.AuditorService_QueryAudit_FullMethodName, reader, f, req)
	if err != nil {
		return nil, err
	}
	return &auditv1.QueryAuditResponse{Records: records, NextPageToken: next}, nil
}

// withAccess returns who asks, with the access that they use, which is noted in the call's record.
func (s *Server) withAccess(ctx context.Context, id string) (core.Reader, error) {
	reader := s.d.Reader(ctx)
	if id == "" {
		return reader, nil
	}
	access, err := s.d.UseCases.Opened(ctx, reader, id)
	if err != nil {
		return reader, failure(err)
	}
	s.d.Approved(ctx, access.Approver)
	reader.Access = true
	return reader, nil
}

// VerifyLedger implements auditv1.AuditorServiceServer.
func (s *Server) VerifyLedger(ctx context.Context, req *auditv1.VerifyLedgerRequest) (*auditv1.VerifyLedgerResponse, error) {
	v, err := s.d.UseCases.Verify(ctx, req.GetShard(), req.GetFirst(), []byte(req.GetOutsideCheckpoint()))
	if err != nil {
		return nil, failure(err)
	}
	return verifiedOf(v), nil
}

// ExportYear implements auditv1.AuditorServiceServer.
func (s *Server) ExportYear(ctx context.Context, req *auditv1.ExportYearRequest) (*auditv1.ExportYearResponse, error) {
	reader := s.d.Reader(ctx)
	pages, err := s.pages(auditv1.AuditorService_ExportYear_FullMethodName, reader, req, exportLimits)
	if err != nil {
		return nil, err
	}
	receipts, next, err := s.d.UseCases.Export(ctx, reader, int(req.GetYear()), pages.after, pages.size)
	if err != nil {
		return nil, failure(err)
	}
	out := &auditv1.ExportYearResponse{}
	for _, r := range receipts {
		out.Receipts = append(out.Receipts, ReceiptOf(r))
	}
	out.NextPageToken, err = s.token(pages, next)
	return out, err
}

// RequestAccess implements auditv1.AuditorServiceServer.
func (s *Server) RequestAccess(ctx context.Context, req *auditv1.RequestAccessRequest) (*auditv1.RequestAccessResponse, error) {
	id := s.d.NewID()
	if err := s.d.UseCases.RequestAccess(ctx, s.d.Reader(ctx), id, int32(req.GetReason())); err != nil {
		return nil, failure(err)
	}
	return &auditv1.RequestAccessResponse{AccessId: id}, nil
}

// ApproveAccess implements auditv1.AuditorServiceServer.
func (s *Server) ApproveAccess(ctx context.Context, req *auditv1.ApproveAccessRequest) (*auditv1.ApproveAccessResponse, error) {
	reader := s.d.Reader(ctx)
	expires, err := s.d.UseCases.ApproveAccess(ctx, reader, req.GetAccessId())
	if err != nil {
		return nil, failure(err)
	}
	s.d.Approved(ctx, reader.Employee)
	return &auditv1.ApproveAccessResponse{ExpiresAt: timestamppb.New(expires)}, nil
}

// RecordRestore implements auditv1.RestoreServiceServer.
func (s *Server) RecordRestore(ctx context.Context, req *auditv1.RecordRestoreRequest) (*auditv1.RecordRestoreResponse, error) {
	at, err := s.d.UseCases.RecordRestore(ctx, s.d.Reader(ctx), core.Restore{
		Service: req.GetService(), Backup: req.GetBackupTime().AsTime(), Reason: strings.TrimPrefix(req.GetReason().String(), "RESTORE_REASON_"),
	})
	if err != nil {
		return nil, failure(err)
	}
	return &auditv1.RecordRestoreResponse{RecordedAt: timestamppb.New(at)}, nil
}
