package insurance_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	"samvirke.dev/services/insurance"
	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/suitetest"
)

// The generator's members who are protected, have opted out or have consented (deploy/generate, domain.md D.2), in a campaign on consent
// on the last day of the consents and on the day after (I10, I11): every reason that must stand against it, and no other.
//
// covers: MIN-45 DFH-30
func TestSharingCohort(t *testing.T) {
	t.Parallel()
	file, err := os.Open(filepath.Join("..", "..", "deploy", "generate", "testdata", "cohorts", "sharing.jsonl"))
	must(t, err)
	defer func() { must(t, file.Close()) }()
	type person struct {
		Index     int  `json:"index"`
		Protected bool `json:"protected"`
		Row       struct {
			OptedOut  string `json:"opted_out"`
			Consented string `json:"consented"`
			Campaign  []struct {
				Day     string   `json:"day"`
				Reasons []string `json:"reasons"`
			} `json:"campaign"`
		} `json:"row"`
	}
	var people []person
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var p person
		must(t, json.Unmarshal(lines.Bytes(), &p))
		people = append(people, p)
	}
	noon := func(day string) time.Time {
		d, err := time.Parse(time.DateOnly, day)
		must(t, err)
		return d.Add(12 * time.Hour)
	}
	w := start(t, func(o *suitetest.Options, _ *insurance.Config) {
		clock, _ := o.Clock.(*shifted)
		clock.Advance(noon("2026-03-01").Sub(clock.Now())) // when the opt-outs are
	})
	fund := w.as(minDK, minDK)
	members := make([]*insurancev1.Member, 0, len(people))
	for _, p := range people {
		members = append(members, member(p.Index))
	}
	for len(members) > 0 {
		n := min(len(members), 100)
		_, err := fund.load(members[:n]...)
		must(t, err)
		members = members[n:]
	}
	for _, p := range people {
		if p.Protected {
			w.register.set(handle(p.Index), core.Standing{Protected: true})
		}
		if p.Row.OptedOut != "" {
			must(t, fund.optOut(p.Index))
		}
		if p.Row.Consented != "" {
			_, err := fund.fund.RecordConsent(t.Context(), &insurancev1.RecordConsentRequest{
				Context: fund.rights(), Handle: handle(p.Index), ConsentId: "c-1", ConsentedPurpose: marketing, ThirdPartyChannels: true,
				RegisteredOn: dateOf(noon(p.Row.Consented)), Channels: []insurancev1.ContactChannel{phoned},
			})
			must(t, err)
		}
	}
	shared := 0
	for day := range 2 {
		w.later(noon(people[0].Row.Campaign[day].Day).Sub(w.clock.Now()))
		must(t, fund.agree(campaign, insurancev1.PartnerClass_PARTNER_CLASS_PROCESSOR, marketing, consented, func(a *insurancev1.PartnerAgreement) { a.Version = uint32(day + 1) }))
		for _, p := range people {
			_, err := fund.send(fund.why(marketing, consented), campaign, p.Index)
			if len(p.Row.Campaign[day].Reasons) == 0 {
				must(t, err)
				shared++
				continue
			}
			wantReason(t, err, strings.Join(p.Row.Campaign[day].Reasons, ","))
		}
	}
	if shared == 0 {
		t.Error("nobody was shared")
	}
}
