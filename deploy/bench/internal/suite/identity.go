package suite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"samvirke.dev/deploy/internal/people"
	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/deploy/internal/scene"
	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
)

const (
	// handles is how many persons are resolved for the calls that take a handle.
	handles = 10_000
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

// startIdentity starts identityd with its persons imported.
func startIdentity(ctx context.Context, in Stage) (*Running, error) {
	return alone(ctx, in, stack.IdentityName, func(ctx context.Context, suite *stack.Stack, s *scene.Scene) (any, error) {
		data := identityData{Controller: s.Cast.DanishFund.Org(), LegalReference: story.LawDK}
		if slices.Contains(in.Calls, CallAddress) || slices.Contains(in.Calls, CallProtection) {
			data.Handles = handles
		}
		var err error
		data.People, err = importPeople(ctx, suite, in)
		return data, err
	})
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
