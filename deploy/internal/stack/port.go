package stack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports for services are taken from below those that operating systems give to outgoing connections, so that one that was free is still
// free when its service starts, and again when it starts anew: the others know its address.
const (
	firstPort = 20_000
	lastPort  = 32_000
	portTries = 200
)

// freeAddr is an address of the loopback interface on which nobody listens.
func freeAddr(ctx context.Context, taken map[string]bool) (string, error) {
	for range portTries {
		port := firstPort + rand.IntN(lastPort-firstPort) //nolint:gosec // any port will do
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if taken[addr] {
			continue
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return "", fmt.Errorf("free port: %w", err)
		}
		taken[addr] = true
		return addr, nil
	}
	return "", errors.New("free port: none found")
}
