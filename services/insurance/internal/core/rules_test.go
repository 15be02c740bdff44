package core_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"samvirke.dev/services/insurance/internal/core"
)

// The controllers of domain.md, as their policies make them.
func dfh() *core.Policy {
	return &core.Policy{
		Controller: "DK:10000009", Classes: []core.Class{core.InsuranceAgency, core.PrintMail},
		Purposes: []core.Purpose{core.InsuranceOffer, core.UnionSales, core.MembershipAdmin},
	}
}

func led() *core.Policy {
	return &core.Policy{
		Controller: "SE:8020000017", Union: true, Purposes: core.Purposes(),
		Classes: []core.Class{core.IncomeInsurer, core.MemberInsurer, core.RightsSafeguard, core.Processor, core.GroupCompany},
	}
}

func sek() *core.Policy {
	return &core.Policy{
		Controller: "SE:8020000025", NoCommerce: true, Purposes: core.Purposes(), Classes: []core.Class{core.InsuranceAgency, core.PrintMail},
	}
}

func minA() *core.Policy {
	return &core.Policy{Controller: "DK:20000018", Purposes: core.Purposes(), Classes: []core.Class{core.Processor, core.PrintMail}, ConsentYears: 1}
}

func day(iso string) core.Day {
	d, err := core.ParseDay(iso)
	if err != nil {
		return core.Day{}
	}
	return d
}

func deal(class core.Class, purpose core.Purpose, bases ...core.Basis) *core.Agreement {
	return &core.Agreement{
		ID: "a-1", Version: 1, Partner: "DK:70000063", Class: class, Country: "DK", From: day("2026-01-01"), Until: day("2026-12-31"),
		Purposes: []core.AgreedPurpose{{Purpose: purpose, Bases: bases}}, Fields: core.RuleOf(class).Fields, BalancingID: "bal-1",
	}
}

// offer is I01: DFH to its agency, allowed.
func offer() core.Facts {
	return core.Facts{
		Policy: dfh(), Agreement: deal(core.InsuranceAgency, core.InsuranceOffer, core.Interest), Purpose: core.InsuranceOffer, Basis: core.Interest,
		Wanted: core.FullName | core.PhoneNumber | core.Email, Today: day("2026-11-23"), Balanced: true, Person: &core.PersonFacts{Channel: "SELF_SERVICE"},
	}
}

// income is LED to an income insurer, with the explicit consent.
func income() core.Facts {
	f := offer()
	f.Policy, f.Agreement = led(), deal(core.IncomeInsurer, core.IncomeInsuranceAdmin, core.Contract)
	f.Purpose, f.Basis, f.Special = core.IncomeInsuranceAdmin, core.Contract, core.ExplicitConsent
	f.Person.Consents = []core.Consent{{ID: "c-1", Purpose: core.IncomeInsuranceAdmin, Special: true, Registered: day("2026-01-02")}}
	return f
}

// memberOffer is LED to a member insurer, an offer on the balancing of interests, with the explicit consent.
func memberOffer() core.Facts {
	f := income()
	f.Agreement, f.Purpose, f.Basis = deal(core.MemberInsurer, core.MemberInsuranceOffer, core.Interest), core.MemberInsuranceOffer, core.Interest
	f.Person.Consents[0].Purpose = core.MemberInsuranceOffer
	return f
}

// campaign is MIN to a campaign processor, on consent registered 2025-11-23.
func campaign(today string) core.Facts {
	f := offer()
	f.Policy, f.Agreement = minA(), deal(core.Processor, core.Marketing, core.Consented)
	f.Purpose, f.Basis, f.Today = core.Marketing, core.Consented, day(today)
	f.Person.Consents = []core.Consent{{ID: "c-1", Purpose: core.Marketing, ThirdParty: true, Registered: day("2025-11-23")}}
	return f
}

func with(f core.Facts, edits ...func(*core.Facts)) core.Facts {
	for _, e := range edits {
		e(&f)
	}
	return f
}

