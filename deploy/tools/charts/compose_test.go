package charts_test

import (
	"context"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
)

// The compose file is valid, and every service of ours in it is closed as far as it can be.
func TestCompose(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{"../../compose/compose.yaml"}, cli.WithResolvedPaths(false))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ours := 0
	for name, s := range project.Services {
		if name == "postgres" {
			if len(s.Ports) > 0 || s.HealthCheck == nil {
				t.Errorf("postgres: %+v", s)
			}
			continue
		}
		ours++
		if !s.ReadOnly || s.User != "65532:65532" || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Privileged {
			t.Errorf("%s is not closed", name)
		}
		if s.MemLimit == 0 || s.PidsLimit == 0 || s.Build == nil || s.Build.Args["PACKAGE"] == nil {
			t.Errorf("%s: limits or build are missing", name)
		}
		for _, v := range s.Volumes {
			if !v.ReadOnly {
				t.Errorf("%s may write to %s", name, v.Source)
			}
		}
		if len(s.Environment) > 0 {
			t.Errorf("%s has an environment: secrets would be seen by whoever may inspect it", name)
		}
	}
	if ours < 2 || !project.Networks["inside"].Internal {
		t.Errorf("%d services", ours)
	}
}
