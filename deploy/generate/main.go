// Command generate makes test members with a month each and the results that must come of it (domain.md, D.2 and D.3).
//
//	go run ./deploy/generate --members 3000 --out DIR
//
// DIR must be new. It gets
//
//	members.jsonl             who they are, and in which cohorts beside the month: protection, opt-outs, consents, Swedish incomes
//	cards.jsonl               the benefit cards of the Danish ones
//	eindkomst.txt             what employers report to eIndkomst: a file for the simulator's /v1/eindkomst/upload
//	eindkomst-corrections.txt what they report later on
//	expected.csv              outcome, hours and amount of each Danish member, taken from the table and not from any service
//	karens.jsonl              benefit periods of § 56a with the waiting days that must come of them
//	shortenings.jsonl         ledgers of § 56b with what must come of them
//	transfers.jsonl           fund transfers with their dates
//	incomes.jsonl             twelve months of the Swedish ones with what must come of them (B.12)
//	sharing.jsonl             who is protected, has opted out or consented, with what must come of a campaign (B.8)
//
// The same number of members gives the same files everywhere.
package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"samvirke.dev/deploy/generate/members"
	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/deploy/registers/eindkomst/upload"
	"samvirke.dev/services/platform/app"
)

func main() {
	app.Main("generate", func(_ context.Context, args []string) error { return run(args, os.Stdout) })
}

// most bounds the command: everything is held in memory.
const most = 5_000_000

func run(args []string, out io.Writer) error {
	fs := flag.NewFlagSet("generate", flag.ContinueOnError)
	fs.SetOutput(out)
	n := fs.Int("members", 3000, "how many members; every second one is Danish")
	dir := fs.String("out", "", "folder for the files; must be new")
	if err := fs.Parse(args); err != nil {
		return err
	}
	switch {
	case fs.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case *dir == "":
		return errors.New("--out is missing")
	case *n < 1 || *n > most:
		return fmt.Errorf("--members %d: want 1 to %d", *n, most)
	}
	if err := os.Mkdir(*dir, 0o700); err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	all := members.First(*n)
	for _, f := range []struct {
		name  string
		write func(io.Writer, []members.Member) error
	}{
		{"members.jsonl", writeMembers}, {"cards.jsonl", writeCards}, {"expected.csv", writeExpected},
		{"karens.jsonl", cohort(func(m *members.Member) *members.Karens { return m.Karens })},
		{"shortenings.jsonl", cohort(func(m *members.Member) *members.Shortening { return m.Shortening })},
		{"transfers.jsonl", cohort(func(m *members.Member) *members.Transfer { return m.Transfer })},
		{"incomes.jsonl", cohort(func(m *members.Member) *members.Income { return m.Income })}, {"sharing.jsonl", cohort(sharing)},
		{"eindkomst.txt", func(w io.Writer, all []members.Member) error {
			return upload.WriteReports(w, created, members.Uploads(all))
		}},
		{"eindkomst-corrections.txt", func(w io.Writer, all []members.Member) error {
			return upload.WriteReports(w, corrected, members.UploadedCorrections(all))
		}},
	} {
		if err := write(filepath.Join(*dir, f.name), all, f.write); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	say.F(out, "%d members in %s\n", len(all), *dir)
	return nil
}

// When the employers' files were made.
const (
	created   = "20260405120000"
	corrected = "20260420120000"
)

func write(path string, all []members.Member, fill func(io.Writer, []members.Member) error) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffered := bufio.NewWriter(file)
	if err := fill(buffered, all); err != nil {
		return err
	}
	return buffered.Flush()
}

// line is a member in members.jsonl.
type line struct {
	Index      int             `json:"index"`
	Country    string          `json:"country"`
	Number     string          `json:"number"`
	Born       string          `json:"born"`
	Status     string          `json:"status,omitempty"`
	Scenario   string          `json:"scenario,omitempty"`
	Protected  bool            `json:"protected,omitempty"`
	Protection string          `json:"protection,omitempty"` // level, for the cohort
	OptedOut   string          `json:"opted_out,omitempty"`
	Consented  string          `json:"consented,omitempty"`
	Income     *members.Income `json:"income,omitempty"`
}

