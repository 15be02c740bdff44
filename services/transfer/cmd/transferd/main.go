// Command transferd is the service that moves members between unemployment funds.
package main

import (
	"context"
	"os"

	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/transfer"
)

func main() {
	app.Main("transferd", func(ctx context.Context, args []string) error {
		return transfer.Main(ctx, args, os.Stdout, os.Stderr)
	})
}
