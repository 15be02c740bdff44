package members

import (
	"fmt"
	"strconv"

	"samvirke.dev/deploy/registers/eindkomst/upload"
)

// What all reports have in common.
const (
	periodFrom = "20260301"
	periodTo   = "20260331"
	pay        = "00" // Indkomsttype
)

// Uploads are what employers report to eIndkomst about the month of Danish members.
func Uploads(all []Member) []upload.Report {
	var out []upload.Report
	for i := range all {
		for n, r := range all[i].Reports() {
			out = append(out, all[i].report(n, r))
		}
	}
	return out
}

// UploadedCorrections are what they report later on: the first report is taken back, and another one comes instead.
func UploadedCorrections(all []Member) []upload.Report {
	var out []upload.Report
	for i := range all {
		m := &all[i]
		for n, r := range m.Corrections() {
			again := m.report(n, r)
			back := upload.Report{Employer: again.Employer, ID: again.ID + "T", Reference: again.ID, CPR: m.Number, TakesBack: true}
			again.ID += "R"
			out = append(out, back, again)
		}
	}
	return out
}

func (m *Member) report(n int, r Report) upload.Report {
	return upload.Report{
		Employer: r.Employer, ID: fmt.Sprintf("M%d-%d", m.Index, n), CPR: m.Number, Employee: strconv.Itoa(m.Index), From: periodFrom, To: periodTo, Paid: periodTo, Kind: pay,
		Figures: []upload.Figure{{Field: upload.FieldHours, Hundredths: r.Hours}, {Field: upload.FieldIncome, Hundredths: r.Income}},
	}
}
