package echo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
	"samvirke.dev/deploy/internal/localca"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
)

// Path is where the bare gateway takes the echo's requests: a POST with the message as JSON.
const Path = "/v1/echo"

const headerTimeout = 10 * time.Second

// Gateway is a bare grpc-gateway in front of an echo until ctx ends: mutual TLS on both sides and library defaults otherwise. It
// does what the gateway's generator would have written for one POST whose body is the message.
func Gateway(ctx context.Context, lis net.Listener, files localca.Files, backend string, expect workload.ID) error {
	conn, err := dial(files, backend, expect)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is in flight any more
	conf, err := serverConfig(files)
	if err != nil {
		return err
	}
	mux := runtime.NewServeMux()
	if err := mux.HandlePath(http.MethodPost, Path, forward(mux, conn)); err != nil {
		return fmt.Errorf("echo gateway: %w", err)
	}
	srv := &http.Server{Handler: mux, TLSConfig: conf, ReadHeaderTimeout: headerTimeout}
	// Closing ends Serve; there is nothing to do about an error of it.
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.ServeTLS(lis, "", ""); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("echo gateway: %w", err)
	}
	return nil
}

func dial(files localca.Files, backend string, expect workload.ID) (*grpc.ClientConn, error) {
	src, err := mtls.Files(files.Cert, files.Key, files.CA)
	if err != nil {
		return nil, err
	}
	conf, err := mtls.ClientConfig(src, expect)
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("passthrough:///"+backend, grpc.WithTransportCredentials(credentials.NewTLS(conf)))
	if err != nil {
		return nil, fmt.Errorf("echo gateway: connect: %w", err)
	}
	return conn, nil
}

// forward reads JSON, calls the echo, writes JSON.
func forward(mux *runtime.ServeMux, conn *grpc.ClientConn) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		in, out := runtime.MarshalerForRequest(mux, r)
		ctx, err := runtime.AnnotateContext(r.Context(), mux, r, Method, runtime.WithHTTPPathPattern(Path))
		if err != nil {
			runtime.HTTPError(r.Context(), mux, out, w, r, err)
			return
		}
		request, answer := new(wrapperspb.BytesValue), new(wrapperspb.BytesValue)
		if err := in.NewDecoder(r.Body).Decode(request); err != nil {
			runtime.HTTPError(ctx, mux, out, w, r, errs.New(commonv1.Reason_REASON_INVALID_REQUEST))
			return
		}
		var md runtime.ServerMetadata
		if err := conn.Invoke(ctx, Method, request, answer, grpc.Header(&md.HeaderMD), grpc.Trailer(&md.TrailerMD)); err != nil {
			runtime.HTTPError(ctx, mux, out, w, r, err)
			return
		}
		runtime.ForwardResponseMessage(runtime.NewServerMetadataContext(ctx, md), mux, out, w, r, answer)
	}
}
