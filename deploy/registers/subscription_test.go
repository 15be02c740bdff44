package registers_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"samvirke.dev/deploy/registers"
	"samvirke.dev/deploy/registers/persons"
)

func ages(from, to string) string {
	return "<s:AgeRange><s:StartAge>" + from + "</s:StartAge><s:EndAge>" + to + "</s:EndAge></s:AgeRange>"
}

func municipality(code string) string {
	return "<s:MunicipalityCode>" + code + "</s:MunicipalityCode>"
}
func changeCode(code string) string { return "<s:ChangeCode>" + code + "</s:ChangeCode>" }

// Every operation of the WSDL answers with what public clients expect, and all messages obey the official schema.
func TestSubscriptionOperations(t *testing.T) {
	t.Parallel()
	b := start(t)
	schema := filepath.Join(subscriptionContract(t), "CprSubscriptionServiceMsg.xsd")
	var docs [][]byte
	for _, step := range []struct{ operation, inside, want string }{
		{"AddPNRSubscription", pnr("0709614126"), "ADDED"},
		{"AddPNRSubscription", pnr("0709614126"), "ALREADY_EXISTED"},
		{"AddPNRSubscription", pnr("0709614045"), "ADDED"},
		{"AddPNRSubscription", pnr("0101010101"), "NON_EXISTING_PNR"},
		{"AddPNRSubscription", pnr("x"), "NON_EXISTING_PNR"},
		{"RemovePNRSubscription", pnr("0709614045"), "REMOVED"},
		{"RemovePNRSubscription", pnr("0709614045"), "NON_EXISTING_PNR"},
		{"AddAgeRangeSubscription", ages("0", "17"), "ADDED"},
		{"AddAgeRangeSubscription", ages("0", "17"), "ALREADY_EXISTED"},
		{"AddAgeRangeSubscription", ages("100", "120"), "ADDED"},
		{"RemoveAgeRangeSubscription", ages("100", "120"), "REMOVED"},
		{"RemoveAgeRangeSubscription", ages("100", "120"), "NON_EXISTING_PNR"},
		{"AddMunicipalityCodeSubscription", municipality("0851"), "ADDED"},
		{"AddMunicipalityCodeSubscription", municipality("851"), "ALREADY_EXISTED"},
		{"AddMunicipalityCodeSubscription", municipality("101"), "ADDED"},
		{"RemoveMunicipalityCodeSubscription", municipality("101"), "REMOVED"},
		{"AddChangeCodeSubscription", changeCode("A01"), "ADDED"},
		{"AddChangeCodeSubscription", changeCode("A21"), "ADDED"},
		{"RemoveChangeCodeSubscription", changeCode("A21"), "REMOVED"},
		{"GetAllFilters", "", "0 17 A01 851 0709614126"},
		{"RemoveAll", "<s:FilterGroup>AgeRange</s:FilterGroup>", "REMOVED"},
		{"GetAllFilters", "", "A01 851 0709614126"},
		{"RemoveAll", "<s:FilterGroup>EventChangeCode</s:FilterGroup>", "REMOVED"},
		{"RemoveAll", "<s:FilterGroup>MunicipalityCode</s:FilterGroup>", "REMOVED"},
		{"GetAllFilters", "", "0709614126"},
		{"RemoveAll", "<s:FilterGroup>PNR</s:FilterGroup>", "REMOVED"},
		{"GetAllFilters", "", ""},
	} {
		call := subscriptionCall(step.operation, step.inside)
		r := b.post(t, b.sim.SubscriptionURL(), "", envelope(call))
		docs = append(docs, []byte(call), inside(t, r.raw))
		var got []string
		for _, line := range answered(t, r) {
			if !strings.HasPrefix(line, step.operation+"Response") {
				t.Errorf("%s answered with %q", step.operation, line)
			}
			_, value, _ := strings.Cut(line, "} ")
			got = append(got, value)
		}
		if strings.Join(got, " ") != step.want {
			t.Errorf("%s %s: %q, want %q", step.operation, step.inside, got, step.want)
		}
	}
	validate(t, schema, docs...)
	if c := b.sim.SF1520Counts().Outcomes; c["subscription_added"] != 8 || c["subscription_filters"] != 4 || c["subscription_non_existing_pnr"] != 4 {
		t.Errorf("counted %v", c)
	}
}

