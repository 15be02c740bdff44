// Command samvirke-verify checks receipts, checkpoints and exported logs of the ledger with its public keys alone: it speaks to no server and
// needs no secret.
package main

import (
	"context"
	"os"

	"samvirke.dev/services/audit/internal/verify"
	"samvirke.dev/services/platform/app"
)

func main() {
	app.Main("samvirke-verify", func(ctx context.Context, args []string) error {
		return verify.Main(ctx, args, os.Stdout)
	})
}
