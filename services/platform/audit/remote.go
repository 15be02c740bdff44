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
	conn   *grpc.ClientConn
	stream grpc.BidiStreamingClient[auditv1.ShipRequest, auditv1.ShipResponse]
	cancel context.CancelFunc
}

// NewRemote returns the sink at an address, host:port; the TLS configuration names our certificate and whom we expect there. Close it.
func NewRemote(address string, config *tls.Config) (*Remote, error) {
	conn, err := grpc.NewClient("dns:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		return nil, fmt.Errorf("audit service: %w", err)
	}
	return &Remote{conn: conn}, nil
}

// answerLimit is how long the receiver may take for one batch.
const answerLimit = 15 * time.Second

// Ship implements Sink.
func (r *Remote) Ship(ctx context.Context, records [][]byte) error {
	if r.stream == nil {
		// The stream outlasts this call.
		running, cancel := context.WithCancel(context.WithoutCancel(ctx))
		stream, err := auditv1.NewIngestServiceClient(r.conn).Ship(running)
		if err != nil {
			cancel()
			return err
		}
		r.stream, r.cancel = stream, cancel
	}
	answered := make(chan error, 1)
	go func(stream grpc.BidiStreamingClient[auditv1.ShipRequest, auditv1.ShipResponse]) {
		err := stream.Send(&auditv1.ShipRequest{Records: records})
		_, answer := stream.Recv()
		if answer != nil { // it says more than that nothing could be sent
			err = answer
		}
		answered <- err
	}(r.stream)
	limit, done := context.WithTimeout(ctx, answerLimit)
	defer done()
	select {
	case err := <-answered:
		if err != nil {
			r.hangUp()
		}
		return err
	case <-limit.Done():
		r.hangUp()
		<-answered //nolint:errcheck // the limit is what went wrong
		return limit.Err()
	}
}

func (r *Remote) hangUp() {
	r.cancel()
	r.stream, r.cancel = nil, nil
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
