package scene_test

import (
	"io/fs"
	"slices"
	"testing"

	"buf.build/go/protoyaml"

	"samvirke.dev/deploy/internal/scene"
	agreementv1 "samvirke.dev/proto/gen/go/samvirke/agreement/v1"
)

// TestAgreementsAreOfTheCast: each organisation of the story has an agreement, or several, as valid messages.
func TestAgreementsAreOfTheCast(t *testing.T) {
	t.Parallel()
	s, err := scene.Load()
	if err != nil {
		t.Fatal(err)
	}
	conf := s.Config(nil)
	files, err := fs.Glob(conf.Agreements, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var orgs []string
	for _, name := range files {
		raw, err := fs.ReadFile(conf.Agreements, name)
		if err != nil {
			t.Fatal(err)
		}
		a := new(agreementv1.Agreement)
		if err := protoyaml.Unmarshal(raw, a); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if a.GetId()+".yaml" != name {
			t.Errorf("%s holds agreement %s", name, a.GetId())
		}
		if got, want := a.GetRecipient().GetName(), s.Cast.Names[a.GetRecipient().GetId()]; got != want {
			t.Errorf("%s: the recipient is %q, in the story %q", name, got, want)
		}
		orgs = append(orgs, a.GetRecipient().GetId())
	}
	var cast []string
	for _, c := range s.Callers() {
		cast = append(cast, c.Org())
	}
	slices.Sort(orgs)
	slices.Sort(cast)
	if !slices.Equal(slices.Compact(orgs), cast) {
		t.Errorf("agreements of %v, cast %v", orgs, cast)
	}
}

func TestPersonsOfTheStoryAreThere(t *testing.T) {
	t.Parallel()
	s, err := scene.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct{ number, name string }{
		{s.Cast.Dane.Number, s.Cast.Dane.Name}, {s.Cast.Swede.Number, s.Cast.Swede.Name}, {s.Cast.ProtectedDane.Number, s.Cast.ProtectedDane.Name},
	} {
		if p.number == "" || p.name == "" {
			t.Errorf("a person of the story is %+v", p)
		}
	}
	// The register gives no name of somebody with protected registration.
	if s.Cast.ProtectedSwede.Name != "" {
		t.Error("the protected person has a name")
	}
}
