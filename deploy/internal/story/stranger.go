package story

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"

	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/deploy/internal/stack"
)

// strangerLimit is how long a stranger may try.
const strangerLimit = 5 * time.Second

// stranger shows a certificate that says the right name and comes from the wrong authority (SEC-01).
func (t *teller) stranger(ctx context.Context) error {
	t.number++
	t.unrecorded++
	say.F(t.out, "\n%2d  A stranger shows a certificate in the Danish fund's name, signed by an authority that nobody trusts\n", t.number)
	t.line("who", "unknown; the certificate says %s", t.name(t.cast.DanishFund))
	t.line("what", "a connection")
	ctx, cancel := context.WithTimeout(ctx, strangerLimit)
	defer cancel()
	// The same handshake succeeds with the right certificate; else a refusal would prove nothing.
	if err := t.suite.Handshake(ctx, stack.IdentityName, t.cast.Trusted); err != nil {
		return fmt.Errorf("the fund's own certificate is refused: %w", err)
	}
	refusal := t.suite.Handshake(ctx, stack.IdentityName, t.cast.Stranger)
	if refusal == nil {
		return errAnswered
	}
	t.line("refused", "at the TLS handshake, before any request is read: %v", refusal)
	if err := t.unanswered(ctx); err != nil {
		return err
	}
	t.line("audit", "none: there was no request and no caller to record. The service's log keeps the refusal:")
	if t.cast.HandshakeLog == nil {
		return nil
	}
	line, err := t.cast.HandshakeLog(ctx)
	if err != nil {
		return fmt.Errorf("no log line about the handshake: %w", err)
	}
	t.line("log", "%s", line)
	return nil
}

// unanswered makes a call with the stranger's certificate, which must not come through either.
func (t *teller) unanswered(ctx context.Context) error {
	conn, err := t.suite.DialAs(stack.IdentityName, t.cast.Stranger)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is in flight any more
	_, err = identityv1.NewIdentityServiceClient(conn).ResolveSubject(ctx, &identityv1.ResolveSubjectRequest{
		Context: because(t.cast.DanishFund, identification, "2026-106"), NationalId: t.cast.Dane.id(),
	})
	if status.Code(err) != codes.Unavailable {
		return fmt.Errorf("%w: %w", errAnswered, err)
	}
	return nil
}
