package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"samvirke.dev/deploy/bench/internal/load"
	"samvirke.dev/deploy/bench/internal/report"
	"samvirke.dev/deploy/internal/people"
	"samvirke.dev/deploy/internal/proc"
	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/deploy/internal/scene"
	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
)

const (
	// handles is how many persons are resolved for the calls that take a handle.
	handles = 10_000
	// profileVariable names a file for identityd's CPU profile.
	profileVariable = "SAMVIRKE_IDENTITY_DEBUG_PPROF_FILE"
	target          = "identity"
	megabyte        = 1 << 20
)

// identityRows measures the identity service with a store of n persons: a fresh Vault, a fresh database, a fresh process.
func (b *bench) identityRows(ctx context.Context, binary string, n int) (err error) {
	vault, err := stack.DevVault()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, vault.Close()) }()
	suite, err := b.prepare(ctx, vault, binary, n)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		err = errors.Join(err, suite.Close(ctx))
	}()
	peopleFile, err := b.importPeople(ctx, suite, n)
	if err != nil {
		return err
	}
	var env []string
	if b.opts.profile != "" {
		env = append(env, profileVariable+"="+b.opts.profile)
	}
	if err := suite.StartIdentity(ctx, env...); err != nil {
		return err
	}
	return b.measureIdentity(ctx, suite, peopleFile, n)
}

func (b *bench) prepare(ctx context.Context, vault *stack.Vault, binary string, n int) (*stack.Stack, error) {
	s, err := scene.Load()
	if err != nil {
		return nil, err
	}
	conf := s.Config()
	conf.Dir = filepath.Join(b.dir, "identity-"+strconv.Itoa(n))
	conf.Binary, conf.Vault, conf.Database = binary, vault, b.opts.db
	return stack.Prepare(ctx, conf)
}

// importPeople writes and imports n persons, and writes the load process's view of them.
func (b *bench) importPeople(ctx context.Context, suite *stack.Stack, n int) (_ string, err error) {
	say.F(b.progress, "importing %d persons\n", n)
	importFile, peopleFile := filepath.Join(suite.Dir(), "import.jsonl"), filepath.Join(suite.Dir(), "people.tsv")
	f, err := os.Create(peopleFile)
	if err != nil {
		return "", fmt.Errorf("people file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriter(f)
	err = people.WriteFile(importFile, func(yield func(people.Person) bool) {
		for p := range people.Members(n) {
			// The writer keeps its first error for Flush.
			_, _ = out.WriteString(load.PersonLine(p.Country, p.Number[len("SE:"):], p.GivenName+" "+p.FamilyName))
			if !yield(p) {
				return
			}
		}
	})
	if err = errors.Join(err, out.Flush()); err != nil {
		return "", err
	}
	return peopleFile, suite.Import(ctx, importFile)
}

// measureIdentity measures each call that is wanted, beside the echo, and the service itself.
func (b *bench) measureIdentity(ctx context.Context, suite *stack.Stack, peopleFile string, n int) error {
	id, err := stack.IdentityID()
	if err != nil {
		return err
	}
	s, err := scene.Load()
	if err != nil {
		return err
	}
	fund := s.Cast.DanishFund
	pid := suite.Identity().Proc.PID()
	idle, _, _ := proc.Memory(pid)
	for _, cmd := range []load.Command{
		{Connect: &load.Connect{
			Target: target, Addr: suite.Identity().Addr, ServerID: id.String(), Files: suite.Files(fund), Conns: b.opts.conns,
		}},
		{Prepare: &load.Prepare{Target: target, People: peopleFile, Handles: handles, Controller: fund.Org(), LegalReference: story.LawDK}},
	} {
		if _, err := b.load.Do(cmd); err != nil {
			return err
		}
	}
	for _, call := range b.opts.services() {
		if err := b.pair(ctx, subject{target: target, call: call, pid: pid}, n); err != nil {
			return err
		}
	}
	// Elsewhere than on Linux memory is not known, and the columns stay 0.
	now, peak, _ := proc.Memory(pid)
	b.report.Services = append(b.report.Services, report.Service{
		Name: "identityd", Persons: n, ReadyMillis: float64(suite.Identity().Ready.Microseconds()) / 1e3,
		IdleMB: float64(idle) / megabyte, ResidentMB: float64(now) / megabyte, PeakMB: float64(peak) / megabyte,
	})
	return nil
}
