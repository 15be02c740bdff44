package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/deploy/internal/scene"
	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
	"samvirke.dev/services/platform/clock"
)

// stopLimit is how long services may take to end in order.
const stopLimit = 10 * time.Second

// sandbox is a suite that runs.
type sandbox struct {
	opts  options
	env   func(string) string
	out   io.Writer
	begin time.Time

	dir      string
	binaries map[string]string
	vault    *stack.Vault
	// registers are the population registers, in this process.
	registers *stack.Registers
	suite     *stack.Stack
	scene     *scene.Scene
	closers   []func(context.Context) error
}

// part is something that must be brought up.
type part struct {
	what string
	do   func(context.Context) error
}

func (s *sandbox) parts() []part {
	return []part{
		{"folder", s.folder},
		{"build the services", s.build},
		{"start Vault", s.startVault},
		{"start SPAR and CPR (simulated)", s.startRegisters},
		{"authorities, keys, certificates, agreements", s.prepare},
		{"import test persons", func(ctx context.Context) error { return s.scene.Import(ctx, s.suite) }},
		{"start the services", s.startServices},
	}
}

// start brings everything up, with a line of progress for each part.
func (s *sandbox) start(ctx context.Context) error {
	clk := clock.System()
	s.begin = clk.Now()
	var err error
	if s.scene, err = scene.Load(); err != nil {
		return err
	}
	for _, p := range s.parts() {
		say.F(s.out, "%-46s", p.what)
		began := clk.Now()
		if err := p.do(ctx); err != nil {
			say.F(s.out, "failed\n")
			return err
		}
		say.F(s.out, "%6.1f s\n", clk.Now().Sub(began).Seconds())
	}
	return nil
}

// folder is where everything lies: a new one, since keys of an earlier run would not fit this Vault.
func (s *sandbox) folder(context.Context) error {
	var err error
	if s.opts.dir == "" {
		if s.dir, err = os.MkdirTemp("", "samvirke-sandbox-"); err != nil {
			return fmt.Errorf("folder: %w", err)
		}
		s.closers = append(s.closers, func(context.Context) error { return os.RemoveAll(s.dir) })
		return nil
	}
	if s.dir, err = filepath.Abs(s.opts.dir); err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	return nil
}

func (s *sandbox) build(ctx context.Context) (err error) {
	// The go command's own words come with its error; silence otherwise, since the line is one of progress.
	s.binaries, err = stack.BuildAll(ctx, s.scene.Config(nil).Programs, filepath.Join(s.dir, "bin"), io.Discard)
	return err
}

func (s *sandbox) startVault(ctx context.Context) error {
	var err error
	switch {
	case s.opts.vault == vaultReal:
		s.vault, err = s.realVault(ctx)
	case s.opts.vault == vaultAuto && s.env("VAULT_ADDR") != "":
		s.vault, err = stack.OutsideVault(s.env)
	default:
		s.vault, err = stack.DevVault()
	}
	if err != nil {
		return err
	}
	s.closers = append(s.closers, func(context.Context) error { return s.vault.Close() })
	return nil
}

func (s *sandbox) realVault(ctx context.Context) (*stack.Vault, error) {
	binary := s.opts.binary
	if binary == "" {
		dir, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "samvirke.dev/deploy").Output()
		if err != nil {
			return nil, fmt.Errorf("find the tool module of Vault: %w", err)
		}
		say.F(s.out, "\n")
		if binary, err = stack.BuildVault(ctx, filepath.Join(strings.TrimSpace(string(dir)), "tools", "vault"), s.out); err != nil {
			return nil, err
		}
	}
	return stack.RealVault(ctx, binary, filepath.Join(s.dir, "vault"))
}

// startRegisters starts the population registers. Their log is one file, so that the story can be read.
func (s *sandbox) startRegisters(ctx context.Context) error {
	file, err := os.OpenFile(filepath.Join(s.dir, "registers.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("log file: %w", err)
	}
	s.closers = append(s.closers, func(context.Context) error { return file.Close() })
	dir := filepath.Join(s.dir, "registers")
	if s.registers, err = stack.StartRegisters(ctx, dir, slog.New(slog.NewJSONHandler(file, nil))); err != nil {
		return err
	}
	s.closers = append(s.closers, func(context.Context) error { s.registers.Close(); return nil })
	return nil
}

func (s *sandbox) prepare(ctx context.Context) error {
	conf := s.scene.Config(s.registers)
	conf.Dir, conf.Binaries, conf.Vault, conf.Database, conf.Reflection = s.dir, s.binaries, s.vault, s.opts.db, true
	var err error
	if s.suite, err = stack.Prepare(ctx, conf); err != nil {
		return err
	}
	s.closers = append(s.closers, s.suite.Close)
	return nil
}

func (s *sandbox) startServices(ctx context.Context) error {
	if err := s.suite.StartAll(ctx); err != nil {
		return err
	}
	for _, p := range s.suite.Programs() {
		if err := s.suite.Healthy(ctx, p.Name, s.scene.Cast.DanishFund); err != nil {
			return err
		}
	}
	return nil
}

// tell tells the story.
func (s *sandbox) tell(ctx context.Context) error {
	say.F(s.out, "\nThe story. Vault: %s. Everybody in it is a published test person.\n", s.vault.Kind)
	cast, err := s.scene.CastFor(s.suite, s.registers)
	if err != nil {
		return err
	}
	result, err := story.Tell(ctx, s.suite, cast, s.out)
	if err != nil {
		return fmt.Errorf("the story did not end as it must: %w", err)
	}
	say.F(s.out, "\n%d steps, each as it must be, %d of them with their audit records; %.1f s from the command to here.\n",
		result.Steps, len(result.Events), clock.System().Now().Sub(s.begin).Seconds())
	return nil
}

// close ends everything in the opposite order of the start.
func (s *sandbox) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	var errs []error
	for _, c := range slices.Backward(s.closers) {
		errs = append(errs, c(ctx))
	}
	return errors.Join(errs...)
}
