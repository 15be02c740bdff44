package direkte_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr/direkte"
)

// demoDay is when the published delivery was made.
func demoDay() civil.Date { return civil.Date{Year: 2001, Month: 11, Day: 19} }

// Every column of the published table is found in the published answers.
//
// covers: REG-02
func TestPublishedAnswersFieldByField(t *testing.T) {
	t.Parallel()
	persons := demoPersons(t)
	for number, answer := range demo(t) {
		got := map[string]string{"modulus11": "nej"}
		var kinds, protections []string
		s := direkte.New().NewScanner(bytes.NewReader(joined(answer)))
		for s.Scan() {
			r := s.Record()
			if name := fmt.Sprintf("%03d", r.Type); !slices.Contains(kinds, name) {
				kinds = append(kinds, name)
			}
			for column, field := range columns(r.Type) {
				got[column] = r.Text(field)
			}
			if r.Type == 4 {
				protections = append(protections,
					r.Text("BESKYTTYPE")+":"+r.Text("START_DT-BESKYTTELSE")+".."+r.Text("SLET_DT-BESKYTTELSE"))
			}
			if !r.Known() {
				t.Errorf("%s: a record that is not known", number)
			}
		}
		if err := s.Err(); err != nil || s.Line() != len(answer) {
			t.Errorf("%s: %v after %d lines", number, err, s.Line())
		}
		if n := dk(t, number); n.Warnings() == 0 {
			got["modulus11"] = "ja"
		}
		slices.Sort(kinds)
		got["poster"] = strings.Join(kinds[1:len(kinds)-1], " ")
		got["beskyttelser"] = strings.Join(protections, " ")
		for column, want := range persons[number] {
			if got[column] != want {
				t.Errorf("%s: %s is %q, want %q", number, column, got[column], want)
			}
		}
		if len(persons[number]) != 24 {
			t.Errorf("%s: compared %d columns", number, len(persons[number]))
		}
	}
}

// columns says which field of a record the table shows in which column.
func columns(record int) map[string]string {
	switch record {
	case 1:
		return map[string]string{
			"pnr": "PNR", "gaeldende": "PNRGAELD", "status": "STATUS", "status_fra": "STATUSHAENSTART", "koen": "KOEN",
			"foedt": "FOED_DT", "stilling": "STILLING",
		}
	case 3:
		return map[string]string{
			"adresse": "STANDARDADR", "postnr": "POSTNR", "postdistrikt": "POSTDISTTXT", "kommunekode": "KOMKOD", "vejkode": "VEJKOD",
		}
	case 5:
		return map[string]string{"udrejseland": "UDR_LANDEKOD", "udrejst": "UDRDTO"}
	case 7:
		return map[string]string{"forsvundet": "FORSVINDDTO"}
	case 8:
		return map[string]string{"adressenavn": "ADRNVN", "fornavn": "FORNVN", "mellemnavn": "MELNVN", "efternavn": "EFTERNVN"}
	case 10:
		return map[string]string{"statsborger": "LANDEKOD"}
	case 12:
		return map[string]string{"civilstand": "CIVST"}
	default:
		return nil
	}
}

// asDelivery makes the published answers one delivery again: the persons first, then their addresses, in another order.
func asDelivery(t *testing.T, answers map[string][]string, apart bool) []byte {
	t.Helper()
	var all, addresses []string
	for _, number := range slices.Sorted(maps.Keys(answers)) {
		for _, line := range answers[number] {
			switch line[:3] {
			case "000", "999":
			case "003":
				if apart {
					addresses = append(addresses, line)
				} else {
					all = append(all, line)
				}
			default:
				all = append(all, line)
			}
		}
	}
	slices.SortFunc(addresses, func(a, b string) int { return strings.Compare(a[115:], b[115:]) })
	all = append(all, addresses...)
	head := answers["0101005038"][0]
	return joined(append(append([]string{head}, all...), fmt.Sprintf("9999999999999%08d", len(all))))
}

// covers: REG-02
func TestPublishedPersons(t *testing.T) {
	t.Parallel()
	answers, rows := demo(t), demoPersons(t)
	updates := mustApply(t, asDelivery(t, answers, false))
	if len(updates) != len(answers) {
		t.Fatalf("%d updates", len(updates))
	}
	for _, u := range updates {
		comparePerson(t, rows[u.Number.Canonical()[3:]], u)
	}
	if diff := cmp.Diff(updates, mustApply(t, asDelivery(t, answers, true)), byValue()); strings.Contains(diff, "Address") {
		t.Error("addresses that stand apart change the persons")
	}
}

// byValue compares numbers, which have no exported fields, and leaves out where somebody stands.
func byValue() cmp.Option {
	return cmp.Options{
		cmp.Comparer(func(a, b nationalid.Number) bool { return a == b }),
		cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Line" }, cmp.Ignore()),
	}
}

