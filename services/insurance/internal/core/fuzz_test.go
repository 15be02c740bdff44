package core_test

import (
	"slices"
	"testing"

	"samvirke.dev/services/insurance/internal/core"
)

// FuzzDecide holds the decision to what may never be otherwise, whatever the facts: a no, a protection, a restriction, a controller without
// commerce, an agreement that is not in force each stop the data, and what a partner is told of somebody protected is what it would be told
// of nobody.
func FuzzDecide(f *testing.F) {
	f.Add(uint16(0), uint8(0), uint8(0), uint16(7), false)
	f.Add(uint16(0xffff), uint8(5), uint8(2), uint16(0xffff), true)
	f.Add(uint16(0b1010101), uint8(3), uint8(1), uint16(14), true)
	f.Fuzz(func(t *testing.T, bits uint16, purpose, basis uint8, fields uint16, special bool) {
		bit := func(n int) bool { return bits&(1<<n) != 0 }
		today := core.Day{Year: 2026, Month: 11, Day: 23}
		p := core.Purposes()[int(purpose)%len(core.Purposes())]
		b := []core.Basis{core.Consented, core.Contract, core.Interest}[int(basis)%3]
		classes := []core.Class{core.InsuranceAgency, core.IncomeInsurer, core.MemberInsurer, core.PrintMail, core.Processor, core.GroupCompany, core.RightsSafeguard}
		class := classes[int(bits>>8)%len(classes)]
		until := today
		if bit(0) {
			until = core.Day{Year: 2026, Month: 11, Day: 22}
		}
		facts := core.Facts{
			Policy:    &core.Policy{Controller: "DK:10000009", Classes: classes, Purposes: core.Purposes(), NoCommerce: bit(1), Union: bit(2)},
			Agreement: &core.Agreement{Class: class, Country: "DK", Purposes: []core.AgreedPurpose{{Purpose: p, Bases: []core.Basis{b}}}, Fields: core.RuleOf(class).Fields, From: core.Day{Year: 2020, Month: 1, Day: 1}, Until: until},
			Purpose:   p, Basis: b, Wanted: core.Fields(fields), Today: today, Balanced: true,
			Person: &core.PersonFacts{Protected: bit(3), Restricted: bit(4), Objected: bit(5)},
		}
		if special {
			facts.Special = core.ExplicitConsent
		}
		reasons := core.Decide(facts)
		for reason, must := range map[core.Reason]bool{
			core.AgreementInactive: bit(0), core.Protected: bit(3), core.Restricted: bit(4),
			core.FieldsExceed: !core.Fields(fields).Within(core.RuleOf(class).Fields),
		} {
			if slices.Contains(reasons, reason) != must {
				t.Errorf("%s: %v of %v", reason, slices.Contains(reasons, reason), reasons)
			}
		}
		told, unknown := reasons.ToPartner()
		facts.Person = nil
		nobody := core.Decide(facts)
		if bit(3) && (!slices.Equal(told, nobody) || unknown != (len(nobody) == 0)) {
			t.Errorf("of somebody protected: %v, of nobody: %v", told, nobody)
		}
	})
}
