// Command vault brings a Vault to the state that the suite needs: authorities, signing roles, policies, AppRoles and key-encryption keys,
// from one file. It reads VAULT_ADDR, VAULT_TOKEN and VAULT_CACERT as Vault's own tools do. The policies themselves are code, in
// samvirke.dev/certs/bootstrap: each service may use its own role and its own keys, and nothing else.
package main

import (
	"context"
	"os"

	"samvirke.dev/services/platform/app"
)

func main() {
	app.Main("vault", func(ctx context.Context, args []string) error {
		return run(ctx, args, os.Getenv, os.Stdout)
	})
}
