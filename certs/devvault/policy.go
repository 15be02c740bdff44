package devvault

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl"
)

// policy is a named set of rules as written by an operator.
type policy struct {
	name, text string
	rules      []rule
}

// rule grants capabilities on a path; the path may end in "*" and hold "+" for one whole segment.
type rule struct {
	path         string
	capabilities []string
}

// policySet is what a token's policies say together.
type policySet []*policy

var errPolicy = errors.New("failed to parse policy")

// parsePolicy reads the rules. It takes HCL and JSON, and refuses whatever it would not enforce.
func parsePolicy(name, text string) (*policy, error) {
	var raw map[string]any
	if err := hcl.Decode(&raw, text); err != nil {
		return nil, fmt.Errorf("%w: %w", errPolicy, err)
	}
	for k := range raw {
		if k != "path" && k != "name" {
			return nil, fmt.Errorf("%w: invalid key %q", errPolicy, k)
		}
	}
	p := &policy{name: name, text: text}
	blocks, _ := raw["path"].([]map[string]any)
	for _, block := range blocks {
		for path, body := range block {
			r, err := parseRule(path, body)
			if err != nil {
				return nil, err
			}
			p.rules = append(p.rules, r)
		}
	}
	return p, nil
}

func parseRule(path string, body any) (rule, error) {
	r := rule{path: strings.TrimPrefix(path, "/")}
	bodies, ok := body.([]map[string]any)
	if !ok {
		return r, fmt.Errorf("%w: path %q", errPolicy, path)
	}
	for _, b := range bodies {
		for key, v := range b {
			if key != "capabilities" {
				return r, fmt.Errorf("%w: path %q: devvault does not offer %q", errPolicy, path, key)
			}
			list, ok := v.([]any)
			if !ok {
				return r, fmt.Errorf("%w: path %q: capabilities", errPolicy, path)
			}
			for _, c := range list {
				name, _ := c.(string)
				if !slices.Contains([]string{"create", "read", "update", "delete", "list", "sudo", "deny", "patch"}, name) {
					return r, fmt.Errorf("%w: path %q: invalid capability %q", errPolicy, path, name)
				}
				r.capabilities = append(r.capabilities, name)
			}
		}
	}
	return r, nil
}

func defaultPolicy() *policy {
	self := func(path, capability string) rule { return rule{path: path, capabilities: []string{capability}} }
	return &policy{name: "default", rules: []rule{
		self("auth/token/lookup-self", "read"),
		self("auth/token/renew-self", "update"),
		self("auth/token/revoke-self", "update"),
	}}
}

// capabilities are those of the single best matching path, taken over all policies that name this very path; a "deny" there
// takes everything away. An exact path wins over patterns.
func (s policySet) capabilities(path string, list bool) []string {
	if caps, ok := s.at(path); ok {
		return caps
	}
	if list {
		if caps, ok := s.at(path + "/"); ok {
			return caps
		}
	}
	best, found := "", false
	for _, p := range s {
		for _, r := range p.rules {
			if isPattern(r.path) && (matches(r.path, path) || list && matches(r.path, path+"/")) && (!found || weaker(best, r.path)) {
				best, found = r.path, true
			}
		}
	}
	if !found {
		return nil
	}
	caps, _ := s.at(best)
	return caps
}

// at merges what all policies say about exactly this path as written.
func (s policySet) at(path string) ([]string, bool) {
	var caps []string
	found := false
	for _, p := range s {
		for _, r := range p.rules {
			if r.path == path {
				found = true
				caps = append(caps, r.capabilities...)
			}
		}
	}
	if slices.Contains(caps, "deny") {
		return []string{"deny"}, true
	}
	return caps, found
}

func isPattern(path string) bool {
	return strings.HasSuffix(path, "*") || slices.Contains(strings.Split(strings.TrimSuffix(path, "*"), "/"), "+")
}

func matches(pattern, path string) bool {
	prefix, glob := strings.CutSuffix(pattern, "*")
	want, have := strings.Split(prefix, "/"), strings.Split(path, "/")
	if len(have) < len(want) || !glob && len(have) != len(want) {
		return false
	}
	for i, w := range want {
		last := i == len(want)-1
		switch {
		case w == "+":
		case w == have[i]:
		case glob && last && strings.HasPrefix(have[i], w):
		default:
			return false
		}
	}
	return true
}

// weaker orders two matching patterns the way Vault does: earlier first wildcard, then a trailing glob, then more "+"
// segments, then the shorter one, then the lexically smaller one gives way.
func weaker(a, b string) bool {
	switch {
	case firstWildcard(a) != firstWildcard(b):
		return firstWildcard(a) < firstWildcard(b)
	case strings.HasSuffix(a, "*") != strings.HasSuffix(b, "*"):
		return strings.HasSuffix(a, "*")
	case segments(a) != segments(b):
		return segments(a) > segments(b)
	case len(a) != len(b):
		return len(a) < len(b)
	default:
		return a < b
	}
}

func firstWildcard(p string) int {
	if i := strings.Index(p, "+"); i >= 0 {
		return i
	}
	return len(strings.TrimSuffix(p, "*"))
}

func segments(p string) int {
	n := 0
	for s := range strings.SplitSeq(strings.TrimSuffix(p, "*"), "/") {
		if s == "+" {
			n++
		}
	}
	return n
}
