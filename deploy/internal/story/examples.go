package story

import (
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
)

// Example is a request to try by hand.
type Example struct {
	RPC  string
	JSON string
}

// Examples are requests of the Danish fund, which may make them.
func Examples(c Cast) []Example {
	why := because(c.DanishFund, identification, "try-1")
	var out []Example
	for rpc, req := range map[string]proto.Message{
		resolveRPC: &identityv1.ResolveSubjectRequest{Context: why, NationalId: c.Dane.id()},
		verifyRPC:  &identityv1.VerifyIdentityRequest{Context: why, NationalId: c.Dane.id(), FullName: c.Dane.Name},
	} {
		// A message made here can always be written.
		body, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(req)
		if err == nil {
			out = append(out, Example{RPC: rpc, JSON: string(body)})
		}
	}
	return out
}