func optedOut(f *core.Facts) { f.Person.Refusals = append(f.Person.Refusals, core.Refusal{}) }
func objected(f *core.Facts) { f.Person.Objected = true }
func expired(f *core.Facts)  { f.Agreement.Until = day("2026-11-22") }

// The worked examples of domain rule B.8 and more of each of its rows.
//
// covers: SEK-10 LED-12 LED-13 LED-20 LED-26 MIN-19 MIN-27 MIN-28 MIN-29 MIN-32 MIN-45 DFH-10 DFH-24 DFH-28 DFH-29 DFH-30 DFH-47 GAP-06 ACT-11
// covers: ACT-16
func TestDecisionTable(t *testing.T) {
	t.Parallel()
	all := func(rs ...core.Reason) core.Reasons { return rs }
	for name, c := range map[string]struct {
		facts core.Facts
		want  core.Reasons
	}{
		"I01 offer to the agency":                    {offer(), nil},
		"I02 e-mail missing in the record":           {with(offer(), func(f *core.Facts) { f.Wanted = core.FullName | core.PhoneNumber }), nil},
		"I03 asks for the address too":               {with(offer(), func(f *core.Facts) { f.Wanted |= core.Address }), all(core.FieldsExceed)},
		"I04 opted out":                              {with(offer(), optedOut), all(core.OptedOut)},
		"I05 protected":                              {with(offer(), func(f *core.Facts) { f.Person.Protected = true }), all(core.Protected)},
		"I06 administration in spite of objection":   {with(income(), objected), nil},
		"I07 offer with objection":                   {with(memberOffer(), objected), all(core.OptedOut)},
		"I08 income insurer without art. 9":          {with(income(), func(f *core.Facts) { f.Person.Consents = nil }), all(core.Art9Missing)},
		"I08 art. 9 on record but not claimed":       {with(income(), func(f *core.Facts) { f.Special = "" }), all(core.Art9Missing)},
		"I09 no commerce although agreed":            {with(offer(), func(f *core.Facts) { f.Policy = sek() }), all(core.CommercialForbidden)},
		"I09 no commerce and not agreed":             {with(offer(), func(f *core.Facts) { f.Policy = sek(); f.Purpose = core.UnionSales }), all(core.PurposeNotAgreed, core.CommercialForbidden)},
		"I10 consent on its last day":                {campaign("2026-11-23"), nil},
		"I11 consent the day after":                  {campaign("2026-11-24"), all(core.ConsentExpired)},
		"I12 third country":                          {with(offer(), func(f *core.Facts) { f.Agreement.Country = "US" }), all(core.ThirdCountry)},
		"I12 third country with a ground":            {with(offer(), func(f *core.Facts) { f.Agreement.Country, f.Agreement.Transfer = "US", "A46-2-c" }), nil},
		"I12 Norway is no third country":             {with(offer(), func(f *core.Facts) { f.Agreement.Country = "NO" }), nil},
		"I13 opt-out and expired agreement":          {with(offer(), optedOut, expired), all(core.AgreementInactive, core.OptedOut)},
		"P1 before the first day":                    {with(offer(), func(f *core.Facts) { f.Today = day("2025-12-31") }), all(core.AgreementInactive)},
		"P1 first day":                               {with(offer(), func(f *core.Facts) { f.Today = day("2026-01-01") }), nil},
		"P1 last day":                                {with(offer(), func(f *core.Facts) { f.Today = day("2026-12-31") }), nil},
		"P1 no agreement":                            {with(offer(), func(f *core.Facts) { f.Agreement = nil }), all(core.AgreementInactive)},
		"P2 no policy":                               {with(offer(), func(f *core.Facts) { f.Policy = nil }), all(core.PurposeNotAgreed)},
		"P2 controller has no such class":            {with(offer(), func(f *core.Facts) { f.Policy.Classes = nil }), all(core.PurposeNotAgreed)},
		"P2 class can't have the purpose":            {with(offer(), func(f *core.Facts) { f.Agreement.Class = core.GroupCompany; f.Wanted = core.FullName }), all(core.PurposeNotAgreed)},
		"P4 offer on a legal obligation":             {with(offer(), func(f *core.Facts) { f.Basis = core.Obligation }), all(core.BasisInvalid)},
		"P4 DFH offer on consent":                    {with(offer(), func(f *core.Facts) { f.Basis = core.Consented }), all(core.BasisInvalid)},
		"P4 no balancing":                            {with(offer(), func(f *core.Facts) { f.Balanced = false }), all(core.BalancingMissing)},
		"P4 no consent":                              {with(campaign("2026-11-23"), func(f *core.Facts) { f.Person.Consents = nil }), all(core.ConsentMissing)},
		"P4 consent to another purpose":              {with(campaign("2026-11-23"), func(f *core.Facts) { f.Person.Consents[0].Purpose = core.Newsletter }), all(core.ConsentMissing)},
		"P4 consent to another partner":              {with(campaign("2026-11-23"), func(f *core.Facts) { f.Person.Consents[0].Partner = "DK:1" }), all(core.ConsentMissing)},
		"P4 consent without third parties":           {with(campaign("2026-11-23"), func(f *core.Facts) { f.Person.Consents[0].ThirdParty = false }), all(core.ConsentMissing)},
		"P4 withdrawn":                               {with(campaign("2026-11-23"), func(f *core.Facts) { f.Person.Consents[0].Withdrawn = true }), all(core.ConsentWithdrawn)},
		"P4 consent of tomorrow":                     {with(campaign("2025-11-22"), func(f *core.Facts) { f.Agreement.From = day("2025-01-01") }), all(core.ConsentMissing)},
		"P4 outside MIN a consent lives on":          {with(campaign("2026-11-24"), func(f *core.Facts) { f.Policy.ConsentYears = 0 }), nil},
		"P4 withdrawal does not stop a contract":     {with(income(), func(f *core.Facts) { f.Policy.Union = false; f.Person.Consents[0].Withdrawn = true }), nil},
		"P5 explicit consent withdrawn":              {with(income(), func(f *core.Facts) { f.Person.Consents[0].Withdrawn = true }), all(core.Art9Missing)},
		"P5 consent that is not explicit":            {with(income(), func(f *core.Facts) { f.Person.Consents[0].Special = false }), all(core.Art9Missing)},
		"P6 opt-out of another partner":              {with(offer(), func(f *core.Facts) { f.Person.Refusals = []core.Refusal{{Partner: "DK:1"}} }), nil},
		"P6 opt-out of another purpose":              {with(offer(), func(f *core.Facts) { f.Person.Refusals = []core.Refusal{{Purpose: core.UnionSales}} }), nil},
		"P6 opt-out of this partner":                 {with(offer(), func(f *core.Facts) { f.Person.Refusals = []core.Refusal{{Partner: "DK:70000063"}} }), all(core.OptedOut)},
		"P6 opt-out does not stop administration":    {with(income(), optedOut), nil},
		"P8 restricted":                              {with(income(), func(f *core.Facts) { f.Person.Restricted = true }), all(core.Restricted)},
		"P10 less than agreed":                       {with(offer(), func(f *core.Facts) { f.Wanted = core.Email }), nil},
		"P10 more than agreed though the class may":  {with(offer(), func(f *core.Facts) { f.Agreement.Fields = core.Email }), all(core.FieldsExceed)},
		"P11 data from the employment agency's chat": {with(offer(), func(f *core.Facts) { f.Person.Channel = "AF_CHAT" }), all(core.SourceForbidden)},
		"group company without art. 9":               {with(memberOffer(), group, func(f *core.Facts) { f.Special = "" }), all(core.Art9Missing)},
		"group company, activities of the union":     {with(memberOffer(), group, func(f *core.Facts) { f.Special = core.LegitimateActivities }), nil},
		"group company without balancing":            {with(memberOffer(), group, func(f *core.Facts) { f.Special, f.Balanced = core.LegitimateActivities, false }), all(core.BalancingMissing)},
		"group company for another purpose":          {with(memberOffer(), group, func(f *core.Facts) { f.Special, f.Purpose = core.LegitimateActivities, core.Marketing }), all(core.PurposeNotAgreed)},
		"information of members knows no opt-out":    {with(letters(core.MembershipAdmin), objected, optedOut), nil},
		"a newsletter does":                          {with(letters(core.Newsletter), objected), all(core.OptedOut)},
		"member insurer, activities are not enough":  {with(memberOffer(), func(f *core.Facts) { f.Special = core.LegitimateActivities }), all(core.Art9Missing)},
		"the union's processor needs no art. 9":      {with(campaign("2026-11-23"), func(f *core.Facts) { f.Policy.Union = true }), nil},
		"everything wrong at once, in order":         {with(offer(), optedOut, expired, everythingElse), all(core.AgreementInactive, core.BalancingMissing, core.OptedOut, core.Protected, core.Restricted, core.ThirdCountry, core.FieldsExceed, core.SourceForbidden)},
		"a share that has ended":                     {with(offer(), func(f *core.Facts) { f.Person.Ended = true }), all(core.ShareEnded)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := core.Decide(c.facts); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// letters are what a controller has printed and posted: information that goes with the membership, or a newsletter.
func letters(p core.Purpose) core.Facts {
	basis := core.Obligation
	if p == core.Newsletter {
		basis = core.Interest
	}
	f := offer()
	f.Policy.Purposes = append(f.Policy.Purposes, p)
	f.Agreement, f.Purpose, f.Basis, f.Wanted = deal(core.PrintMail, p, basis), p, basis, core.FullName|core.Address
	return f
}

func group(f *core.Facts) {
	f.Agreement, f.Purpose = deal(core.GroupCompany, core.KnowledgeExchange, core.Interest), core.KnowledgeExchange
}

func everythingElse(f *core.Facts) {
	f.Balanced, f.Agreement.Country, f.Wanted = false, "US", core.Address
	f.Person.Protected, f.Person.Restricted, f.Person.Channel, f.Person.Ended = true, true, "AF_TELIA", true
}

// A protected person is nobody to a partner: it is told what it would be told of somebody unknown (P7).
//
// covers: SEC-06
func TestProtectedLooksUnknown(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := randomFacts(t)
		nobody := f
		nobody.Person = nil
		f.Person.Protected = true
		told, unknown := core.Decide(f).ToPartner()
		want := core.Decide(nobody)
		if unknown != (len(want) == 0) || !slices.Equal(told, want) && len(told)+len(want) > 0 {
			t.Fatalf("told %v (unknown %t), of nobody %v", told, unknown, want)
		}
	})
}

// Whatever else holds, these facts never pass.
func TestNeverAllowed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := randomFacts(t)
		denied := len(core.Decide(f)) > 0
		marketing := slices.Contains([]core.Purpose{
			core.Marketing, core.InsuranceOffer, core.UnionSales, core.MemberInsuranceOffer, core.Newsletter, core.Winback}, f.Purpose)
		switch {
		case denied:
		case f.Person.Protected, f.Person.Restricted, f.Person.Ended, f.Agreement == nil, f.Policy == nil:
			t.Fatal("passed")
		case marketing && (f.Person.Objected || len(f.Person.Refusals) > 0 && f.Person.Refusals[0] == core.Refusal{}):
			t.Fatal("passed in spite of an opt-out")
		case f.Wanted&^core.RuleOf(f.Agreement.Class).Fields != 0:
			t.Fatal("more than the class may have")
		case f.Policy.NoCommerce && marketing && f.Purpose != core.Newsletter && f.Purpose != core.Winback:
			t.Fatal("commerce")
		}
	})
}

