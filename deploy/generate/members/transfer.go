package members

// Transfer is a row of the fund transfer's dates (domain.md, B.9).
type Transfer struct {
	Row      string `json:"row"`
	Country  string `json:"country"`
	Received string `json:"received"` // DK: the application at the new fund; SE: the exit request at the old one
	InWork   bool   `json:"in_work,omitempty"`
	Begins   string `json:"begins"` // membership of the new fund
	Ends     string `json:"ends"`   // last day in the old fund
}

// TransferRows are the rows T01 to T10.
func TransferRows() []Transfer {
	return []Transfer{
		{"T01", Denmark, "2026-03-15", true, "2026-04-01", "2026-03-31"},
		{"T02", Denmark, "2026-03-31", true, "2026-04-01", "2026-03-31"},
		{"T03", Denmark, "2026-04-01", true, "2026-05-01", "2026-04-30"},
		{"T04", Denmark, "2026-03-15", false, "2026-05-01", "2026-04-30"},
		{"T05", Denmark, "2026-01-31", false, "2026-03-01", "2026-02-28"},
		{"T06", Denmark, "2028-01-31", false, "2028-03-01", "2028-02-29"},
		{"T07", Denmark, "2026-11-30", false, "2027-01-01", "2026-12-31"},
		{"T08", Sweden, "2026-03-31", false, "2026-04-01", "2026-03-31"},
		{"T09", Sweden, "2026-04-01", false, "2026-05-01", "2026-04-30"},
		{"T10", Sweden, "2026-12-15", false, "2027-01-01", "2026-12-31"},
	}
}
