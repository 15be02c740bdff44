package identity_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/identity"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/platform/suitetest"
	"samvirke.dev/services/platform/telemetry"
)

// raw sends and receives bytes as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, errors.New("want bytes")
	}
	return b, nil
}

func (raw) Unmarshal(b []byte, v any) error {
	out, ok := v.(*[]byte)
	if !ok {
		return errors.New("want bytes")
	}
	*out = append([]byte(nil), b...)
	return nil
}

func (raw) Name() string { return "proto" }

// answerLimit is the deadline of a random request. A machine that does something else beside us is slow, but a caller whose
// call hangs is told so by DEADLINE_EXCEEDED, which counts as a failure here.
const answerLimit = 30 * time.Second

// ask sends bytes to an RPC and returns the event id that it was recorded under, and the error.
func ask(ctx context.Context, conn *grpc.ClientConn, name string, body []byte) (event string, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	switch name {
	case batch:
		return askStream(ctx, conn, body)
	case changes:
		return askFeed(ctx, conn, body)
	}
	var answer []byte
	var trailer metadata.MD
	err = conn.Invoke(ctx, "/"+name, body, &answer, grpc.ForceCodec(raw{}), grpc.Trailer(&trailer))
	if ids := trailer.Get(rpc.EventIDTrailer); len(ids) == 1 {
		event = ids[0]
	}
	return event, err
}

func askStream(ctx context.Context, conn *grpc.ClientConn, body []byte) (event string, err error) {
	desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := conn.NewStream(ctx, desc, "/"+batch, grpc.ForceCodec(raw{}))
	if err != nil {
		return "", err
	}
	if err := stream.SendMsg(body); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if err := stream.CloseSend(); err != nil {
		return "", err
	}
	var answer []byte
	if err := stream.RecvMsg(&answer); err != nil {
		return eventOf(err), err
	}
	var response identityv1.BatchVerifyResponse
	if err := proto.Unmarshal(answer, &response); err != nil {
		return "", err
	}
	if err := stream.RecvMsg(&answer); !errors.Is(err, io.EOF) {
		return "", errors.Join(errors.New("the stream goes on"), err)
	}
	return response.GetEventId(), nil
}

// askFeed takes the first message of a feed, which would not end by itself.
func askFeed(ctx context.Context, conn *grpc.ClientConn, body []byte) (event string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/"+changes, grpc.ForceCodec(raw{}))
	if err != nil {
		return "", err
	}
	if err := stream.SendMsg(body); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if err := stream.CloseSend(); err != nil {
		return "", err
	}
	var answer []byte
	if err := stream.RecvMsg(&answer); err != nil {
		return eventOf(err), err
	}
	var response identityv1.StreamAddressChangesResponse
	err = proto.Unmarshal(answer, &response)
	return response.GetEventId(), err
}

// eventOf reads the event id out of an error.
func eventOf(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetMetadata()[errs.MetaEventID]
		}
	}
	return ""
}

// blames says whether a code lays the fault at our door. With keys, database and audit well, none of them is deliberate.
func blames(code codes.Code) bool {
	switch code {
	case codes.Internal, codes.Unknown, codes.DataLoss, codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Aborted:
		return true
	default:
		return false
	}
}

// mutator makes odd requests out of right ones. The same seed makes the same requests.
type mutator struct{ rng *rand.Rand }

// next returns a body for the RPC: bytes at random, a right request with bytes disturbed, or one whose fields were set at random.
func (m mutator) next(right proto.Message) ([]byte, error) {
	switch m.rng.IntN(8) {
	case 0:
		return m.bytes(m.rng.IntN(400)), nil
	case 1, 2, 3:
		body, err := proto.Marshal(right)
		for range 1 + m.rng.IntN(4) {
			body = m.disturb(body)
		}
		return body, err
	case 4:
		return proto.Marshal(right)
	default:
		odd := proto.Clone(right)
		for range 1 + m.rng.IntN(3) {
			m.scramble(odd.ProtoReflect())
		}
		return proto.MarshalOptions{AllowPartial: true}.Marshal(odd)
	}
}

func (m mutator) bytes(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(m.rng.Uint32())
	}
	return out
}

func (m mutator) disturb(body []byte) []byte {
	if len(body) == 0 {
		return m.bytes(4)
	}
	at := m.rng.IntN(len(body))
	switch m.rng.IntN(5) {
	case 0:
		body[at] ^= 1 << m.rng.IntN(8)
	case 1:
		return body[:at]
	case 2:
		return append(body[:at:at], append(m.bytes(1+m.rng.IntN(8)), body[at:]...)...)
	case 3:
		return append(body[:at:at], body[min(len(body), at+1+m.rng.IntN(8)):]...)
	default:
		return append(body, body[at:]...) // fields that come twice
	}
	return body
}

// scramble sets one field at random, at any depth.
func (m mutator) scramble(msg protoreflect.Message) {
	fields := msg.Descriptor().Fields()
	if fields.Len() == 0 {
		return
	}
	fd := fields.Get(m.rng.IntN(fields.Len()))
	switch {
	case m.rng.IntN(8) == 0:
		msg.Clear(fd)
	case fd.IsList():
		list := msg.Mutable(fd).List()
		for range m.rng.IntN(4) {
			if fd.Message() != nil {
				m.scramble(list.AppendMutable().Message())
			} else {
				list.Append(m.scalar(fd))
			}
		}
	case fd.Message() != nil:
		m.scramble(msg.Mutable(fd).Message())
	default:
		msg.Set(fd, m.scalar(fd))
	}
}

func (m mutator) scalar(fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(m.text())
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(m.rng.IntN(40) - 3))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32([]int32{0, 1, 12, 29, 31, 1980, 9999, -1, 1 << 30}[m.rng.IntN(9)])
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(m.rng.Int64())
	default:
		return fd.Default()
	}
}