func TestSubscriptionFaults(t *testing.T) {
	t.Parallel()
	b := start(t)
	call := func(operation, inside string) string { return subscriptionCall(operation, inside) }
	add := call("AddPNRSubscription", pnr("0709614126"))
	broken := [][]byte{}
	for name, c := range map[string]struct{ body, action, code string }{
		"no context":           {strings.Replace(add, invocation(registers.DefaultSubscription()), "", 1), "", "Client"},
		"no number":            {call("AddPNRSubscription", ""), "", "Client"},
		"long number":          {call("AddPNRSubscription", pnr("07096141260")), "", "Client"},
		"an age with letters":  {call("AddAgeRangeSubscription", ages("a", "17")), "", "Client"},
		"a negative age":       {call("AddAgeRangeSubscription", ages("-1", "17")), "", "Client"},
		"four digits of age":   {call("AddAgeRangeSubscription", ages("0", "1000")), "", "Client"},
		"half a range":         {call("AddAgeRangeSubscription", "<s:AgeRange><s:StartAge>1</s:StartAge></s:AgeRange>"), "", "Client"},
		"no range":             {call("AddAgeRangeSubscription", pnr("0709614126")), "", "Client"},
		"long municipality":    {call("AddMunicipalityCodeSubscription", municipality("10851")), "", "Client"},
		"long code":            {call("RemoveChangeCodeSubscription", changeCode("A010")), "", "Client"},
		"unknown group":        {call("RemoveAll", "<s:FilterGroup>ChangeCode</s:FilterGroup>"), "", "Client"},
		"something in GetAll":  {call("GetAllFilters", pnr("0709614126")), "", "Client"},
		"foreign action":       {add, "AddPNRSubscription", "Client"},
		"unknown operation":    {call("AddEverybody", ""), "", "Client"},
		"namespace of SF1520":  {strings.ReplaceAll(add, "CprSubscriptionService/1/", "CPR/PersonBaseDataExtended/4/"), "", "Client"},
		"context of SF1520":    {strings.Replace(add, "000000000005", "000000000004", 1), "", "Server"},
		"response for request": {call("AddPNRSubscriptionResponse", "<s:Result>ADDED</s:Result>"), "", "Client"},
	} {
		code, errs := fault(t, b.post(t, b.sim.SubscriptionURL(), c.action, envelope(c.body)))
		if code != c.code || c.code == "Server" && !slices.Equal(errs, []string{"184"}) {
			t.Errorf("%s: %s %v", name, code, errs)
		}
		if c.action == "" && c.code == "Client" {
			broken = append(broken, []byte(c.body))
		}
	}
	invalid(t, filepath.Join(subscriptionContract(t), "CprSubscriptionServiceMsg.xsd"), broken...)
	if n := b.sim.Subscribed(); len(n) > 0 {
		t.Errorf("subscribed to %v", n)
	}
}

// Whom the subscription service is told of is who comes in the next delivery.
func TestSubscriptionDrivesDeliveries(t *testing.T) {
	t.Parallel()
	b := start(t)
	const number = "0709614126"
	b.subscription(t, "AddPNRSubscription", pnr(number))
	if d, lines := b.deliver(t); d.Persons != 1 || len(of(lines, number, "001")) != 1 {
		t.Errorf("after adding: %v", d)
	}
	b.subscription(t, "RemovePNRSubscription", pnr(number))
	if d, lines := b.deliver(t); d.Persons != 0 || len(of(lines, number, "997")) != 1 {
		t.Errorf("after removing: %v %q", d, lines)
	}
	if err := b.sim.SetDanishProtection(number, persons.Marketing, true); err != nil {
		t.Fatal(err)
	}
	if d, lines := b.deliver(t); d.Persons+len(lines) != 0 {
		t.Errorf("after it was removed: %v %q", d, lines)
	}
}

// Filters put persons into deliveries: the inhabitants of a municipality as long as they live there, the young, and whoever has an event.
func TestFiltersDriveDeliveries(t *testing.T) {
	t.Parallel()
	b := start(t)
	danes, err := persons.Danes()
	if err != nil {
		t.Fatal(err)
	}
	living := 0
	for _, p := range danes {
		if p.Status < "30" && p.Address != nil && p.Address.Municipality == "0851" {
			living++
		}
	}
	b.subscription(t, "AddMunicipalityCodeSubscription", municipality("851"))
	d, lines := b.deliver(t)
	if d.Persons != living || living < 20 || len(of(lines, "0709614126", "002")) != 1 {
		t.Errorf("%d of %d inhabitants", d.Persons, living)
	}
	const leaving = "0709614126"
	moves := func(municipality string) {
		t.Helper()
		if err := b.sim.SetDanishAddress(leaving, persons.DanishAddress{
			Municipality: municipality, Road: "0001", House: "001", Standard: "Vej 1", Street: "Vej", PostalCode: "2100", District: "By",
		}); err != nil {
			t.Fatal(err)
		}
	}
	moves("0101")
	if d, lines = b.deliver(t); d.Persons != 1 || len(of(lines, leaving, "099")) != 1 {
		t.Errorf("who moves away comes once more: %v", d)
	}
	moves("0102")
	if d, lines = b.deliver(t); d.Persons+len(lines) != 0 {
		t.Errorf("who lives elsewhere comes: %v", d)
	}
	b.subscription(t, "AddChangeCodeSubscription", changeCode("A01"))
	if d, _ = b.deliver(t); d.Persons != 0 {
		t.Errorf("an event before the last delivery counts: %v", d)
	}
	moves("0103")
	if d, lines = b.deliver(t); d.Persons != 1 || len(of(lines, leaving, "099")) != 1 || field(of(lines, leaving, "099")[0], 26, 3) != "A01" {
		t.Errorf("an event: %v", d)
	}
	if err := b.sim.SetDanishProtection(leaving, persons.Marketing, true); err != nil {
		t.Fatal(err)
	}
	if d, _ = b.deliver(t); d.Persons != 0 {
		t.Errorf("another event: %v", d)
	}
	b.subscription(t, "RemoveMunicipalityCodeSubscription", municipality("0851"))
	if err := b.sim.SetDanishProtection("3012995007", persons.Marketing, true); err != nil {
		t.Fatal(err)
	}
	if d, _ = b.deliver(t); d.Persons != 0 {
		t.Errorf("after the filter is gone: %v", d)
	}
	b.subscription(t, "AddAgeRangeSubscription", ages("126", "127"))
	if d, lines = b.deliver(t); d.Persons != 1 || field(lines[0], 40, 10) != "1899-12-30" {
		t.Errorf("the old: %v %q", d, lines)
	}
}
