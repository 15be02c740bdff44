package api

import (
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/audit/internal/core"
	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/record"
	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/sqlkit"
)

// Failure gives an error of the use cases its reason; nil for nil.
func Failure(err error) error {
	if err == nil {
		return nil
	}
	return failure(err)
}

func failure(err error) error {
	for _, known := range []struct {
		is     error
		reason commonv1.Reason
		detail []errs.Option
	}{
		{core.ErrWriter, commonv1.Reason_REASON_WRITER_MISMATCH, nil},
		{record.ErrInvalid, commonv1.Reason_REASON_RECORD_INVALID, nil},
		{core.ErrNotFound, commonv1.Reason_REASON_RECORD_NOT_FOUND, nil},
		{core.ErrPending, commonv1.Reason_REASON_RECEIPT_PENDING, []errs.Option{errs.RetryAfter(time.Second)}},
		{core.ErrAccess, commonv1.Reason_REASON_ACCESS_NOT_APPROVED, nil},
		{core.ErrEmployee, commonv1.Reason_REASON_INVALID_REQUEST, []errs.Option{errs.Field("context.actor_id", "must name the employee behind the call")}},
		{core.ErrSamePerson, commonv1.Reason_REASON_FAILED_PRECONDITION, []errs.Option{errs.Field("context.actor_id", "must be another employee than the one who asked")}},
		{store.ErrState, commonv1.Reason_REASON_FAILED_PRECONDITION, []errs.Option{errs.Field("access_id", "was approved before")}},
		{keys.ErrExpired, commonv1.Reason_REASON_KEYS_UNAVAILABLE, nil},
		{sqlkit.ErrUnavailable, commonv1.Reason_REASON_STORE_UNAVAILABLE, nil},
		{sqlkit.ErrFull, commonv1.Reason_REASON_STORE_UNAVAILABLE, nil},
		{sqlkit.ErrReadOnly, commonv1.Reason_REASON_STORE_UNAVAILABLE, nil},
		{sqlkit.ErrBusy, commonv1.Reason_REASON_STORE_UNAVAILABLE, nil},
		{sqlkit.ErrClosed, commonv1.Reason_REASON_NOT_SERVING, nil},
	} {
		if errors.Is(err, known.is) {
			return errs.New(known.reason, append(known.detail, errs.Cause(err))...)
		}
	}
	return err
}

// eventOf reads an event id that the schema has let through.
func eventOf(text string) ([16]byte, error) {
	event, err := record.EventID(text)
	if err != nil {
		return event, errs.New(commonv1.Reason_REASON_INVALID_REQUEST, errs.Field("event_id", "must be a UUID in lower case"), errs.Cause(err))
	}
	return event, nil
}

func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// ReceiptOf translates a receipt.
func ReceiptOf(r core.Receipt) *auditv1.Receipt {
	p := &r.Proof.Parts
	return &auditv1.Receipt{
		EventId: record.EventText(r.Row.Event), Item: r.Row.Item, Origin: r.Proof.Origin, Index: r.Proof.Index,
		Exchange: partOf(p[proofs.Exchange]), Staff: partOf(p[proofs.Staff]), Subject: partOf(p[proofs.Subject]), Bodies: partOf(p[proofs.Bodies]),
		Proof: r.Proof.Proof, Checkpoint: string(r.Proof.Checkpoint),
	}
}

func partOf(p proofs.Part) *auditv1.Part {
	return &auditv1.Part{Salt: p.Salt, Content: p.Content, Digest: p.Digest}
}

func verifiedOf(v core.Verified) *auditv1.VerifyLedgerResponse {
	out := &auditv1.VerifyLedgerResponse{
		Shard: v.Shard, Checked: v.Checked, Erased: v.Erased, Next: v.Next, Size: v.Checkpoint.Size, Fault: auditv1.Fault(v.Fault),
		Checkpoint: string(v.Checkpoint.Raw),
	}
	if v.Fault != proofs.NoFault {
		out.BadIndex = v.BadIndex
		if v.BadEvent != [16]byte{} {
			out.BadEventId = record.EventText(v.BadEvent)
		}
	}
	return out
}
