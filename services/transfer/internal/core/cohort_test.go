package core_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/rules"
)

// The generator's members who move (deploy/generate, domain.md D.2), each row of B.9 once: the days that the table has, in both funds.
//
// covers: DFH-05
func TestTransferCohort(t *testing.T) {
	t.Parallel()
	file, err := os.Open(filepath.Join("..", "..", "..", "..", "deploy", "generate", "testdata", "cohorts", "transfers.jsonl"))
	must(t, err)
	defer func() { must(t, file.Close()) }()
	seen := map[string]bool{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var line struct {
			Row struct {
				Row      string `json:"row"`
				Country  string `json:"country"`
				Received string `json:"received"`
				InWork   bool   `json:"in_work"`
				Begins   string `json:"begins"`
				Ends     string `json:"ends"`
			} `json:"row"`
		}
		must(t, json.Unmarshal(lines.Bytes(), &line))
		m := line.Row
		if seen[m.Row] {
			continue
		}
		seen[m.Row] = true
		from, to := nord, syd
		if m.Country == "SE" {
			from, to = ett, tva
		}
		s := enter(t, sqltest.MemoryConfig, from, to, m.Received)
		s.request(func(a *core.Application) {
			switch {
			case m.Country == "SE":
				a.Work = 0
			case m.InWork:
				a.Work = rules.InWork
			default:
				a.Work = rules.OutOfWork
			}
		})
		s.confirm()
		n, o := s.both(cases.ExitConfirmed)
		ends, err := time.Parse(time.DateOnly, m.Ends)
		must(t, err)
		if n.Effective.String() != m.Begins || o.Effective != n.Effective || (n.Effective-1).String() != ends.Format(time.DateOnly) {
			t.Errorf("%s: effective %s and %s, want %s after %s", m.Row, n.Effective, o.Effective, m.Begins, m.Ends)
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d rows of B.9", len(seen))
	}
}
