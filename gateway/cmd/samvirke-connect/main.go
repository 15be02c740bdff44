// Command samvirke-connect checks whether a partner's system can call the gateway, and says what to mend where it can't.
//
//	samvirke-connect --url https://rest.samvirke.example --cert cert.pem --key key.pem --ca ca.pem --controller DK:10000017
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"samvirke.dev/gateway/internal/connect"
	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/clock"
)

func main() {
	app.Main("samvirke-connect", func(ctx context.Context, args []string) error { return run(ctx, args, os.Stdout) })
}

func run(ctx context.Context, args []string, out io.Writer) error {
	cfg := connect.Config{Clock: clock.System()}
	fs := flag.NewFlagSet("samvirke-connect", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.StringVar(&cfg.URL, "url", "", "https address of the gateway")
	fs.StringVar(&cfg.Cert, "cert", "cert.pem", "file with your certificate")
	fs.StringVar(&cfg.Key, "key", "key.pem", "file with its key")
	fs.StringVar(&cfg.CA, "ca", "ca.pem", "file with the operator's trust anchors")
	fs.StringVar(&cfg.Controller, "controller", "", "organisation that you have an agreement with, such as DK:10000017; without it the agreement is not checked")
	fs.StringVar(&cfg.Route, "route", "/v1/shares:fetch", "route that the agreement should grant")
	if err := fs.Parse(args); err != nil {
		return err
	}
	ok := true
	for _, f := range connect.Check(ctx, cfg) {
		mark := "ok  "
		if !f.OK {
			mark, ok = "MEND", false
		}
		if err := errors.Join(say(out, "%s  %-20s %s\n", mark, f.Name, f.Detail), mend(out, f.Mend)); err != nil {
			return err
		}
	}
	if !ok {
		return errors.New("something must be mended; see above")
	}
	return say(out, "\nAll is well: this system can call the gateway.\n")
}

func mend(out io.Writer, what string) error {
	if what == "" {
		return nil
	}
	return say(out, "      %-20s %s\n", "what to do", what)
}

func say(out io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(out, format, args...)
	return err
}
