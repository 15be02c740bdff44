// Package record takes encoded audit records apart: into the parts of which the ledger's leaf is made, and into the columns by which they
// are searched. It never encodes a record anew, because the evidence is in the writer's own bytes.
package record

import (
	"encoding/hex"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/audit/internal/proofs"
)

// ErrInvalid means that the bytes are no record that can be kept. Its text holds nothing of them.
var ErrInvalid = errors.New("not a record")

// Numbers of the fields of samvirke.audit.v1.Record and of its Actor that do not belong to the exchange part; a test holds them against
// the schema.
const (
	fieldActor          = 5
	fieldApprover       = 7
	fieldSubjectRef     = 8
	fieldSubjectClass   = 9
	fieldRequestDigest  = 29
	fieldResponseDigest = 30
	fieldDigestKey      = 33
	actorEmployee       = 4
)

// Split divides an encoded record into the contents of its parts. Contents put one behind the other decode to the same record. Fields
// that this version does not know go to the exchange part.
func Split(raw []byte) ([proofs.Parts][]byte, error) {
	var out [proofs.Parts][]byte
	out[proofs.Exchange] = make([]byte, 0, len(raw))
	err := each(raw, func(number protowire.Number, kind protowire.Type, field, value []byte) error {
		switch number {
		case fieldActor:
			if kind != protowire.BytesType {
				return ErrInvalid
			}
			return splitActor(&out, value)
		case fieldApprover:
			out[proofs.Staff] = append(out[proofs.Staff], field...)
		case fieldSubjectRef, fieldSubjectClass:
			out[proofs.Subject] = append(out[proofs.Subject], field...)
		case fieldRequestDigest, fieldResponseDigest, fieldDigestKey:
			out[proofs.Bodies] = append(out[proofs.Bodies], field...)
		default:
			out[proofs.Exchange] = append(out[proofs.Exchange], field...)
		}
		return nil
	})
	return out, err
}

// splitActor divides the actor: the employee is the caller's own matter, the rest is part of the exchange.
func splitActor(out *[proofs.Parts][]byte, actor []byte) error {
	var rest, employee []byte
	err := each(actor, func(number protowire.Number, _ protowire.Type, field, _ []byte) error {
		if number == actorEmployee {
			employee = append(employee, field...)
		} else {
			rest = append(rest, field...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	out[proofs.Exchange] = protowire.AppendTag(out[proofs.Exchange], fieldActor, protowire.BytesType)
	out[proofs.Exchange] = protowire.AppendBytes(out[proofs.Exchange], rest)
	if len(employee) > 0 {
		out[proofs.Staff] = protowire.AppendTag(out[proofs.Staff], fieldActor, protowire.BytesType)
		out[proofs.Staff] = protowire.AppendBytes(out[proofs.Staff], employee)
	}
	return nil
}

// each calls fn for every field of a message: its number and type, the whole field with its tag, and the value of a field with a length.
func each(message []byte, fn func(number protowire.Number, kind protowire.Type, field, value []byte) error) error {
	for len(message) > 0 {
		number, kind, tag := protowire.ConsumeTag(message)
		if tag < 0 {
			return ErrInvalid
		}
		n := protowire.ConsumeFieldValue(number, kind, message[tag:])
		if n < 0 {
			return ErrInvalid
		}
		var value []byte
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(message[tag : tag+n])
		}
		if err := fn(number, kind, message[:tag+n], value); err != nil {
			return err
		}
		message = message[tag+n:]
	}
	return nil
}

// Join decodes the contents that are there into the record as their reader may see it.
func Join(parts *[proofs.Parts]proofs.Part) (*auditv1.Record, error) {
	out := &auditv1.Record{}
	for i := range parts {
		if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(parts[i].Content, out); err != nil {
			return nil, fmt.Errorf("%w: part %d", ErrInvalid, i+1)
		}
	}
	return out, nil
}

// Bounds of what a record may hold, so that no field can swell the store.
const (
	maxText  = 512
	maxItems = 100_000
	maxCode  = 1000
)

// Parse decodes a record and checks what the store relies on. Errors: ErrInvalid.
func Parse(raw []byte) (*auditv1.Record, error) {
	r := &auditv1.Record{}
	if err := proto.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("%w: encoding", ErrInvalid)
	}
	switch {
	case r.GetWriter().GetService() == "":
		return nil, fmt.Errorf("%w: writer", ErrInvalid)
	case r.GetStartedAt().CheckValid() != nil || r.GetStartedAt().GetSeconds() < 0 || r.GetEndedAt().CheckValid() != nil:
		return nil, fmt.Errorf("%w: time", ErrInvalid)
	case r.GetItem() > maxItems || r.GetStatusCode() > maxCode:
		return nil, fmt.Errorf("%w: number", ErrInvalid)
	case len(r.GetTraceId()) != 0 && len(r.GetTraceId()) != 16, len(r.GetSpanId()) > 8, len(r.GetParentSpanId()) > 8:
		return nil, fmt.Errorf("%w: trace", ErrInvalid)
	case !bounded(r):
		return nil, fmt.Errorf("%w: too long a text", ErrInvalid)
	}
	return r, nil
}

func bounded(r *auditv1.Record) bool {
	for _, s := range [...]string{
		r.GetWriter().GetService(), r.GetWriter().GetVersion(), r.GetWriter().GetInstance(), r.GetActor().GetWorkload(), r.GetActor().GetOrganisation(),
		r.GetActor().GetEmployee(), r.GetActor().GetVia(), r.GetControllerId(), r.GetApproverId(), r.GetSubjectRef(), r.GetRpc(), r.GetLegalReference(),
		r.GetCaseReference(), r.GetRecipient().GetId(), r.GetRecipient().GetTransferBasis(), r.GetAgreement().GetId(), r.GetRetentionClass(),
	} {
		if len(s) > maxText {
			return false
		}
	}
	return true
}

// EventID reads the id of an event, a UUID in its usual text form, lower case. Errors: ErrInvalid.
func EventID(text string) ([16]byte, error) {
	var id [16]byte
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return id, fmt.Errorf("%w: event id", ErrInvalid)
	}
	var digits [32]byte
	at := 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == '-':
		case at < len(digits) && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f'):
			digits[at] = c
			at++
		default:
			return id, fmt.Errorf("%w: event id", ErrInvalid)
		}
	}
	if n, err := hex.Decode(id[:], digits[:at]); err != nil || n != len(id) {
		return id, fmt.Errorf("%w: event id", ErrInvalid)
	}
	return id, nil
}

// EventText writes the id of an event.
func EventText(id [16]byte) string {
	var out [36]byte
	hex.Encode(out[:], id[:4])
	out[8] = '-'
	hex.Encode(out[9:], id[4:6])
	out[13] = '-'
	hex.Encode(out[14:], id[6:8])
	out[18] = '-'
	hex.Encode(out[19:], id[8:10])
	out[23] = '-'
	hex.Encode(out[24:], id[10:])
	return string(out[:])
}
