// Package codec turns encoded records into what the service keeps, and back. It stands apart from package record so that samvirke-verify, which
// reads records too, holds neither a store nor a database driver.
package codec

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	storev1 "samvirke.dev/proto/gen/go/samvirke/audit/store/v1"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/audit/internal/core"
	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/record"
	"samvirke.dev/services/audit/internal/store"
)

// Codec is core.Codec.
type Codec struct{}

var _ core.Codec = Codec{}

// Pack implements core.Codec.
func (Codec) Pack(parts *[proofs.Parts]proofs.Part) ([]byte, error) {
	out := &storev1.SealedRecord{Parts: make([]*storev1.SealedPart, len(parts))}
	for i := range parts {
		out.Parts[i] = &storev1.SealedPart{Salt: parts[i].Salt, Content: parts[i].Content}
	}
	return proto.Marshal(out)
}

// Unpack implements core.Codec.
func (Codec) Unpack(packed []byte) ([proofs.Parts]proofs.Part, error) {
	var out [proofs.Parts]proofs.Part
	in := &storev1.SealedRecord{}
	if err := proto.Unmarshal(packed, in); err != nil || len(in.GetParts()) != len(out) {
		return out, fmt.Errorf("%w: sealed", record.ErrInvalid)
	}
	for i, p := range in.GetParts() {
		out[i] = proofs.Part{Salt: p.GetSalt(), Content: p.GetContent()}
	}
	return out, nil
}

// Describe implements core.Codec. Errors: record.ErrInvalid.
func (Codec) Describe(raw []byte) (core.Described, error) {
	r, err := record.Parse(raw)
	if err != nil {
		return core.Described{}, err
	}
	var d core.Described
	if d.Row.Event, err = record.EventID(r.GetEventId()); err != nil {
		return core.Described{}, err
	}
	if d.Contents, err = record.Split(raw); err != nil {
		return core.Described{}, err
	}
	d.Case = r.GetCaseReference()
	row := &d.Row
	row.Item, row.Service, row.RPC = r.GetItem(), r.GetWriter().GetService(), r.GetRpc()
	row.Caller, row.Owner = r.GetActor().GetOrganisation(), r.GetControllerId()
	row.Purpose, row.Decision, row.Status = int32(r.GetPurpose()), int32(r.GetDecision()), int32(r.GetStatusCode()) //nolint:gosec // bounded by record.Parse
	row.Outcome = outcome(r)
	row.Started = r.GetStartedAt().AsTime()
	if row.Lasted = r.GetEndedAt().AsTime().Sub(row.Started); row.Lasted < 0 {
		row.Lasted = 0 // the writer's clock was set back meanwhile
	}
	row.Trace, row.Subject = r.GetTraceId(), r.GetSubjectRef()
	row.Register = r.GetSource() == vocabularyv1.Source_SOURCE_PUBLIC_REGISTER
	return d, nil
}

func outcome(r *auditv1.Record) store.Outcome {
	switch {
	case r.GetDecision() == auditv1.Decision_DECISION_DENY:
		return store.Refused
	case r.GetStatusCode() != 0:
		return store.Failed
	default:
		return store.Done
	}
}
