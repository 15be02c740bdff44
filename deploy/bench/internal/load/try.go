package load

import (
	"context"
	"time"

	"google.golang.org/grpc"
)

// Try makes the calls of a lane against a connection for a while, four at a time, as a run does. It lets tests of a service's calls show
// that wrong answers get no figure.
func Try(ctx context.Context, conn *grpc.ClientConn, prepare Prepare, data []byte, call string, d time.Duration) (*Result, error) {
	w := NewWorker(map[string]Prepare{"": prepare})
	w.targets[""] = &Target{conns: []*grpc.ClientConn{conn}}
	if _, err := w.execute(ctx, Command{Ready: &Ready{Data: data}}); err != nil {
		return nil, err
	}
	const inFlight = 4
	return w.run(ctx, Run{Call: call, InFlight: inFlight, Millis: int(d.Milliseconds())})
}
