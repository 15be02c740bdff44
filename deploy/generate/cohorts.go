package main

import (
	"encoding/json"
	"io"

	"samvirke.dev/deploy/generate/members"
)

// who is the member in a line of a cohort.
type who struct {
	Index     int    `json:"index"`
	Number    string `json:"number"`
	Protected bool   `json:"protected,omitempty"`
}

// cohort writes a line for each member of a cohort: line returns nil for the others.
func cohort(line func(who, *members.Member) any) func(io.Writer, []members.Member) error {
	return func(w io.Writer, all []members.Member) error {
		enc := json.NewEncoder(w)
		for i := range all {
			m := &all[i]
			l := line(who{m.Index, m.Number, m.Protected()}, m)
			if l == nil {
				continue
			}
			if err := enc.Encode(l); err != nil {
				return err
			}
		}
		return nil
	}
}

func waitingDays(w who, m *members.Member) any {
	if m.Karens == nil {
		return nil
	}
	return struct {
		who
		*members.Chain
	}{w, m.Karens}
}

func shortenings(w who, m *members.Member) any {
	if m.Shortening == nil {
		return nil
	}
	return struct {
		who
		*members.Ledger
	}{w, m.Shortening}
}

func incomes(w who, m *members.Member) any {
	if m.Income == nil {
		return nil
	}
	return struct {
		who
		*members.Income
	}{w, m.Income}
}

func transfers(w who, m *members.Member) any {
	if m.Transfer == nil {
		return nil
	}
	return struct {
		who
		*members.Move
	}{w, m.Transfer}
}

// campaign is what must come of a campaign on a day; no reasons: the member is shared.
type campaign struct {
	Day     string   `json:"day"`
	Reasons []string `json:"reasons"`
}

func sharing(w who, m *members.Member) any {
	if m.Protection == "" && !m.OptedOut && !m.Consented {
		return nil
	}
	l := struct {
		who

		Country    string     `json:"country"`
		Protection string     `json:"protection,omitempty"`
		OptedOut   string     `json:"opted_out_on,omitempty"`
		Consented  string     `json:"consented_on,omitempty"`
		Campaign   []campaign `json:"campaign"`
	}{who: w, Country: m.Country, Protection: m.Protection}
	if m.OptedOut {
		l.OptedOut = members.OptedOut
	}
	if m.Consented {
		l.Consented = members.Consented
	}
	for _, day := range []string{members.ConsentLastDay, members.ConsentGone} {
		l.Campaign = append(l.Campaign, campaign{day, m.Campaign(day)})
	}
	return l
}
