// Command incomed is the income-register matching service.
package main

import (
	"context"
	"os"

	"samvirke.dev/services/income"
	"samvirke.dev/services/platform/app"
)

func main() {
	app.Main("incomed", func(ctx context.Context, args []string) error {
		return income.Main(ctx, args, os.Stdout, os.Stderr)
	})
}
