// Package scene is the sandbox's cast and stage: its organisations, its agreements and its published test persons. The
// end-to-end tests and the benchmark stand on the same ones.
package scene

import (
	"context"
	"time"

	"samvirke.dev/deploy/internal/localca"
	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
	"samvirke.dev/deploy/sandbox/agreements"
	"samvirke.dev/services/platform/clock"
)

// strangerLife is how long the stranger's certificate lives.
const strangerLife = 24 * time.Hour

// system is the calling system of every organisation of the sandbox; their agreements admit no other.
const system = "caseworker"

// Scene is what a stack and a story are made of.
type Scene struct {
	Cast story.Cast
}

// Config is the part of a stack's configuration that the scene decides.
func (s *Scene) Config() stack.Config {
	return stack.Config{Agreements: agreements.Files, Callers: s.Callers(), TestPersons: nil}
}

// Callers are all who get a client certificate.
func (s *Scene) Callers() []stack.Caller {
	c := s.Cast
	return []stack.Caller{c.DanishFund, c.OtherDanishFund, c.SwedishFund, c.OtherSwedishFund, c.Agency}
}

// Stranger makes a certificate that says the Danish fund's name and comes from an authority that nobody knows. It trusts the
// suite, so that the suite's refusal is what ends the handshake.
func (s *Scene) Stranger(suite *stack.Stack) (localca.Files, error) {
	ca, err := localca.New(clock.System(), "foreign authority", strangerLife)
	if err != nil {
		return localca.Files{}, err
	}
	id, err := s.Cast.DanishFund.ID()
	if err != nil {
		return localca.Files{}, err
	}
	files, err := ca.Issue(suite.Dir(), "stranger", id, strangerLife)
	files.CA = suite.Files(s.Cast.DanishFund).CA
	return files, err
}

// Load reads the scene.
func Load() (*Scene, error) {
	fund := func(country, number string) stack.Caller {
		return stack.Caller{Country: country, Number: number, System: system}
	}
	cast := story.Cast{
		DanishFund: fund("DK", "10000017"), OtherDanishFund: fund("DK", "10000025"),
		SwedishFund: fund("SE", "8020000011"), OtherSwedishFund: fund("SE", "8020000029"), Agency: fund("SE", "2021000035"),
	}
	return &Scene{Cast: cast}, nil
}

// Import loads the test persons.
func (s *Scene) Import(ctx context.Context, suite *stack.Stack) error {
	return nil
}
