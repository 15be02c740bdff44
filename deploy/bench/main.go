// Command bench measures what the suite's services cost above the physical limit: a bare grpc-go echo over mutual TLS, with the
// same client, connections, load and message sizes, in rounds that alternate with the service's own.
//
//	go run ./deploy/bench                              all calls, 100 000 persons
//	go run ./deploy/bench --only identity.VerifyIdentity --json
//	go run ./deploy/bench --only identity              all calls of one service
//	go run ./deploy/bench --only ledger               records/s of the ledger beside bare Tessera, receipts from the event, checks of proofs
//	go run ./deploy/bench --only shipping             look-ups while records are shipped and while they wait
//	go run ./deploy/bench month                        a month of 10 000, 100 000 and 1 000 000 members beside one SQL statement
//	go run ./deploy/bench --compare                    the same look-ups against 1 000, 100 000 and 1 000 000 persons
//
// The program starts itself anew for the echo server and for the load, so that server and client are processes of their own
// for the echo as they are for a service.
package main

import (
	"context"
	"fmt"
	"os"

	"samvirke.dev/deploy/bench/internal/load"
	"samvirke.dev/deploy/bench/internal/suite"
	"samvirke.dev/services/platform/app"
)

// The roles in which the program starts itself.
const (
	roleEcho    = "echo-server"
	roleGateway = "echo-gateway"
	roleLoad    = "load"
)

func main() { app.Main("bench", run) }

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case roleEcho:
			return serveEcho(ctx, args[1:], os.Stdout)
		case roleGateway:
			return serveGateway(ctx, args[1:], os.Stdout)
		case roleLoad:
			return load.Serve(ctx, os.Stdin, os.Stdout, suite.Prepares())
		case roleMonth:
			return months(ctx, args[1:], os.Stdout, os.Stderr)
		case roleMonthOf:
			return monthOf(ctx, args[1:], os.Stdout, os.Stderr)
		}
	}
	opts, err := parse(args, os.Stderr)
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	rep, err := measure(ctx, exe, opts, os.Stderr)
	if err != nil {
		return err
	}
	if opts.json {
		return rep.JSON(os.Stdout)
	}
	return rep.Table(os.Stdout)
}
