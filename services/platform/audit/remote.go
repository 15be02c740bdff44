package audit

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
)

// Remote is the audit service as a Sink, over one stream that is opened anew when it breaks. It is for one user at a time.
type Remote struct {
	conn    *grpc.ClientConn
	stream  grpc.BidiStreamingClient[auditv1.ShipRequest, auditv1.ShipResponse]
	running context.Context // the stream's; ends when we hang up
	cancel  context.CancelFunc
}

// NewRemote returns the sink at an address, host:port; the TLS configuration names our certificate and whom we expect there. Close it.
func NewRemote(address string, config *tls.Config) (*Remote, error) {
	conn, err := grpc.NewClient("dns:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		return nil, fmt.Errorf("audit service: %w", err)
	}
	return &Remote{conn: conn}, nil
}

// answerLimit is how long the receiver may take for one answer.
const answerLimit = 15 * time.Second

// Ship implements Sink: it sends all batches without waiting for an answer in between. The receiver answers them in their order.
func (r *Remote) Ship(ctx context.Context, batches [][][]byte) (durable int, err error) {
	if err := r.open(ctx); err != nil {
		return 0, err
	}
	answers := make(chan error)
	ended := r.running.Done()
	go exchange(r.stream, batches, answers, ended)
	limit := time.NewTimer(answerLimit)
	defer limit.Stop()
	for ; durable < len(batches); durable++ {
		select {
		case err = <-answers:
		case <-ctx.Done():
			err = ctx.Err()
		case <-limit.C:
			err = context.DeadlineExceeded
		}
		if err != nil {
			r.hangUp()
			return durable, err
		}
		limit.Reset(answerLimit)
	}
	return durable, nil
}

// open makes the stream unless there is one. It outlasts the call in which it was made.
func (r *Remote) open(ctx context.Context) error {
	if r.stream != nil {
		return nil
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stream, err := auditv1.NewIngestServiceClient(r.conn).Ship(running)
	if err != nil {
		cancel()
		return err
	}
	r.stream, r.running, r.cancel = stream, running, cancel
	return nil
}

// exchange sends batches and passes the answers on, one each, until the first that is an error, or the stream's end.
func exchange(
	stream grpc.BidiStreamingClient[auditv1.ShipRequest, auditv1.ShipResponse], batches [][][]byte, answers chan<- error, ended <-chan struct{},
) {
	go func() {
		for _, records := range batches {
			if stream.Send(&auditv1.ShipRequest{Records: records}) != nil {
				return // the receiving half says why
			}
		}
	}()
	for range batches {
		_, err := stream.Recv()
		select {
		case answers <- err:
		case <-ended:
			return
		}
		if err != nil {
			return
		}
	}
}

func (r *Remote) hangUp() {
	r.cancel()
	r.stream, r.running, r.cancel = nil, nil, nil
}

// Close ends the connection.
func (r *Remote) Close() error {
	if r.stream != nil {
		err := r.stream.CloseSend()
		r.hangUp()
		return errors.Join(err, r.conn.Close())
	}
	return r.conn.Close()
}

var _ Sink = (*Remote)(nil)
