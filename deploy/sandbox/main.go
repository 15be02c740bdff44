// Command sandbox starts the whole suite on a machine with nothing but Go, tells one story through it, and stays up for you to
// try it yourself.
//
//	go run ./deploy/sandbox                   until Ctrl-C
//	go run ./deploy/sandbox --once            ends after the story; exit code 0 only when every step ended as it must
//	go run ./deploy/sandbox --db postgres://… on PostgreSQL; give it an empty database, it is yours afterwards
//	go run ./deploy/sandbox --vault real      with a real Vault server, built once into the user's cache
//	VAULT_ADDR=… VAULT_TOKEN=… VAULT_CACERT=… go run ./deploy/sandbox    with a Vault of yours
//
// Every service is a process of its own. The default Vault is a development server in this process, which needs no
// installation and forgets everything at the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/services/platform/app"
)

func main() {
	app.Main("sandbox", func(ctx context.Context, args []string) error { return run(ctx, args, os.Stdout, os.Getenv) })
}

// The kinds of Vault that --vault takes.
const (
	vaultAuto = "auto"
	vaultDev  = "dev"
	vaultReal = "real"
)

// options are the command line.
type options struct {
	once   bool
	db     string
	vault  string
	binary string
	dir    string
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.BoolVar(&o.once, "once", false, "end after the story")
	fs.StringVar(&o.db, "db", "", "database URL of an empty PostgreSQL database; SQLite when empty")
	fs.StringVar(&o.vault, "vault", vaultAuto, "dev, real, or auto: the Vault at VAULT_ADDR where that is set, else dev")
	fs.StringVar(&o.binary, "vault-binary", "", "with --vault real: a Vault server that is built already")
	fs.StringVar(&o.dir, "dir", "", "folder for data, certificates and logs, kept; must be new; a temporary one when empty")
	if err := fs.Parse(args); err != nil {
		return options{}, err
	}
	if fs.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	switch o.vault {
	case vaultAuto, vaultDev, vaultReal:
		return o, nil
	default:
		return options{}, fmt.Errorf("--vault %s: want dev, real or auto", o.vault)
	}
}

// run is the whole program: everything up, story, and down again.
func run(ctx context.Context, args []string, out io.Writer, env func(string) string) (err error) {
	opts, err := parse(args, out)
	if err != nil {
		return err
	}
	s := &sandbox{opts: opts, env: env, out: out}
	defer func() {
		if closing := s.close(context.WithoutCancel(ctx)); closing != nil {
			err = errors.Join(err, closing)
		}
	}()
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.tell(ctx); err != nil {
		return err
	}
	if opts.once {
		return nil
	}
	s.explain()
	<-ctx.Done()
	say.F(out, "\nending\n")
	return nil
}
