// Command identityd is the identity look-up service.
package main

import (
	"context"
	"os"

	"samvirke.dev/services/identity"
	"samvirke.dev/services/platform/app"
)

func main() {
	app.Main("identityd", func(ctx context.Context, args []string) error {
		return identity.Main(ctx, args, os.Stdout, os.Stderr)
	})
}
