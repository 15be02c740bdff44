package story

import (
	"context"
	"fmt"
	"time"

	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
)

// strangerLimit is how long a stranger may try.
const strangerLimit = 5 * time.Second

// stranger shows a certificate that says the right name and comes from the wrong authority (SEC-01).
func (t *teller) stranger(ctx context.Context) error {
	t.number++
	fmt.Fprintf(t.out, "\n%2d  A stranger shows a certificate in the Danish fund's name, signed by an authority that nobody trusts\n", t.number)
	t.line("who", "unknown; the certificate says %s", t.name(t.cast.DanishFund))
	t.line("what", "a connection")
	conn, err := t.suite.DialAs(t.cast.Stranger)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, strangerLimit)
	defer cancel()
	why := because(t.cast.DanishFund, identification, "2026-106")
	_, err = identityv1.NewIdentityServiceClient(conn).ResolveSubject(ctx, &identityv1.ResolveSubjectRequest{
		Context: why, NationalId: t.cast.Dane.id(),
	})
	if err == nil {
		return errAnswered
	}
	t.line("refused", "at the TLS handshake, before any request is read: %v", err)
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
