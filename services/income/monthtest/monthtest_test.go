package monthtest_test

import (
	"flag"
	"testing"

	"samvirke.dev/services/income/internal/core/match"
	"samvirke.dev/services/income/monthtest"
)

// -members is how many members the measurement has; few by default, so that the test is one of the harness.
var members = flag.Int("members", 3000, "members to measure with")

// The run and the one SQL statement come to the same outcome, hours and amount for every member, over all rows of the decision table that a
// first matching can reach; each member has a decision and a record.
func TestRunAgreesWithOneStatement(t *testing.T) {
	t.Parallel()
	r, err := monthtest.Measure(t.Context(), monthtest.Options{Members: *members, Dir: t.TempDir(), Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	if !r.PeerSame || r.Decisions != int64(*members) || r.Records != int64(*members) {
		t.Errorf("%+v", r)
	}
	for _, outcome := range []match.Outcome{
		match.Invalid, match.Incomplete, match.Skipped, match.IncomeOnly, match.NoDifference, match.WithinRounding, match.Recover, match.PayOut,
	} {
		if r.Sums[string(outcome)].Members == 0 {
			t.Errorf("nobody with %s: %v", outcome, r.Sums)
		}
	}
	t.Logf("%+v", r)
}
