// Package scene is the sandbox's cast and stage: its organisations, its agreements and its published test persons. The
// end-to-end tests and the benchmark stand on the same ones.
package scene

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"samvirke.dev/deploy/internal/issuer"
	"samvirke.dev/deploy/internal/localca"
	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
	registered "samvirke.dev/deploy/registers/persons"
	"samvirke.dev/deploy/sandbox/agreements"
	"samvirke.dev/deploy/sandbox/persons"
	"samvirke.dev/services/platform/clock"
)

// strangerLife is how long the stranger's certificate lives.
const strangerLife = 24 * time.Hour

// system is the calling system of every organisation of the sandbox; their agreements admit no other.
const system = "caseworker"

// agency is the sandbox's agency, which does not exist.
const agency = "SE:2020009999"

// insurer is the Danish fund's insurance agency, which does not exist either.
const insurer = "DK:70000063"

// The persons of the story; see the README beside the persons for what each stands for.
const (
	dane           = "DK:0709614126"
	swede          = "SE:198111309285"
	protectedDane  = "DK:0701614011"
	protectedSwede = "SE:198106039228"

	renumberedDane, oldDane   = "DK:0307610078", "DK:0708614246"
	renumberedSwede, oldSwede = "SE:199111022399", "SE:199101112390"
)

// Scene is what a stack and a story are made of.
type Scene struct {
	Cast story.Cast
	// Issuer signs powers of attorney.
	Issuer *issuer.Issuer
}

// Load reads the scene.
func Load() (*Scene, error) {
	s := &Scene{Cast: story.Cast{
		Insurer:    partner(insurer),
		DanishFund: caller(persons.FundDK), OtherDanishFund: caller(persons.OtherFundDK),
		SwedishFund: caller(persons.FundSE), OtherSwedishFund: caller(persons.OtherFundSE), Agency: caller(agency),
		Names: map[string]string{
			persons.FundDK: "A-kassen Nord", persons.OtherFundDK: "A-kassen Syd", persons.FundSE: "A-kassan Ett",
			persons.OtherFundSE: "A-kassan Två", agency: "Provmyndigheten", insurer: "Nord Forsikringsagentur",
		},
	}}
	var err error
	if s.Issuer, err = issuer.New(); err != nil {
		return nil, err
	}
	s.Cast.PowerOfAttorney = func(number, fund, current string, scopes ...string) (string, error) {
		return s.Issuer.PowerOfAttorney(number, fund, current, clock.System().Now(), scopes...)
	}
	for number, into := range map[string]*story.Person{
		renumberedDane: &s.Cast.RenumberedDane, oldDane: &s.Cast.OldDane,
		renumberedSwede: &s.Cast.RenumberedSwede, oldSwede: &s.Cast.OldSwede,
	} {
		*into = bare(number)
	}
	for number, into := range map[string]*story.Person{
		dane: &s.Cast.Dane, swede: &s.Cast.Swede, protectedDane: &s.Cast.ProtectedDane, protectedSwede: &s.Cast.ProtectedSwede,
	} {
		p, err := find(number)
		if err != nil {
			return nil, err
		}
		*into = p
	}
	return s, nil
}

func caller(org string) stack.Caller {
	country, number, _ := strings.Cut(org, ":")
	return stack.Caller{Country: country, Number: number, System: system}
}

// partner is a caller whose certificate comes from the authority for partners.
func partner(org string) stack.Caller {
	c := caller(org)
	c.Partner = true
	return c
}

// bare is a person of whom the story needs no name.
func bare(number string) story.Person {
	country, digits, _ := strings.Cut(number, ":")
	return story.Person{Country: country, Number: digits}
}

