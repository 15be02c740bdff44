package insurance_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// FuzzRequest sends whatever the fuzzer thinks of to every RPC that takes one message, through the whole chain. No answer blames us, and none
// repeats the request.
func FuzzRequest(f *testing.F) {
	w := start(f)
	fund, _ := offers(w)
	_, err := fund.load(member(0), member(1))
	must(f, err)
	all := right(fund, fund.sent(fund.offer(), agency, 0))
	delete(all, memberService+"ImportMembers")
	names := slices.Sorted(maps.Keys(all))
	for i, name := range names {
		body, err := proto.Marshal(all[name])
		must(f, err)
		f.Add(uint8(i), body)
	}
	conns := map[bool]*grpc.ClientConn{false: w.Dial(w.workloadOf(fundDK)), true: w.Dial(w.workloadOf(agency))}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		name := names[int(which)%len(names)]
		var answer []byte
		err := conns[strings.HasPrefix(name, shareService)].Invoke(t.Context(), "/"+name, body, &answer, grpc.ForceCodec(raw{}))
		switch status.Code(err) { //nolint:exhaustive // the others are deliberate
		case codes.Internal, codes.Unknown, codes.DataLoss, codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
			t.Errorf("%s: %v", name, err)
		}
	})
}
