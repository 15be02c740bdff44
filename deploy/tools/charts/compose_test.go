package charts_test

import (
	"context"
	"os"
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
		if main := "../../../" + *s.Build.Args["PACKAGE"] + "/main.go"; !exists(main) {
			t.Errorf("%s is built from %s, which is not there", name, main)
		}
		for _, v := range s.Volumes {
			// The ledger and its second store; what lies in the folder beside the file nobody may change.
			if ledger := name == "audit" && v.Type == "volume"; !v.ReadOnly && !ledger {
				t.Errorf("%s may write to %s", name, v.Source)
			}
		}
		if len(s.Environment) > 0 {
			t.Errorf("%s has an environment: secrets would be seen by whoever may inspect it", name)
		}
	}
	if audit := project.Services["audit"]; audit.ContainerName == "" {
		t.Error("audit may be started twice: two would write one ledger")
	}
	if ours != len(suite) || !project.Networks["inside"].Internal {
		t.Errorf("%d services", ours)
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
