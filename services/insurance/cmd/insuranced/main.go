// Command insuranced is the insurance sharing service.
package main

import (
	"context"
	"os"

	"samvirke.dev/services/insurance"
	"samvirke.dev/services/platform/app"
)

func main() {
	app.Main("insuranced", func(ctx context.Context, args []string) error {
		return insurance.Main(ctx, args, os.Stdout, os.Stderr)
	})
}
