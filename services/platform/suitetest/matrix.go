// Package suitetest holds what every service's tests share: above all the permission matrix, which calls every RPC as every
// kind of caller and compares the answers with a table that can be shown to a customer.
package suitetest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"samvirke.dev/services/platform/authz"
)

// Caller is one kind of caller.
type Caller struct {
	Name string
	TLS  *tls.Config
}

// Matrix is a permission table to be checked.
type Matrix struct {
	Addr    string
	Methods authz.Methods
	Callers []Caller
	// Request returns a request that is right but for who sends it; nil fails the test, so that no RPC is forgotten.
	Request func(method *authz.Method, caller string) proto.Message
	// Golden is the file with the expected table; Update rewrites it instead of comparing.
	Golden string
	Update bool
}

// Check walks every method as every caller. A method or caller that the table lacks, and one that it has too much, fail alike.
//
// covers: SEC-01 SEC-02
func (m Matrix) Check(t *testing.T) {
	t.Helper()
	got := m.table(t)
	if m.Update {
		if err := os.WriteFile(m.Golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(m.Golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("the permission table has changed.\nwant:\n%s\ngot:\n%s", want, got)
	}
}

func (m Matrix) table(t *testing.T) string {
	t.Helper()
	var names []string
	for _, method := range m.Methods {
		if !strings.HasPrefix(method.Name, "grpc.reflection.") { // a long-lived stream; it is open to whoever health is
			names = append(names, method.FullName)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString("| caller |")
	for _, name := range names {
		fmt.Fprintf(&b, " %s |", name[strings.LastIndexByte(name, '/')+1:])
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(names)) + "\n")
	for _, caller := range m.Callers {
		fmt.Fprintf(&b, "| %s |", caller.Name)
		conn := dial(t, m.Addr, caller.TLS)
		for _, name := range names {
			fmt.Fprintf(&b, " %s |", m.cell(t, conn, m.Methods[name], caller.Name))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func dial(t *testing.T, addr string, config *tls.Config) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

func (m Matrix) cell(t *testing.T, conn *grpc.ClientConn, method *authz.Method, caller string) string {
	t.Helper()
	request := proto.Message(&emptypb.Empty{})
	if !method.Open {
		if request = m.Request(method, caller); request == nil {
			t.Fatalf("no request for %s", method.FullName)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	return word(call(ctx, conn, method, request))
}

// call makes one exchange: for a stream, one message and its answer.
func call(ctx context.Context, conn *grpc.ClientConn, method *authz.Method, request proto.Message) error {
	desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := conn.NewStream(ctx, desc, method.FullName)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	return stream.RecvMsg(&emptypb.Empty{})
}

// word is what a cell says: yes, the reason of a refusal, or that no RPC was reached at all.
func word(err error) string {
	s := status.Convert(err)
	if err == nil || errors.Is(err, io.EOF) {
		return "yes"
	}
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	if s.Code() == codes.Unavailable {
		return "no connection"
	}
	return s.Code().String()
}
