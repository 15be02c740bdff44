package stack

import (
	"context"
	"strings"
)

// handshakeMessage is how the service's log begins to tell of a client that was refused at the TLS handshake.
const handshakeMessage = "handshake refused"

// HandshakeLog waits for a service's latest word about a refused handshake.
func (s *Stack) HandshakeLog(ctx context.Context, service string) (string, error) {
	return s.Service(service).Log.Wait(ctx, func(line string) bool { return strings.Contains(line, handshakeMessage) })
}
