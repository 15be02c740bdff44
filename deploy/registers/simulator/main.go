// Command simulator runs the register simulators until it is told to stop.
//
//	go run ./deploy/registers/simulator --cert server.pem --key server-key.pem --client-ca clients.pem --deliveries DIR
//
// It prints one line for each service when it is ready: `spar URL`, `sf1520 URL`, `sf1520v5 URL`, `subscription URL`, `eindkomst URL`, `admin
// URL`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/deploy/registers"
	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/clock"
)

func main() {
	app.Main("simulator", func(ctx context.Context, args []string) error {
		return run(ctx, args, os.Stdout, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	})
}

// options are the command line.
type options struct {
	cfg                 registers.Config
	cert, key, clientCA string
	signing             bool
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("simulator", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.StringVar(&o.cfg.SPAR, "spar-listen", "127.0.0.1:0", "address of SPAR; port 0 takes a free one")
	fs.StringVar(&o.cfg.SF1520, "sf1520-listen", "127.0.0.1:0", "address of SF1520 and of the subscription service")
	fs.StringVar(&o.cfg.Admin, "admin-listen", "127.0.0.1:0", "loopback address of the admin interface; empty for none")
	fs.StringVar(&o.cfg.Income.Listen, "eindkomst-listen", "127.0.0.1:0", "address of eIndkomst; empty for none")
	fs.StringVar(&o.cfg.Income.Path, "eindkomst-path", "", "path of eIndkomst; SKAT's own when empty")
	fs.BoolVar(&o.cfg.Income.PositiveReversals, "eindkomst-positive-reversals", false, "write the figures of eIndkomst's reversals without sign")
	fs.BoolVar(&o.signing, "eindkomst-signed", false, "eIndkomst signs with --cert, whose key is RSA then, and wants signed requests")
	fs.StringVar(&o.cfg.SF1520Path, "sf1520-path", "", "path of SF1520 version 4; the register's own when empty")
	fs.StringVar(&o.cfg.SF1520V5Path, "sf1520-v5-path", "", "path of SF1520 version 5; the register's own when empty")
	fs.StringVar(&o.cfg.SubscriptionPath, "subscription-path", "", "path of the subscription service; its own when empty")
	fs.Func("spar-path", "path of SPAR, may be given several times; the register's own when not given", func(path string) error {
		o.cfg.SPARPaths = append(o.cfg.SPARPaths, path)
		return nil
	})
	fs.StringVar(&o.cert, "cert", "", "the server's certificate with its chain, PEM")
	fs.StringVar(&o.key, "key", "", "the key of the certificate, PEM")
	fs.StringVar(&o.clientCA, "client-ca", "", "the authorities whose clients are let in, PEM")
	fs.StringVar(&o.cfg.Deliveries, "deliveries", "", "existing folder for CPR Direkte's deliveries")
	if err := fs.Parse(args); err != nil {
		return options{}, err
	}
	if fs.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if o.cfg.Deliveries == "" {
		return options{}, errors.New("--deliveries is missing")
	}
	return o, nil
}

// run is the whole program.
func run(ctx context.Context, args []string, out io.Writer, log *slog.Logger) error {
	o, err := parse(args, out)
	if err != nil {
		return err
	}
	if o.cfg.TLS, err = registers.LoadTLS(o.cert, o.key, o.clientCA); err != nil {
		return err
	}
	if o.signing {
		o.cfg.Income.Signing = &o.cfg.TLS.Certificates[0]
	}
	s, err := registers.New(o.cfg, registers.Deps{Clock: clock.System(), Logger: log})
	if err != nil {
		return err
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	defer s.Close()
	say.F(out, "spar %s\nsf1520 %s\nsf1520v5 %s\nsubscription %s\n", s.SPARURL(), s.SF1520URL(), s.SF1520V5URL(), s.SubscriptionURL())
	if url := s.EIndkomstURL(); url != "" {
		say.F(out, "eindkomst %s\n", url)
	}
	if s.AdminAddr() != "" {
		say.F(out, "admin http://%s\n", s.AdminAddr())
	}
	<-ctx.Done()
	return nil
}