func comparePerson(t *testing.T, row map[string]string, u direkte.Update) {
	t.Helper()
	p := u.Person
	if row["gaeldende"] != "" {
		if p != nil || u.Superseded == nil {
			t.Errorf("%s: a replaced number gives a person", row["pnr"])
			return
		}
		p = u.Superseded
		if p.Number.Canonical() != "DK:"+row["gaeldende"] || !slices.Contains(p.Earlier, u.Number) {
			t.Errorf("%s: does not lead to the number in force", row["pnr"])
		}
	}
	if p == nil {
		t.Errorf("%s: no person", row["pnr"])
		return
	}
	got := map[string]string{
		"status": p.RegisterState, "foedt": p.Birth.String(), "fornavn": p.Name.Given, "mellemnavn": p.Name.Middle,
		"efternavn": p.Name.Family, "adressenavn": p.Name.Addressing,
	}
	for column, value := range got {
		if value != row[column] {
			t.Errorf("%s: %s is %q, want %q", row["pnr"], column, value, row[column])
		}
	}
	if p.Source != core.SourcePublicRegister || civil.Of(p.RegisterTime) != demoDay() || p.Memberships != nil {
		t.Errorf("%s: source, time or memberships", row["pnr"])
	}
	switch {
	case row["adresse"] == "" && row["udrejst"] == "":
		if p.Address != nil {
			t.Errorf("%s: an address from nowhere", row["pnr"])
		}
	case p.Address == nil:
		t.Errorf("%s: no address", row["pnr"])
	case row["adresse"] != "":
		if a := p.Address; !slices.Contains(a.Lines, row["adresse"]) || a.PostalCode != row["postnr"] || a.City != row["postdistrikt"] ||
			a.Country != "DK" {
			t.Errorf("%s: the address differs", row["pnr"])
		}
	}
	if (row["status"] == "90") == p.Death.IsZero() {
		t.Errorf("%s: death", row["pnr"])
	}
	compareProtections(t, row, p)
}

func compareProtections(t *testing.T, row map[string]string, p *core.Person) {
	t.Helper()
	var want []core.Protection
	for text := range strings.FieldsSeq(row["beskyttelser"]) {
		var kind core.ProtectionKind
		switch text[:4] {
		case "0001":
			kind = core.ProtectionDKNameAddress
		case "0003":
			kind = core.ProtectionAdBlock
		default:
			continue
		}
		since, _ := civil.Parse(text[5:15])
		end, _ := civil.Parse(text[17:])
		if end.CertainlyAfter(demoDay()) {
			end = civil.Date{}
		}
		want = append(want, core.Protection{Kind: kind, Since: since, Ended: end})
	}
	if diff := cmp.Diff(want, p.Protections); diff != "" {
		t.Errorf("%s: protections: %s", row["pnr"], diff)
	}
}

// What single published persons are known for.
func TestPublishedPeculiarities(t *testing.T) {
	t.Parallel()
	by := map[string]direkte.Update{}
	for _, u := range mustApply(t, asDelivery(t, demo(t), true)) {
		by[u.Number.Canonical()[3:]] = u
	}
	if p := by["0709614738"].Person; p.Address.Country != "SE" || p.Address.Lines[0] != "Grantoften 4" || len(p.Address.Lines) != 5 {
		t.Error("the emigrant's foreign address")
	}
	if a := by["0709614495"].Person.Address; a.CareOf != "c/o Andersen" || len(a.Lines) != 1 {
		t.Error("supplementary lines beside a road")
	}
	if e := by["0707614226"].Events[0]; e.Code != "A21" || e.Meaning != direkte.MeaningRelated {
		t.Error("the widow is dead")
	}
	if u := by["0307610078"]; u.Events[0].Meaning != direkte.MeaningReplaced || len(u.Person.Earlier) != 1 ||
		u.Person.Earlier[0] != dk(t, "0708614246") {
		t.Error("the number in force does not know the one before")
	}
	if d := by["0709614126"].Doubts; d != 0 {
		t.Error("doubts from nowhere")
	}
	if u := by["1307610015"]; !u.Doubts.Has(direkte.DoubtNameCharacters) {
		t.Error("the mark at the name")
	}
}

// covers: REG-02
func TestPublishedAnswersOnLine(t *testing.T) {
	t.Parallel()
	reader, layouts := direkte.New(), map[string]int{}
	for _, l := range direkte.Layouts() {
		layouts[fmt.Sprintf("%03d", l.Type)] = l.Length
	}
	answers := demo(t)
	for _, u := range mustApply(t, asDelivery(t, answers, false)) {
		records := answers[u.Number.Canonical()[3:]]
		var wide strings.Builder
		for _, line := range records {
			wide.WriteString(line + strings.Repeat(" ", layouts[line[:3]]-len(line)))
		}
		ask := request(u.Number)
		for form, data := range map[string]string{"wide": wide.String(), "lines": string(joined(records))} {
			if len(data) > 2880 {
				continue // CPR would leave something out
			}
			raw := answerTo(ask, "00", data)
			got, err := reader.ParseAnswer(raw, ask, demoDay())
			if err != nil || !got.HasFacts {
				t.Errorf("%s: %v", form, err)
				continue
			}
			if diff := cmp.Diff(u, got.Update, byValue()); diff != "" {
				t.Errorf("%s: the answer differs from the delivery", form)
			}
		}
	}
}