// card is a benefit card in cards.jsonl. Hours are hundredths of hours, amounts øre.
type card struct {
	Index     int    `json:"index"`
	Number    string `json:"number"`
	Month     string `json:"month"`
	Status    string `json:"status"`
	Rate      int64  `json:"monthly_rate_ore"`
	Hours     int64  `json:"hours_centi"`
	Income    int64  `json:"income_ore"`
	Entries   int    `json:"entries"`
	Precision int    `json:"precision_minutes"`
	Placement bool   `json:"placement_month,omitempty"`
	Ended     string `json:"ended_employer,omitempty"`
}

func status(m *members.Member) string {
	switch {
	case m.Country != members.Denmark:
		return ""
	case m.PartTime:
		return "P"
	default:
		return "F"
	}
}

func writeMembers(w io.Writer, all []members.Member) error {
	enc := json.NewEncoder(w)
	for i := range all {
		m := &all[i]
		err := enc.Encode(line{
			Index: m.Index, Country: m.Country, Number: m.Number, Born: m.Born, Status: status(m), Scenario: m.Scenario.Name, Protected: m.Protected(),
			Protection: m.Protection, OptedOut: m.OptedOut, Consented: m.Consented, Income: m.Income,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// cohort writes the rows that members live through beside the month.
func cohort[T any](row func(*members.Member) *T) func(io.Writer, []members.Member) error {
	return func(w io.Writer, all []members.Member) error {
		enc := json.NewEncoder(w)
		for i := range all {
			m := &all[i]
			if r := row(m); r != nil {
				if err := enc.Encode(struct {
					Index     int    `json:"index"`
					Number    string `json:"number"`
					Protected bool   `json:"protected,omitempty"`
					Row       *T     `json:"row"`
				}{m.Index, m.Number, m.Protected(), r}); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// shared is what must come of sharing somebody.
type shared struct {
	OptedOut  string     `json:"opted_out,omitempty"`
	Consented string     `json:"consented,omitempty"`
	Campaign  []campaign `json:"campaign"`
}

// campaign is what must come of a campaign on a day. Without reasons the member is shared.
type campaign struct {
	Day     string   `json:"day"`
	Reasons []string `json:"reasons"`
}

func sharing(m *members.Member) *shared {
	if !m.Protected() && m.OptedOut == "" && m.Consented == "" {
		return nil
	}
	out := &shared{OptedOut: m.OptedOut, Consented: m.Consented}
	for _, day := range []string{members.ConsentLastDay, members.ConsentGone} {
		out.Campaign = append(out.Campaign, campaign{day, m.Campaign(day)})
	}
	return out
}

func writeCards(w io.Writer, all []members.Member) error {
	enc := json.NewEncoder(w)
	for i := range all {
		m := &all[i]
		if m.Country != members.Denmark {
			continue
		}
		c := card{
			Index: m.Index, Number: m.Number, Month: members.Month, Status: status(m), Rate: m.Rate(), Hours: m.Scenario.Declared, Income: m.DeclaredIncome(),
			Entries: m.Scenario.Count, Precision: m.Scenario.Precision, Placement: m.Scenario.Placement,
		}
		if m.Scenario.Ended {
			c.Ended = m.Reports()[0].Employer
		}
		if err := enc.Encode(c); err != nil {
			return err
		}
	}
	return nil
}

func writeExpected(w io.Writer, all []members.Member) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"index", "scenario", "status", "outcome", "hours_centi", "amount_ore", "automatic", "after_outcome", "after_hours_centi", "after_amount_ore"}}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	for i := range all {
		m := &all[i]
		if m.Country != members.Denmark {
			continue
		}
		e := m.Expected()
		row := []string{
			strconv.Itoa(m.Index), m.Scenario.Name, status(m), e.Outcome, number(e.Hours), number(e.Amount), strconv.FormatBool(e.Automatic), "", "", "",
		}
		if after, ok := m.ExpectedAfter(); ok {
			row[7], row[8], row[9] = after.Outcome, number(after.Hours), number(after.Amount)
		}
		rows = append(rows, row)
	}
	if err := out.WriteAll(rows); err != nil {
		return err
	}
	return out.Error()
}
