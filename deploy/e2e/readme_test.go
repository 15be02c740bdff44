package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// commands returns the lines of the README's sh blocks.
func commands(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		out = append(out, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	return out
}

// Every command of the README is executed, from the root of the tree. The one that runs the tests can't be run within itself: it is
// asked to list a package's tests instead, which proves that the pattern is understood.
func TestReadmeCommands(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	listed := commands(t)
	if len(listed) < 2 {
		t.Fatalf("commands %q", listed)
	}
	for _, line := range listed {
		args := strings.Fields(line)
		if line == "go test work" {
			args = []string{"go", "list", "work"}
		}
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", line, err, out[max(0, len(out)-2000):])
		}
	}
}

// Every verb that the README names is in the Makefile.
func TestReadmeVerbs(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	verbs := regexp.MustCompile("`make ([a-z]+)`").FindAllStringSubmatch(string(readme), -1)
	if len(verbs) < 8 {
		t.Fatalf("verbs %v", verbs)
	}
	for _, v := range verbs {
		if !regexp.MustCompile(`(?m)^` + v[1] + `:`).Match(makefile) {
			t.Errorf("the Makefile has no verb %s", v[1])
		}
	}
}
