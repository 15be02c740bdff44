package e2e_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"samvirke.dev/deploy/internal/stack"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// hangUp closes a connection.
func hangUp(t *testing.T, conn *grpc.ClientConn) {
	t.Helper()
	if err := conn.Close(); err != nil {
		t.Errorf("hang up: %v", err)
	}
}

// askOnce makes one call on a connection.
func (l *load) askOnce(ctx context.Context, conn *grpc.ClientConn) error {
	return l.calls(ctx, identityv1.NewIdentityServiceClient(conn), 0, 1)
}

// fresh makes one call on a connection of its own.
func (f *fixture) fresh(t *testing.T) error {
	t.Helper()
	conn, err := f.Dial(stack.IdentityName, f.scene.Cast.DanishFund)
	must(t, err)
	defer hangUp(t, conn)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	return newLoad(f).askOnce(ctx, conn)
}

// handle asks for the Danish fund's handle for the Dane.
func (f *fixture) handle(t *testing.T) string {
	t.Helper()
	cast := f.scene.Cast
	conn, err := f.Dial(stack.IdentityName, cast.DanishFund)
	must(t, err)
	defer hangUp(t, conn)
	resp, err := identityv1.NewIdentityServiceClient(conn).ResolveSubject(t.Context(), &identityv1.ResolveSubjectRequest{
		Context:    newLoad(f).because(vocabularyv1.Purpose_PURPOSE_IDENTIFICATION, 0, 0),
		NationalId: &commonv1.NationalId{Country: vocabularyv1.Country_COUNTRY_DK, Value: cast.Dane.Number},
	})
	must(t, err)
	return resp.GetHandle()
}

// logged says whether the service has complained of something at warning level or above.
func (f *fixture) logged(about string) bool {
	for _, line := range f.Service(stack.IdentityName).Log.All() {
		if strings.Contains(line, about) && (strings.Contains(line, `"WARN"`) || strings.Contains(line, `"ERROR"`)) {
			return true
		}
	}
	return false
}
