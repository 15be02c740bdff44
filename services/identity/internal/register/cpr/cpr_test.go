package cpr_test

import (
	"testing"

	"samvirke.dev/services/identity/internal/register/cpr"
)

// covers: REG-02
func TestStates(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]struct {
		post     cpr.Post
		replaced bool
		special  bool
		country  string
	}{
		"01": {cpr.PostRegistered, false, false, "DK"},
		"03": {cpr.PostContact, false, true, "DK"},
		"05": {cpr.PostRegistered, false, false, "GL"},
		"07": {cpr.PostContact, false, true, "GL"},
		"20": {cpr.PostElsewhere, false, false, "DK"},
		"30": {cpr.PostNowhere, false, false, "DK"},
		"50": {cpr.PostNowhere, true, false, "DK"},
		"60": {cpr.PostNowhere, true, false, "DK"},
		"70": {cpr.PostNowhere, false, false, "DK"},
		"80": {cpr.PostAbroad, false, false, "DK"},
		"90": {cpr.PostNowhere, false, false, "DK"},
		"":   {cpr.PostNowhere, false, false, "DK"},
		"10": {cpr.PostNowhere, false, false, "DK"},
		"1":  {cpr.PostNowhere, false, false, "DK"},
	} {
		if cpr.PostFor(state) != want.post || cpr.Replaced(state) != want.replaced ||
			cpr.SpecialRoad(state, 1) != want.special || cpr.HomeCountry(state) != want.country {
			t.Errorf("state %q", state)
		}
	}
}

func TestCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]bool{0: false, 9899: false, 9900: true, 9999: true, 10000: false} {
		if cpr.SpecialRoad(cpr.StateResident, code) != want {
			t.Errorf("road %d", code)
		}
	}
	for code, want := range map[int]string{5100: "DK", 5120: "SE", 5180: "DE", 5999: "", 0: ""} {
		if cpr.Country(code) != want {
			t.Errorf("country %d", code)
		}
	}
}
