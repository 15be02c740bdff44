// Package echo is the benchmark's physical limit: a grpc-go server with mutual TLS and library defaults that does nothing
// but answer with as many bytes as it is asked for. Whatever a service of ours costs above it is ours.
package echo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"samvirke.dev/deploy/internal/localca"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
)

// Method is the full name of the one RPC. It takes and gives google.protobuf.BytesValue, so it needs no schema of its own.
const Method = "/samvirke.bench.v1.EchoService/Echo"

// head is how many bytes of the request say how long the answer shall be.
const head = 4

// maxAnswer bounds what a request can make the server allocate.
const maxAnswer = 1 << 20

// Request makes a message of about size bytes on the wire that asks for an answer of about answer bytes.
func Request(size, answer int) *wrapperspb.BytesValue {
	b := make([]byte, max(payload(size), head))
	binary.BigEndian.PutUint32(b, uint32(max(answer, 0))) //nolint:gosec // a message's size
	return &wrapperspb.BytesValue{Value: b}
}

// Answered reports whether an answer has the length that Request asked for.
func Answered(resp *wrapperspb.BytesValue, answer int) bool {
	return len(resp.GetValue()) == payload(answer)
}

// AnswerLen is how many bytes an answer holds that was asked for with Request.
func AnswerLen(answer int) int { return payload(answer) }

// payload is what remains of a message's size when the field's tag and length are taken off.
func payload(size int) int {
	if size <= 129 {
		return max(size-2, 0)
	}
	return size - 3
}

// Serve answers on lis until ctx ends. No server option is set but the credentials.
func Serve(ctx context.Context, lis net.Listener, files localca.Files) error {
	conf, err := serverConfig(files)
	if err != nil {
		return err
	}
	srv := grpc.NewServer(grpc.Creds(credentials.NewTLS(conf)))
	srv.RegisterService(&grpc.ServiceDesc{
		ServiceName: "samvirke.bench.v1.EchoService",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Echo", Handler: handle}},
	}, struct{}{})
	stop := context.AfterFunc(ctx, srv.Stop)
	defer stop()
	if err := srv.Serve(lis); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("echo server: %w", err)
	}
	return nil
}

//nolint:revive // the signature is the library's
func handle(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	in := new(wrapperspb.BytesValue)
	if err := decode(in); err != nil {
		return nil, err
	}
	if len(in.GetValue()) < head {
		return nil, errs.New(commonv1.Reason_REASON_INVALID_REQUEST)
	}
	n := payload(int(binary.BigEndian.Uint32(in.GetValue())))
	if n > maxAnswer {
		return nil, errs.New(commonv1.Reason_REASON_INVALID_REQUEST)
	}
	if n <= len(in.GetValue()) {
		return &wrapperspb.BytesValue{Value: in.GetValue()[:n]}, nil
	}
	return &wrapperspb.BytesValue{Value: make([]byte, n)}, nil
}

// serverConfig is mutual TLS 1.3 with the library's own means, and nothing of samvirke.dev/certs: the limit is to be
// bare.
func serverConfig(files localca.Files) (*tls.Config, error) {
	leaf, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil, fmt.Errorf("echo certificate: %w", err)
	}
	anchor, err := os.ReadFile(files.CA)
	if err != nil {
		return nil, fmt.Errorf("echo trust anchor: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(anchor) {
		return nil, errors.New("echo trust anchor: no certificate in the file")
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{leaf},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
	}, nil
}
