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
	return []Example{
		{RPC: resolveRPC, JSON: text(&identityv1.ResolveSubjectRequest{Context: why, NationalId: c.Dane.id()})},
		{RPC: verifyRPC, JSON: text(&identityv1.VerifyIdentityRequest{Context: why, NationalId: c.Dane.id(), FullName: c.Dane.Name})},
	}
}

func text(req proto.Message) string {
	return protojson.MarshalOptions{UseProtoNames: true}.Format(req)
}
