package members

// Cohorts beside the month's scenario, independent of it (domain.md, D.2): every so manieth member gets the rows of a table in turn.
const (
	everyKarens, everyShortening, everyDanishTransfer, everySwedishTransfer = 7, 11, 13, 5 // of the country's members
	everyProtection, everyOptOut, everyConsent                              = 17, 6, 9     // of all members
)

// What the cohorts of all countries carry.
const (
	OptedOut  = "2026-03-01" // before the run
	Consented = "2025-11-23" // rows I10 and I11 of B.8: its last day is 2026-11-23
)

// inTurn is the row of the nth member of a cohort, or nil if the member is in none.
func inTurn[T any](nth, every int, rows []T) *T {
	if nth%every != 0 {
		return nil
	}
	return &rows[(nth/every)%len(rows)]
}

// cohorts puts the member into those that do not depend on the country.
func (m *Member) cohorts(i int) {
	levels := []string{"DK_NAME_ADDRESS", "DK_SPECIAL"}
	if m.Country == Sweden {
		levels = []string{"SE_SECRECY_MARK", "SE_PROTECTED_REGISTRATION"}
	}
	// The turn is taken within the country: of every seventeenth member each second one is of the same.
	if i%everyProtection == 0 {
		m.Protection = levels[(i/everyProtection/2)%len(levels)]
	}
	if i%everyOptOut == 0 {
		m.OptedOut = OptedOut
	}
	if i%everyConsent == 0 {
		m.Consented = Consented
	}
}

// dane and swede put the member into the cohorts of the country.
func (m *Member) dane(i int) {
	nth, rows := i/2, Scenarios(false)
	m.PartTime = (i/(2*len(rows)))%4 == 3
	m.Scenario = Scenarios(m.PartTime)[nth%len(rows)]
	m.Karens = inTurn(nth, everyKarens, KarensRows())
	m.Shortening = inTurn(nth, everyShortening, ShorteningRows())
	m.Transfer = inTurn(nth, everyDanishTransfer, transfersOf(Denmark))
}

func (m *Member) swede(i int) {
	nth := i / 2
	m.Income = inTurn(nth, 1, Incomes())
	m.Transfer = inTurn(nth, everySwedishTransfer, transfersOf(Sweden))
}

func transfersOf(country string) (out []Transfer) {
	for _, t := range TransferRows() {
		if t.Country == country {
			out = append(out, t)
		}
	}
	return out
}

// Days on which a campaign on consent is asked about (domain.md, B.8: I10 and I11): the last one of the consents, and the one after.
const (
	ConsentLastDay = "2026-11-23"
	ConsentGone    = "2026-11-24"
)

// Campaign is what must come of sharing the member with a campaign's processor, for marketing on consent, on one of the two days: the
// reasons against it in the order of the table, or none.
func (m *Member) Campaign(day string) (reasons []string) {
	switch {
	case m.Consented == "":
		reasons = append(reasons, "CONSENT_MISSING")
	case day == ConsentGone:
		reasons = append(reasons, "CONSENT_EXPIRED")
	}
	if m.OptedOut != "" {
		reasons = append(reasons, "OPTED_OUT")
	}
	if m.Protected() {
		reasons = append(reasons, "PROTECTED")
	}
	return reasons
}
