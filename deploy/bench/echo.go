package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"time"

	"samvirke.dev/certs/workload"
	"samvirke.dev/deploy/bench/internal/echo"
	"samvirke.dev/deploy/bench/internal/load"
	"samvirke.dev/deploy/bench/internal/suite"
	"samvirke.dev/deploy/internal/localca"
	"samvirke.dev/deploy/internal/proc"
	"samvirke.dev/services/platform/clock"
)

const (
	benchDomain = "bench.samvirke.example"
	certLife    = 12 * time.Hour
	startLimit  = 30 * time.Second
	stopLimit   = 10 * time.Second
)

// serving is the line with which a server of ours says that it is ready.
type serving struct {
	Msg  string `json:"msg"`
	Addr string `json:"addr"`
}

// serveEcho is the role of the echo server.
func serveEcho(ctx context.Context, args []string, out io.Writer) error {
	files, _, err := serverFlags(roleEcho, args)
	if err != nil {
		return err
	}
	lis, err := announce(ctx, out)
	if err != nil {
		return err
	}
	return echo.Serve(ctx, lis, files)
}

// serveGateway is the role of the bare gateway in front of it.
func serveGateway(ctx context.Context, args []string, out io.Writer) error {
	files, backend, err := serverFlags(roleGateway, args)
	if err != nil {
		return err
	}
	id, err := workload.Parse(benchID(roleEcho))
	if err != nil {
		return err
	}
	lis, err := announce(ctx, out)
	if err != nil {
		return err
	}
	return echo.Gateway(ctx, lis, files, backend, id)
}

func serverFlags(role string, args []string) (files localca.Files, backend string, err error) {
	fs := flag.NewFlagSet(role, flag.ContinueOnError)
	fs.StringVar(&files.Cert, "cert", "", "certificate file")
	fs.StringVar(&files.Key, "key", "", "key file")
	fs.StringVar(&files.CA, "ca", "", "trust anchor file")
	fs.StringVar(&backend, "backend", "", "address of the echo behind a gateway")
	return files, backend, fs.Parse(args)
}

// announce listens and says where.
func announce(ctx context.Context, out io.Writer) (net.Listener, error) {
	lis, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if err := json.NewEncoder(out).Encode(serving{Msg: "serving", Addr: lis.Addr().String()}); err != nil {
		return nil, errors.Join(fmt.Errorf("announce: %w", err), lis.Close())
	}
	return lis, nil
}

// echoTargets starts the echo server, and the gateway when it is wanted, and connects the load process to them.
func (b *bench) echoTargets(ctx context.Context) error {
	ca, err := localca.New(clock.System(), "benchmark", certLife)
	if err != nil {
		return err
	}
	client, err := b.leaf(ca, roleLoad)
	if err != nil {
		return err
	}
	var addr string
	if b.echo, addr, err = b.server(ctx, ca, roleEcho); err != nil {
		return err
	}
	err = b.connect(load.Connect{Target: load.CallEcho, Addr: addr, ServerID: benchID(roleEcho), Files: client})
	if err != nil || !b.needsGateway() {
		return err
	}
	if b.gateway, addr, err = b.server(ctx, ca, roleGateway, "--backend", addr); err != nil {
		return err
	}
	return b.connect(load.Connect{Target: load.CallEchoREST, Addr: addr, ServerID: benchID(roleGateway), Files: client, HTTP: true})
}

// needsGateway says whether anything is measured that the bare gateway has a part in.
func (b *bench) needsGateway() bool {
	return b.opts.wants(load.CallEchoREST) || slices.ContainsFunc(suite.All(), func(s suite.Service) bool {
		return s.Baseline == load.CallEchoREST && len(s.Wanted(b.opts.only)) > 0
	})
}

func (b *bench) connect(c load.Connect) error {
	c.Conns = b.opts.conns
	_, err := b.load.Do(load.Command{Connect: &c})
	return err
}

// server starts this program in a role of its own and returns where it listens.
func (b *bench) server(ctx context.Context, ca *localca.CA, role string, args ...string) (*proc.Process, string, error) {
	files, err := b.leaf(ca, role)
	if err != nil {
		return nil, "", err
	}
	lines := &proc.Lines{}
	p, err := proc.Start(proc.Spec{
		Name: role, Path: b.exe, Stdout: lines, Stderr: lines,
		Args: append([]string{role, "--cert", files.Cert, "--key", files.Key, "--ca", files.CA}, args...),
	})
	if err != nil {
		return nil, "", err
	}
	b.closers = append(b.closers, p.Stop)
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	line, err := lines.Wait(ctx, func(s string) bool { return parseServing(s).Addr != "" })
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("%s: %w", role, err), errors.New(lines.Tail(5)))
	}
	return p, parseServing(line).Addr, nil
}

func (b *bench) leaf(ca *localca.CA, name string) (localca.Files, error) {
	id, err := workload.Parse(benchID(name))
	if err != nil {
		return localca.Files{}, err
	}
	return ca.Issue(filepath.Clean(b.dir), name, id, certLife)
}

// benchID is the identity of a role.
func benchID(name string) string { return "spiffe://" + benchDomain + "/svc/" + name }

func parseServing(line string) serving {
	var s serving
	if err := json.Unmarshal([]byte(line), &s); err != nil || s.Msg != "serving" {
		return serving{}
	}
	return s
}
