package members

// Move is a row of the table of transfers (domain.md, B.9).
type Move struct {
	Row      string `json:"row"`
	Country  string `json:"country"`
	Received string `json:"received"`
	Work     string `json:"work,omitempty"` // IN or OUT; empty where it decides nothing
	// Effective is the first day in the new fund, Ends the last one in the old.
	Effective string `json:"effective"`
	Ends      string `json:"ends"`
}

// Moves are the rows T01 to T10.
func Moves() []Move {
	return []Move{
		{"T01", Denmark, "2026-03-15", "IN", "2026-04-01", "2026-03-31"}, {"T02", Denmark, "2026-03-31", "IN", "2026-04-01", "2026-03-31"},
		{"T03", Denmark, "2026-04-01", "IN", "2026-05-01", "2026-04-30"}, {"T04", Denmark, "2026-03-15", "OUT", "2026-05-01", "2026-04-30"},
		{"T05", Denmark, "2026-01-31", "OUT", "2026-03-01", "2026-02-28"}, {"T06", Denmark, "2028-01-31", "OUT", "2028-03-01", "2028-02-29"},
		{"T07", Denmark, "2026-11-30", "OUT", "2027-01-01", "2026-12-31"}, {"T08", Sweden, "2026-03-31", "", "2026-04-01", "2026-03-31"},
		{"T09", Sweden, "2026-04-01", "", "2026-05-01", "2026-04-30"}, {"T10", Sweden, "2026-12-15", "", "2027-01-01", "2026-12-31"},
	}
}

// Cohorts beside the month's scenario: every so manieth member gets the rows of a table in turn. The first four count members of a
// country, the others all members.
const (
	everyKarens, everyShortening, everyDanishTransfer, everySwedishTransfer = 7, 11, 13, 5
	danishTransfers                                                         = 7 // of the rows; the others are Swedish
	everyProtection, everyOptOut, everyConsent                              = 17, 6, 9
)

// Dates of the cohorts about sharing (domain.md, B.8: I10 and I11). A consent of MIN lives a year.
const (
	OptedOut       = "2026-04-01" // before the run
	Consented      = "2025-11-23"
	ConsentLastDay = "2026-11-23"
	ConsentGone    = "2026-11-24"
)

// overlay puts the member into cohorts.
func (m *Member) overlay(nth int) {
	if m.Country == Denmark {
		m.Karens, m.Shortening = turn(nth, everyKarens, Chains), turn(nth, everyShortening, Ledgers)
		m.Transfer = turn(nth, everyDanishTransfer, func() []Move { return Moves()[:danishTransfers] })
	} else {
		m.Transfer = turn(nth, everySwedishTransfer, func() []Move { return Moves()[danishTransfers:] })
	}
	if level := turn(m.Index, everyProtection, func() []string { return levels(m.Country) }); level != nil {
		m.Protection = *level
	} else if m.Scenario.Protected {
		m.Protection = levels(Denmark)[0]
	}
	m.OptedOut, m.Consented = m.Index%everyOptOut == 0, m.Index%everyConsent == 0
}

// turn is the row of the nth member, or nil.
func turn[T any](nth, every int, table func() []T) *T {
	if nth%every != 0 {
		return nil
	}
	rows := table()
	return &rows[nth/every%len(rows)]
}

// levels are the levels of protection that a person of a country can have; each stands twice, because every second member of the cohort
// is of the other country.
func levels(country string) []string {
	if country == Sweden {
		return []string{"SE_SECRECY_MARK", "SE_SECRECY_MARK", "SE_PROTECTED_REGISTRATION", "SE_PROTECTED_REGISTRATION"}
	}
	return []string{"DK_NAME_ADDRESS", "DK_NAME_ADDRESS", "DK_SPECIAL", "DK_SPECIAL"}
}

// Protected says whether the member is protected, by the scenario or by a cohort: then no decision is automatic.
func (m *Member) Protected() bool { return m.Protection != "" }

// Campaign is what must come of sharing the member with a campaign's processor, for marketing on consent, on a day: the reasons against
// it in the order of the table, or none. Two days can be asked about: ConsentLastDay and ConsentGone.
func (m *Member) Campaign(day string) (reasons []string) {
	switch {
	case !m.Consented:
		reasons = append(reasons, "CONSENT_MISSING")
	case day == ConsentGone:
		reasons = append(reasons, "CONSENT_EXPIRED")
	}
	if m.OptedOut {
		reasons = append(reasons, "OPTED_OUT")
	}
	if m.Protected() {
		reasons = append(reasons, "PROTECTED")
	}
	return reasons
}
