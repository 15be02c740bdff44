package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"google.golang.org/protobuf/encoding/protojson"

	"samvirke.dev/deploy/bench/internal/load"
	"samvirke.dev/deploy/internal/scene"
	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
)

// CallRESTVerify is a VerifyIdentity over REST, with the whole identity service behind the gateway; what it is measured against has a bare
// echo behind a bare gateway.
const CallRESTVerify = "gateway.VerifyIdentity"

const verifyRoute = "/v1/identities:verify"

func gatewayService() Service {
	return Service{
		Name: stack.GatewayName, Calls: []string{CallRESTVerify}, Baseline: load.CallEchoREST, Start: startGateway, Prepare: gatewayLanes,
	}
}

// startGateway starts the gateway in front of identityd with its persons imported.
func startGateway(ctx context.Context, in Stage) (*Running, error) {
	running, err := together(ctx, in, []string{stack.IdentityName, stack.GatewayName}, func(ctx context.Context, suite *stack.Stack, s *scene.Scene) (any, error) {
		data := identityData{Controller: s.Cast.DanishFund.Org(), LegalReference: story.LawDK}
		var err error
		data.People, err = importPeople(ctx, suite, in)
		return data, err
	})
	if err != nil {
		return nil, err
	}
	running.Connect.HTTP = true
	return running, nil
}

// gatewayLanes are the calls over REST, of a people file's persons.
func gatewayLanes(ctx context.Context, t *load.Target, data json.RawMessage) (map[string]load.Lane, error) {
	var conf identityData
	if err := json.Unmarshal(data, &conf); err != nil {
		return nil, fmt.Errorf("gateway: data: %w", err)
	}
	p, err := readPeople(ctx, t, conf)
	if err != nil {
		return nil, err
	}
	return map[string]load.Lane{CallRESTVerify: func(t *load.Target, i int) (load.Caller, error) {
		client, base, err := t.HTTP(i)
		if err != nil {
			return nil, err
		}
		ask, head := newAsker(p, i), []byte(nil)
		if head, err = protojson.Marshal(&identityv1.VerifyIdentityRequest{Context: p.verify}); err != nil {
			return nil, err
		}
		head = head[:len(head)-1] // what comes next is in the same object
		return &load.REST{Client: client, Method: http.MethodPost, Next: func() (string, []byte, func(http.Header, []byte) error) {
			who, name, want := ask.question()
			body := fmt.Appendf(bytes.Clone(head), `,"nationalId":{"country":%q,"value":%q},"fullName":%q}`, who.country.String(), who.number, name)
			return base + verifyRoute, body, func(_ http.Header, got []byte) error {
				var out struct {
					Verdict string `json:"verdict"`
				}
				if err := json.Unmarshal(got, &out); err != nil {
					return err
				}
				return sameVerdict(identityv1.Verdict(identityv1.Verdict_value[out.Verdict]), want)
			}
		}}, nil
	}}, nil
}
