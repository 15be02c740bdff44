// Package rules holds the decision rules of membership: admission (domain rule B.4, § 41), deletion for non-payment (B.5, § 78),
// whether a case may be decided automatically (B.6), and the date on which a transfer takes effect (B.9). They are pure: facts in,
// outcome out; nothing is read, written or logged. Reason codes are complete and in the order of the domain's tables (B.0).
package rules

// Version names this set of rules in every decision (domain rule B.0).
const Version = "DK-SE-2026-1"

// Code is a reason code of a rule.
type Code string