// text is a string that some check may stumble over.
func (m mutator) text() string {
	switch m.rng.IntN(9) {
	case 8: // what a handle or a request id may look like
		const letters = "ABCXYZabcxyz0123456789._-"
		out := make([]byte, 10+m.rng.IntN(60))
		for i := range out {
			out[i] = letters[m.rng.IntN(len(letters))]
		}
		return string(out)
	case 0:
		digits := make([]byte, []int{10, 12, 6, 13}[m.rng.IntN(4)])
		for i := range digits {
			digits[i] = '0' + byte(m.rng.IntN(10))
		}
		return string(digits)
	case 1:
		return []string{"198503149802", "7403851013", "850314-9802", "850314+9802", "0101005038"}[m.rng.IntN(5)]
	case 2:
		return strings.Repeat("é", m.rng.IntN(300))
	case 3:
		return []string{"", " ", "\x00", "';--", "%s%n", "\u202e", "𝒜", "a\nb"}[m.rng.IntN(8)]
	case 4:
		return []string{fundDK, fundSE, "DK:", "SE:1", "address", "address.city", "a.b.c", invalidHandle, "k1.x"}[m.rng.IntN(9)]
	case 5:
		return strings.Repeat("x", m.rng.IntN(2000))
	default:
		letters := []rune("abcæøå019-_.:/")
		out := make([]rune, m.rng.IntN(40))
		for i := range out {
			out[i] = letters[m.rng.IntN(len(letters))]
		}
		return string(out)
	}
}

// Ten thousand odd requests an RPC: no panic, no code that blames us, always an answer in time, and every one left its record.
//
// covers: SEC-07
func TestRandomRequests(t *testing.T) {
	t.Parallel()
	each, workers := 10_000, 32
	if testing.Short() {
		each = 500
	}
	quiet := func(o *suitetest.Options, _ *identity.Config) { // fifty thousand lines about refusals would cost more than the calls
		o.Telemetry = func(c *telemetry.Config) { c.LogLevel = slog.LevelError }
	}
	w := start(t, quiet)
	person := line(0)
	w.load(person)
	caller, listener := w.as(fundDK), w.as(otherFund)
	right := requests(fundDK, person, caller.handle(person.Number))
	right[changes] = requests(otherFund, person, "")[changes] // of whom the others' requests change nothing, so that no second message comes
	before := events(w)
	var sent, fine, refused atomic.Int64
	var jobs sync.WaitGroup
	for n := range workers {
		jobs.Go(func() {
			m := mutator{rand.New(rand.NewPCG(46, uint64(n)))}
			for i := n; i < each*len(fundRPCs()) && !t.Failed(); i += workers {
				name := fundRPCs()[i%len(fundRPCs())]
				body, err := m.next(right[name])
				if err != nil && !errors.Is(err, proto.Error) { // text that is no UTF-8 can't be written at all
					t.Errorf("request %d: %v", i, err)
					return
				}
				conn := caller.conn
				if name == changes {
					conn = listener.conn
				}
				event, err := ask(t.Context(), conn, name, body)
				sent.Add(1)
				switch code := status.Code(err); {
				case blames(code):
					t.Errorf("%s answered %v to %x", name, err, body)
				case event == "":
					t.Errorf("%s named no event in its answer to %x: %v", name, body, err)
				case err == nil:
					fine.Add(1)
				default:
					refused.Add(1)
				}
			}
		})
	}
	jobs.Wait()
	if got := events(w) - before; got != sent.Load() {
		t.Errorf("%d requests left %d events", sent.Load(), got)
	}
	if sent.Load() != int64(each*len(fundRPCs())) || fine.Load() < sent.Load()/20 || refused.Load() < sent.Load()/4 {
		t.Errorf("%d sent, %d answered, %d refused: that proves little", sent.Load(), fine.Load(), refused.Load())
	}
	if logs := w.Logs.String(); strings.Contains(logs, "panicked") || strings.Contains(logs, "left no record") {
		t.Error("the log tells of a panic or of a message without a record")
	}
}

// events counts the exchanges that left records.
func events(w *world) int64 {
	seen := map[string]bool{}
	for _, r := range w.AllRecords() {
		seen[r.GetEventId()] = true
	}
	return int64(len(seen))
}

// records counts the audit records.
func records(t *testing.T, w *world) (n int64) {
	t.Helper()
	must(t, w.DB.QueryRow(t.Context(), "SELECT coalesce(sum(records), 0) FROM audit_outbox").Scan(&n))
	return n
}

// FuzzRequests sends whatever the fuzzer thinks of to every RPC.
func FuzzRequests(f *testing.F) {
	w := start(f)
	person := line(0)
	w.load(person)
	caller := w.as(fundDK)
	right := requests(fundDK, person, caller.handle(person.Number))
	m := mutator{rand.New(rand.NewPCG(1, 2))}
	for i, name := range fundRPCs() {
		body, err := proto.Marshal(right[name])
		must(f, err)
		f.Add(uint8(i), body)
		for range 5 {
			f.Add(uint8(i), m.disturb(append([]byte(nil), body...)))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		name := fundRPCs()[int(which)%len(fundRPCs())]
		before := records(t, w)
		event, err := ask(t.Context(), caller.conn, name, body)
		switch {
		case status.Code(err) == codes.ResourceExhausted && len(body) > 1<<20: // gRPC's own refusal; it names no event
		case blames(status.Code(err)):
			t.Errorf("%s answered %v", name, err)
		case event == "":
			t.Errorf("%s named no event: %v", name, err)
		case records(t, w) == before:
			t.Errorf("%s left no record of event %s", name, event)
		}
	})
}
