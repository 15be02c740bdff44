package api

import (
	"context"
	"strings"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/identity/internal/core"
)

// found is the path of one person's answer in that of BatchGetPostalAddresses.
const found = "results.found"

// AddressPaths are the paths of BatchGetPostalAddresses that tell nothing of a person without an address.
func AddressPaths() []string { return []string{found + ".address", found + ".valid_from"} }

// BatchGetProtectionStatuses returns how many persons are protected.
func (s *Server) BatchGetProtectionStatuses(
	ctx context.Context, in *identityv1.BatchGetProtectionStatusesRequest,
) (*identityv1.BatchGetProtectionStatusesResponse, error) {
	answers, err := s.deps.UseCases.ProtectionStatuses(ctx, s.deps.Caller(ctx), s.batch(in.GetPersons()))
	if err != nil {
		return nil, failure(err, personsField)
	}
	out := &identityv1.BatchGetProtectionStatusesResponse{Results: make([]*identityv1.ProtectionStatusResult, len(answers))}
	for i, a := range answers {
		out.Results[i] = &identityv1.ProtectionStatusResult{}
		if a == nil {
			out.Results[i].Reason = commonv1.Reason_REASON_SUBJECT_NOT_FOUND
		} else {
			out.Results[i].Status = toStatusResponse(*a)
		}
	}
	return out, nil
}

// BatchGetPostalAddresses returns many persons' addresses, narrowed to the fields asked for.
func (s *Server) BatchGetPostalAddresses(
	ctx context.Context, in *identityv1.BatchGetPostalAddressesRequest,
) (*identityv1.BatchGetPostalAddressesResponse, error) {
	mask := below(in.GetReadMask())
	if err := checkMask(mask); err != nil {
		return nil, err
	}
	answers, err := s.deps.UseCases.PostalAddresses(ctx, s.deps.Caller(ctx), s.batch(in.GetPersons()))
	if err != nil {
		return nil, failure(err, personsField)
	}
	out := &identityv1.BatchGetPostalAddressesResponse{Results: make([]*identityv1.PostalAddressResult, len(answers))}
	for i, a := range answers {
		out.Results[i] = &identityv1.PostalAddressResult{}
		if a == nil {
			out.Results[i].Reason = commonv1.Reason_REASON_SUBJECT_NOT_FOUND
			continue
		}
		out.Results[i].Found = toAddressResponse(*a)
		narrow(out.Results[i].Found, mask)
	}
	return out, nil
}

func (s *Server) batch(persons []*identityv1.BatchPerson) core.Batch {
	b := core.Batch{Handles: make([]string, len(persons)), Item: s.deps.Item}
	for i, p := range persons {
		b.Handles[i] = p.GetHandle()
	}
	return b
}

// below turns a mask of the batch's answer into one of each person's. Reasons are told in any case, so asking for all of a result is asking for
// all of the person's answer; a path of neither stays as it is and is refused.
func below(mask *fieldmaskpb.FieldMask) *fieldmaskpb.FieldMask {
	out := &fieldmaskpb.FieldMask{}
	for _, path := range mask.GetPaths() {
		if path == "results" || path == found {
			return nil
		}
		out.Paths = append(out.Paths, strings.TrimPrefix(path, found+"."))
	}
	if len(out.GetPaths()) == 0 {
		return nil
	}
	return out
}
