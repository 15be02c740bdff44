package suite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"samvirke.dev/deploy/bench/internal/load"
	"samvirke.dev/deploy/internal/people"
	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/deploy/internal/scene"
	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
)

const (
	// handles is how many persons are resolved for the calls that take a handle.
	handles = 10_000
	// identityProfile names a file for identityd's CPU profile.
	identityProfile = "SAMVIRKE_IDENTITY_DEBUG_PPROF_FILE"
)

func identityService() Service {
	return Service{
		Name: "identity", Calls: []string{CallVerify, CallResolve, CallAddress, CallProtection, CallBatch}, Sized: true,
		Start: startIdentity, Prepare: identityLanes,
	}
}

// identityData is what the load process needs to know.
type identityData struct {
	People         string `json:"people"`          // file of person lines
	Handles        int    `json:"handles"`         // how many persons are resolved
	Controller     string `json:"controller"`      // on whose responsibility the calls are made
	LegalReference string `json:"legal_reference"` // the law they rely on
}

// startIdentity starts identityd with a fresh Vault and a fresh database.
func startIdentity(ctx context.Context, in Stage) (_ *Running, err error) {
	binary, err := stack.Build(ctx, stack.IdentityPackage, filepath.Join(in.Dir, "bin"), in.Progress)
	if err != nil {
		return nil, err
	}
	vault, err := stack.DevVault()
	if err != nil {
		return nil, err
	}
	var suite *stack.Stack
	end := func(ctx context.Context) error {
		var first error
		if suite != nil {
			first = suite.Close(ctx)
		}
		return errors.Join(first, vault.Close())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, end(context.WithoutCancel(ctx)))
		}
	}()
	s, err := scene.Load()
	if err != nil {
		return nil, err
	}
	conf := s.Config()
	conf.Dir, conf.Binary, conf.Vault, conf.Database = in.Dir, binary, vault, in.Database
	if suite, err = stack.Prepare(ctx, conf); err != nil {
		return nil, err
	}
	fund := s.Cast.DanishFund
	data := identityData{Controller: fund.Org(), LegalReference: story.LawDK}
	if data.People, err = importPeople(ctx, suite, in); err != nil {
		return nil, err
	}
	if slices.Contains(in.Calls, CallAddress) || slices.Contains(in.Calls, CallProtection) {
		data.Handles = handles
	}
	var env []string
	if in.Profile != "" {
		env = append(env, identityProfile+"="+in.Profile)
	}
	if err := suite.StartIdentity(ctx, env...); err != nil {
		return nil, err
	}
	id, err := stack.IdentityID()
	if err != nil {
		return nil, err
	}
	running := suite.Identity()
	return &Running{
		PID: running.Proc.PID(), Ready: running.Ready, Data: data, Close: end,
		Connect: load.Connect{Addr: running.Addr, ServerID: id.String(), Files: suite.Files(fund)},
	}, nil
}

// importPeople writes and imports the persons, and writes the load process's view of them.
func importPeople(ctx context.Context, suite *stack.Stack, in Stage) (_ string, err error) {
	say.F(in.Progress, "importing %d persons\n", in.Persons)
	importFile, peopleFile := filepath.Join(in.Dir, "import.jsonl"), filepath.Join(in.Dir, "people.tsv")
	f, err := os.Create(peopleFile)
	if err != nil {
		return "", fmt.Errorf("people file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriter(f)
	err = people.WriteFile(importFile, func(yield func(people.Person) bool) {
		for p := range people.Members(in.Persons) {
			// The writer keeps its first error for Flush.
			_, _ = out.WriteString(personLine(p.Country, p.Number[len("SE:"):], p.GivenName+" "+p.FamilyName))
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