// find looks a person up in the import file.
func find(number string) (story.Person, error) {
	for line := range strings.Lines(persons.JSONL()) {
		var p struct {
			Number     string `json:"number"`
			GivenNames string `json:"given_names"`
			FamilyName string `json:"family_name"`
		}
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			return story.Person{}, fmt.Errorf("test persons: %w", err)
		}
		if p.Number == number {
			found := bare(number)
			found.Name = strings.TrimSpace(p.GivenNames + " " + p.FamilyName)
			return found, nil
		}
	}
	return story.Person{}, fmt.Errorf("test persons: %s is not among them", number)
}

// Config is the part of a stack's configuration that the scene decides. r are the registers that the services ask, or nil; only
// limits the suite to the services named, all of them when none is.
func (s *Scene) Config(r *stack.Registers, only ...string) stack.Config {
	programs := slices.DeleteFunc(s.programs(r), func(p stack.Program) bool { return len(only) > 0 && !slices.Contains(only, p.Name) })
	return stack.Config{Agreements: agreements.Files, Callers: s.Callers(), Programs: programs}
}

// programs are the services of the suite, in the order in which they start: those that others call first.
func (s *Scene) programs(r *stack.Registers) []stack.Program {
	return []stack.Program{
		stack.Audit(),
		stack.Identity(s.Callers(), persons.PublishedNumbers(), r),
		stack.Transfer([]stack.Caller{s.Cast.DanishFund, s.Cast.OtherDanishFund, s.Cast.SwedishFund, s.Cast.OtherSwedishFund}, s.Issuer),
		stack.Income(r),
		stack.Insurance([]string{insurer}, sharing()),
		stack.Gateway(stack.AuditName, stack.IdentityName, stack.TransferName, stack.IncomeName, stack.InsuranceName),
	}
}

// Callers are all who get a client certificate.
func (s *Scene) Callers() []stack.Caller {
	c := s.Cast
	return []stack.Caller{c.DanishFund, c.OtherDanishFund, c.SwedishFund, c.OtherSwedishFund, c.Agency, c.Insurer}
}

// Import loads the published test persons.
func (s *Scene) Import(ctx context.Context, suite *stack.Stack) error {
	file := filepath.Join(suite.Dir(), "persons.jsonl")
	if err := os.WriteFile(file, []byte(persons.JSONL()), 0o600); err != nil {
		return fmt.Errorf("test persons: %w", err)
	}
	return suite.Import(ctx, file)
}

// CastFor is the cast with what a prepared suite gives it: certificates and the log.
func (s *Scene) CastFor(suite *stack.Stack, r *stack.Registers) (story.Cast, error) {
	cast := s.Cast
	cast.Trusted = suite.Files(cast.DanishFund)
	cast.HandshakeLog = func(ctx context.Context) (string, error) { return suite.HandshakeLog(ctx, stack.IdentityName) }
	if r != nil {
		cast.Employers = r.UploadIncome
	}
	cast.Move = func(ctx context.Context, p story.Person) (string, error) { return move(ctx, r, p) }
	var err error
	cast.Stranger, err = s.stranger(suite)
	return cast, err
}

// stranger makes a certificate that says the Danish fund's name and comes from an authority that nobody knows. It trusts the
// suite, so that the suite's refusal is what ends the handshake.
func (s *Scene) stranger(suite *stack.Stack) (localca.Files, error) {
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

// move gives a person a new address in the simulated registers. What CPR tells its customers comes with its next delivery.
func move(ctx context.Context, r *stack.Registers, p story.Person) (street string, err error) {
	if p.Country == "SE" {
		const street = "Flyttgatan 7"
		return street, r.SetSwedishAddress(p.Number, registered.SwedishAddress{Line2: street, PostalCode: "99901", City: "PROVSTAD"})
	}
	const there = "Industrivænget 52"
	err = r.SetDanishAddress(p.Number, registered.DanishAddress{
		Municipality: "0851", Road: "8512", House: "052", Standard: there, Town: "Hasseris", Street: "Industrivænget", PostalCode: "9000",
		District: "Aalborg",
	})
	if err == nil {
		_, err = r.Deliver(ctx)
	}
	return there, err
}
