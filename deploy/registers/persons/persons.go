// Package persons holds what the register simulators know: the published test persons of SPAR and of CPR, in a form of the
// project's own. README.md beside the data tells where each fact comes from and what is invented. A person that Load returned is never
// changed: a register that learns something new keeps a changed copy.
package persons

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed spar.jsonl
var swedes string

//go:embed cpr.jsonl
var danes string

// Swedes returns SPAR's persons by their 12-digit number.
func Swedes() (map[string]*Swede, error) {
	return load("spar.jsonl", swedes, func(p *Swede) string { return p.Number })
}

// Danes returns CPR's persons by their 10-digit number.
func Danes() (map[string]*Dane, error) {
	return load("cpr.jsonl", danes, func(p *Dane) string { return p.Number })
}

func load[P any](name, lines string, number func(*P) string) (map[string]*P, error) {
	all := map[string]*P{}
	line := 0
	for raw := range strings.Lines(lines) {
		line++
		dec := json.NewDecoder(strings.NewReader(raw))
		dec.DisallowUnknownFields()
		p := new(P)
		if err := dec.Decode(p); err != nil {
			return nil, fmt.Errorf("%s line %d: %w", name, line, err)
		}
		if _, twice := all[number(p)]; twice {
			return nil, fmt.Errorf("%s line %d: the number occurs twice", name, line)
		}
		all[number(p)] = p
	}
	return all, nil
}
