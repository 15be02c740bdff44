package devvault

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// This file tests from within: the choice between rules has many more cases than are worth a request each. The ones that matter to
// us are also asked of the real server, in the contract suite.

func policyOf(t *testing.T, name, text string) *policy {
	t.Helper()
	p, err := parsePolicy(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestBestMatchWins(t *testing.T) {
	t.Parallel()
	set := policySet{policyOf(t, "a", `
path "secret/*"           { capabilities = ["read"] }
path "secret/team/*"      { capabilities = ["update"] }
path "secret/team/exact"  { capabilities = ["delete"] }
path "secret/+/config"    { capabilities = ["list"] }
path "secret/team/deny*"  { capabilities = ["deny"] }
path "/leading/slash"     { capabilities = ["read"] }
path "plus/+/+"           { capabilities = ["read"] }
path "plus/one/+"         { capabilities = ["update"] }
path "dir/"               { capabilities = ["list"] }`),
		policyOf(t, "b", `path "secret/team/exact" { capabilities = ["read"] }`),
		policyOf(t, "c", `path "secret/team/mixed" { capabilities = ["read"] }`),
		policyOf(t, "d", `path "secret/team/mixed" { capabilities = ["deny"] }`),
	}
	for _, c := range []struct {
		path string
		list bool
		want string
	}{
		{"secret/x", false, "read"},
		{"secret/", false, "read"},
		{"secret", false, ""},
		{"secret/team/x", false, "update"},
		{"secret/team/exact", false, "delete,read"},
		{"secret/team/exact/below", false, "update"},
		{"secret/team/mixed", false, "deny"},
		{"secret/team/deny-this", false, "deny"},
		{"secret/other/config", false, "list"}, // both wildcards come at the same place, and the one that is no glob wins
		{"leading/slash", false, "read"},
		{"plus/two/x", false, "read"},
		{"plus/one/x", false, "update"},
		{"plus/one/x/y", false, ""},
		{"dir", true, "list"},
		{"dir", false, ""},
		{"elsewhere", false, ""},
	} {
		got := set.capabilities(c.path, c.list)
		if strings.Join(got, ",") != c.want {
			t.Errorf("%s (list %v): %v, want %q", c.path, c.list, got, c.want)
		}
	}
}

func TestPolicyRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"not closed":            `path "a" {`,
		"unknown key":           `rule "a" { capabilities = ["read"] }`,
		"unknown capability":    `path "a" { capabilities = ["fly"] }`,
		"capability is no list": `path "a" { capabilities = "read" }`,
		"parameters":            `path "a" { capabilities = ["update"] allowed_parameters = { "x" = [] } }`,
	} {
		if _, err := parsePolicy("p", text); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestDenyByDefault: a path that no rule matches letter by letter is never granted.
func TestDenyByDefault(t *testing.T) {
	t.Parallel()
	segment := rapid.StringMatching(`[a-c]{1,2}`)
	rapid.Check(t, func(t *rapid.T) {
		exact := strings.Join(rapid.SliceOfN(segment, 1, 4).Draw(t, "rule"), "/")
		path := strings.Join(rapid.SliceOfN(segment, 1, 4).Draw(t, "path"), "/")
		set := policySet{{rules: []rule{{path: exact, capabilities: []string{"read"}}}}}
		if granted := slices.Contains(set.capabilities(path, false), "read"); granted != (path == exact) {
			t.Fatalf("rule %q on %q: granted %v", exact, path, granted)
		}
		glob := policySet{{rules: []rule{{path: exact + "*", capabilities: []string{"read"}}}}}
		if granted := slices.Contains(glob.capabilities(path, false), "read"); granted != strings.HasPrefix(path, exact) {
			t.Fatalf("rule %q* on %q: granted %v", exact, path, granted)
		}
	})
}

func FuzzPolicy(f *testing.F) {
	f.Add(`path "a/*" { capabilities = ["read"] }`, "a/b")
	f.Add(`{"path":{"a":{"capabilities":["deny"]}}}`, "a")
	f.Add(`path "+/+*" { capabilities = ["sudo"] }`, "//")
	f.Fuzz(func(_ *testing.T, text, path string) {
		p, err := parsePolicy("p", text)
		if err != nil {
			return
		}
		policySet{p}.capabilities(path, false)
		policySet{p}.capabilities(path, true)
	})
}
