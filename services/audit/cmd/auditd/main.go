// Command auditd is the audit service.
package main

import (
	"context"
	"os"

	"samvirke.dev/services/audit"
	"samvirke.dev/services/platform/app"
)

func main() {
	app.Main("auditd", func(ctx context.Context, args []string) error {
		return audit.Main(ctx, args, os.Stdout, os.Stderr)
	})
}
