// Command gatewayd is the REST gateway for partners.
package main

import (
	"context"
	"os"

	"samvirke.dev/gateway"
	"samvirke.dev/services/platform/app"
)

func main() {
	app.Main("gatewayd", func(ctx context.Context, args []string) error {
		return gateway.Main(ctx, args, os.Stdout, os.Stderr)
	})
}