// More trouble never lifts a refusal, and reasons never repeat.
func TestDenyWins(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := randomFacts(t)
		before := core.Decide(f)
		worse := f
		p := *f.Person
		worse.Person = &p
		p.Objected, p.Restricted = true, true
		after := core.Decide(worse)
		for _, r := range before {
			if r != core.ShareEnded && !slices.Contains(after, r) {
				t.Fatalf("%s went away", r)
			}
		}
		seen := map[core.Reason]bool{}
		for _, r := range after {
			if seen[r] {
				t.Fatalf("%s twice", r)
			}
			seen[r] = true
		}
	})
}

func randomFacts(t *rapid.T) core.Facts {
	classes := []core.Class{core.InsuranceAgency, core.IncomeInsurer, core.MemberInsurer, core.Processor, core.PrintMail, core.GroupCompany, core.RightsSafeguard}
	bases := []core.Basis{core.Consented, core.Contract, core.Obligation, core.Interest}
	purpose := rapid.SampledFrom(core.Purposes())
	f := core.Facts{
		Purpose: purpose.Draw(t, "purpose"), Basis: rapid.SampledFrom(bases).Draw(t, "basis"), Balanced: rapid.Bool().Draw(t, "balanced"),
		Special: rapid.SampledFrom([]core.Special{"", core.ExplicitConsent, core.LegitimateActivities}).Draw(t, "special"),
		Wanted:  core.Fields(rapid.Uint16Range(0, 0x3ff).Draw(t, "wanted")) &^ 1, Today: day("2026-11-23"),
		Person: &core.PersonFacts{
			Objected: rapid.Bool().Draw(t, "objected"), Restricted: rapid.Bool().Draw(t, "restricted"), Protected: rapid.Bool().Draw(t, "protected"),
			Ended: rapid.Bool().Draw(t, "ended"), Channel: rapid.SampledFrom([]string{"SELF_SERVICE", "AF_CHAT"}).Draw(t, "channel"),
		},
	}
	if rapid.Bool().Draw(t, "policy") {
		f.Policy = &core.Policy{
			Classes: rapid.SliceOf(rapid.SampledFrom(classes)).Draw(t, "classes"), Purposes: rapid.SliceOf(purpose).Draw(t, "purposes"),
			NoCommerce: rapid.Bool().Draw(t, "commerce"), Union: rapid.Bool().Draw(t, "union"), ConsentYears: rapid.IntRange(0, 2).Draw(t, "years"),
		}
	}
	if rapid.Bool().Draw(t, "agreement") {
		f.Agreement = deal(rapid.SampledFrom(classes).Draw(t, "class"), purpose.Draw(t, "agreed"), bases...)
		f.Agreement.Country = rapid.SampledFrom([]string{"DK", "US"}).Draw(t, "country")
	}
	if rapid.Bool().Draw(t, "consent") {
		f.Person.Consents = []core.Consent{{
			Purpose: f.Purpose, Special: rapid.Bool().Draw(t, "explicit"), ThirdParty: true, Registered: day("2025-11-23"),
			Withdrawn: rapid.Bool().Draw(t, "withdrawn"),
		}}
	}
	if rapid.Bool().Draw(t, "refusal") {
		f.Person.Refusals = []core.Refusal{{}}
	}
	return f
}

// covers: MIN-45
func TestConsentYears(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{"2025-11-23": "2026-11-23", "2024-02-29": "2025-02-28", "2027-02-28": "2028-02-28"} {
		if got := minA().LastDay(core.Consent{Registered: day(from)}).String(); got != want {
			t.Errorf("%s: %s, want %s", from, got, want)
		}
	}
	if _, err := core.NewDay(2026, 2, 29); err == nil {
		t.Error("29 February 2026")
	}
}
