// Package persons holds the sandbox's persons: the published test persons of SPAR and CPR, in the identity service's import format, with
// invented memberships in four funds that do not exist. README.md tells where each fact comes from.
package persons

import (
	_ "embed"
	"strings"
)

//go:embed persons.jsonl
var jsonl string

//go:embed published.txt
var published string

// The sandbox's funds. Their organisation numbers have valid check digits and belong to nobody.
const (
	FundDK      = "DK:10000017"   // A-kassen Nord
	OtherFundDK = "DK:10000025"   // A-kassen Syd
	FundSE      = "SE:8020000017" // A-kassan Ett
	OtherFundSE = "SE:8020000025" // A-kassan Två
)

// JSONL returns the persons, one JSON object a line.
func JSONL() string { return jsonl }

// PublishedNumbers returns the canonical numbers of all published test persons, also of those who are not in JSONL: numbers that
// are no longer in force, that no register knows, or that are immunity numbers. It is the list for the identity service's environment
// guard.
func PublishedNumbers() []string { return strings.Fields(published) }
