package income_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

const (
	swedishFund = "SE:8020000017"
	agiEmployer = "165560269986"
)

// agiFile writes an AGI file of one month: a main statement, and those about people.
func agiFile(period string, statements ...string) string {
	const form = `<agd:Blankett><agd:Arendeinformation><agd:Arendeagare>` + agiEmployer + `</agd:Arendeagare><agd:Period>%[1]s</agd:Period></agd:Arendeinformation>` +
		`<agd:Blankettinnehall>%[2]s</agd:Blankettinnehall></agd:Blankett>`
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><Skatteverket omrade="Arbetsgivardeklaration" xmlns="http://xmls.skatteverket.se/se/skatteverket/da/instans/schema/1.1"` +
		` xmlns:agd="http://xmls.skatteverket.se/se/skatteverket/da/komponent/schema/1.1"><agd:Avsandare><agd:Organisationsnummer>` + agiEmployer +
		`</agd:Organisationsnummer><agd:Skapad>2026-04-02T09:42:25</agd:Skapad></agd:Avsandare><agd:Blankettgemensamt><agd:Arbetsgivare><agd:AgRegistreradId>` + agiEmployer +
		`</agd:AgRegistreradId></agd:Arbetsgivare></agd:Blankettgemensamt>`)
	main := `<agd:HU><agd:ArbetsgivareHUGROUP><agd:AgRegistreradId faltkod="201">` + agiEmployer + `</agd:AgRegistreradId></agd:ArbetsgivareHUGROUP>` +
		`<agd:RedovisningsPeriod faltkod="006">` + period + `</agd:RedovisningsPeriod></agd:HU>`
	for _, s := range append([]string{main}, statements...) {
		fmt.Fprintf(&b, form, period, strings.ReplaceAll(s, "PERIOD", period))
	}
	b.WriteString(`</Skatteverket>`)
	return b.String()
}

// agiStatement is one about a person; kronor -1 takes it back.
func agiStatement(number string, specification int, kronor int64) string {
	value := fmt.Sprintf(`<agd:KontantErsattningUlagAG faltkod="011">%d</agd:KontantErsattningUlagAG>`, kronor)
	if kronor < 0 {
		value = `<agd:Borttag faltkod="205">1</agd:Borttag>`
	}
	return fmt.Sprintf(`<agd:IU><agd:ArbetsgivareIUGROUP><agd:AgRegistreradId faltkod="201">%s</agd:AgRegistreradId></agd:ArbetsgivareIUGROUP>`+
		`<agd:BetalningsmottagareIUGROUP><agd:BetalningsmottagareIDChoice><agd:BetalningsmottagarId faltkod="215">%s</agd:BetalningsmottagarId></agd:BetalningsmottagareIDChoice></agd:BetalningsmottagareIUGROUP>`+
		`<agd:RedovisningsPeriod faltkod="006">PERIOD</agd:RedovisningsPeriod><agd:Specifikationsnummer faltkod="570">%03d</agd:Specifikationsnummer>%s</agd:IU>`,
		agiEmployer, number, specification, value)
}

// agencyFolder is the tax agency's side of the folder.
type agencyFolder struct {
	t   *testing.T
	dir string
}

// deliver writes a file whole, as whoever delivers must.
func (a agencyFolder) deliver(name, text string) {
	a.t.Helper()
	dir := filepath.Join(a.dir, "SE-8020000017")
	must(a.t, os.MkdirAll(dir, 0o700))
	must(a.t, os.WriteFile(filepath.Join(dir, name+".part"), []byte(text), 0o600))
	must(a.t, os.Rename(filepath.Join(dir, name+".part"), filepath.Join(dir, name)))
}

func startSwedish(t *testing.T, db *sqlkit.DB) (*client, agencyFolder) {
	t.Helper()
	folder := agencyFolder{t, t.TempDir()}
	w := start(t, func(s *setup) {
		s.DB, s.cfg.SE.IncomeCondition, s.cfg.SE.AGI, s.cfg.Automation.Areas, s.cfg.Run.Resume = db, true, folder.dir, []string{"se"}, 20*time.Millisecond
		file, text := deal(swedishFund, "ROLE_FUND")
		s.Agreements[file] = text
	})
	return w.as(swedishFund, ""), folder
}

func (c *client) enrolSwede(i int, number string) {
	c.w.t.Helper()
	s, err := c.rpc.EnrolMembers(c.w.t.Context())
	_, err = stream(s, err, &incomev1.EnrolMembersRequest{Context: c.why(), Items: []*incomev1.Enrolment{{
		Handle: handleOf(i), NationalId: &commonv1.NationalId{Country: vocabularyv1.Country_COUNTRY_SE, Value: number},
	}}})
	must(c.w.t, err)
}

func (c *client) condition(i int, month string) (*incomev1.Decision, error) {
	out, err := c.rpc.AssessIncomeCondition(c.w.t.Context(), &incomev1.AssessIncomeConditionRequest{Context: c.why(), Handle: handleOf(i), Month: month})
	return out.GetDecision(), err
}

// becomes waits until the condition comes to something.
func (c *client) becomes(i int, month, outcome string, days int32) (d *incomev1.Decision) {
	c.w.t.Helper()
	within(c.w.t, 30*time.Second, outcome, func() bool {
		var err error
		d, err = c.condition(i, month)
		must(c.w.t, err)
		return outcomeOf(d) == outcome && d.GetFigures().GetDays() == days
	})
	return d
}

// The rows of B.12 from the tax agency's files to the decision, for the generator's Swedish members, on both databases: twelve months
// in twelve files, no statement where there is no income. What is replaced or taken back later counts as it is then; a file counts once; a bad one
// changes nothing.
func TestIncomeConditionFromDeclarations(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		t.Helper()
		c, agency := startSwedish(t, db)
		type row struct {
			Number int       `json:"row"`
			Kronor [12]int64 `json:"kronor"`
			Rule   string    `json:"rule"`
			Days   int32     `json:"days"`
		}
		people := cohort[row](t, "incomes.jsonl")[:12] // every row twice
		for _, p := range people {
			c.enrolSwede(p.Index, p.Person)
		}
		first := people[0].Index
		if d, err := c.condition(first, "2026-03"); err != nil || outcomeOf(d) != "INCOMPLETE" || d.GetState() == byMachine {
			t.Errorf("nothing was delivered yet: %v, %v", d, err)
		}
		for n := range 12 {
			period := time.Date(2025, time.Month(4+n), 1, 0, 0, 0, 0, time.UTC).Format("200601")
			var statements []string
			for _, p := range people {
				if k := p.Row.Kronor[n]; k > 0 { // in two statements of the same employer
					statements = append(statements, agiStatement(p.Person, 1, k-1000), agiStatement(p.Person, 2, 1000))
				}
			}
			agency.deliver(period+".xml", agiFile(period, statements...))
		}
		for _, p := range people {
			d := c.becomes(p.Index, "2026-03", p.Row.Rule, p.Row.Days)
			if d.GetState() != byMachine || d.GetRuleVersion() != "SE-2025-10" || d.GetLegalReference() != "SE:ALF-2024:506" || len(d.GetInputsDigest()) == 0 {
				t.Errorf("member %d: %v", p.Index, d)
			}
			again, err := c.condition(p.Index, "2026-03")
			must(t, err)
			if again.GetDecisionId() != d.GetDecisionId() {
				t.Errorf("member %d: asked again, it is decided anew", p.Index)
			}
		}
		number := people[0].Person                                                            // 12 × 11 000
		must(t, os.MkdirAll(filepath.Join(agency.dir, "SE-0000000000", "folder.xml"), 0o700)) // can't be read; others go on
		agency.deliver("a-bad.xml", agiFile("202603", agiStatement(number, 1, 0))[:900])
		agency.deliver("b-less.xml", agiFile("202603", agiStatement(number, 1, 9_999))) // 10 999 in all: eleven months count, and 131 999 kr
		c.becomes(first, "2026-03", "MAIN", 300)
		agency.deliver("c-back.xml", agiFile("202602", agiStatement(number, 1, -1))) // 1 000 are left: ten months count, 121 999 kr
		d := c.becomes(first, "2026-03", "MAIN", 200)
		if d.GetEarlierDecisionId() == "" || d.GetFigures().GetAmount() != 121_999_00 {
			t.Errorf("after the corrections: %v", d)
		}
		c.explained(t, d, map[incomev1.Language][]string{english: {"The main rule is met: 200 days; the benefit's base is 121999.00 kr."}})
		agency.deliver("d-again.xml", agiFile("202603", agiStatement(number, 1, 9_999))) // the same bytes as b: counted once
		agency.deliver("e-full.xml", agiFile("202602", agiStatement(number, 1, 10_000)))
		c.becomes(first, "2026-03", "MAIN", 300)
		if !strings.Contains(c.w.Logs.String(), "a-bad.xml") || strings.Contains(c.w.Logs.String(), number) {
			t.Error("the log must name the bad file, and nobody")
		}
	})
}

// Who is not enrolled can't be looked up, a frame that ended before the rule began is refused, and a number is never shown.
func TestIncomeConditionIsRefused(t *testing.T) {
	t.Parallel()
	c, _ := startSwedish(t, nil)
	_, err := c.condition(1, "2026-03")
	want(t, err, codes.NotFound, "SUBJECT_NOT_FOUND")
	c.enrolSwede(1, "199011062388")
	_, err = c.condition(1, "2025-08")
	want(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION")
	if d, err := c.condition(1, "2025-09"); err != nil || outcomeOf(d) != "INCOMPLETE" {
		t.Errorf("%v, %v", d, err)
	}
}
