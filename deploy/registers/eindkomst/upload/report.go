package upload

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Report is what an employer reports about one person, or takes back.
type Report struct {
	Employer  string // SE number, 8 digits
	ID        string // the employer's own, at most 16 characters
	Reference string // of the report that is taken back or corrected, or ""
	CPR       string // ten digits
	Employee  string // the employer's number of the employment, or ""
	From, To  string // pay period, YYYYMMDD
	Paid      string // YYYYMMDD
	Kind      string // Indkomsttype, two digits
	Corrects  bool   // of an earlier period
	TakesBack bool   // the report of Reference is taken back; figures and period are not in the file
	Figures   []Figure
}

// Figure is a number by upload field.
type Figure struct {
	Field      string // four digits
	Hundredths int64
}

// Fields that are numbers and no amounts stand in record 6005.
const (
	FieldHours  = "0200"
	FieldIncome = "0013" // A-income with labour-market contribution
	fieldDays   = "0083"
)

// WriteReports writes a whole file. created is YYYYMMDDHHMMSS.
func WriteReports(out io.Writer, created string, reports []Report) error {
	w := NewWriter(out)
	const date = 8
	if len(created) != len("20060102150405") {
		return errors.New("upload: created: want YYYYMMDDHHMMSS")
	}
	w.Write("1000", map[string]string{
		"kalenderdato": created[:date], "klokkeslaet": created[date:], "se_indberetter": "90000000", "test_prod_T_P": "T", "edb_system": "samvirke-generate",
	})
	employer := ""
	for _, r := range reports {
		if r.Employer != employer {
			employer = r.Employer
			w.Write("2001", map[string]string{"se_virksomhed": r.Employer, "valuta": "DKK"})
		}
		w.report(r)
	}
	return w.End()
}

func (w *Writer) report(r Report) {
	if r.TakesBack {
		w.Write("4101", map[string]string{"indberetning_id": r.ID, "reference_id": r.Reference, "tilbagefoersel": "1", "cpr": r.CPR})
		return
	}
	corrects := ""
	if r.Corrects {
		corrects = "R"
	}
	w.Write("5000", map[string]string{
		"rettelse_tidl_periode_R": corrects, "indberetning_id": r.ID, "reference_id": r.Reference, "loenperiode_start": r.From, "loenperiode_slut": r.To,
		"dispositionsdato": r.Paid, "forud_bagud_F_B": "B", "indkomsttype": r.Kind,
	})
	w.Write("6000", map[string]string{"cpr": r.CPR, "medarbejdernr": r.Employee})
	for _, f := range r.Figures {
		sign, n := "+", f.Hundredths
		if n < 0 {
			sign, n = "-", -n
		}
		whole, rest := strconv.FormatInt(n/100, 10), fmt.Sprintf("%02d", n%100)
		if f.Field == FieldHours || f.Field == fieldDays {
			w.Write("6005", map[string]string{"felt": f.Field, "antal": whole, "decimaler": rest, "fortegn": sign})
		} else {
			w.Write("6001", map[string]string{"felt": f.Field, "beloeb": whole, "decimaler": rest + "0000", "fortegn": sign})
		}
	}
}

// ReadReports reads a whole file. Nothing of it counts if there is an error.
func ReadReports(r io.Reader) ([]Report, error) {
	var a assembler
	if err := Read(r, a.next); err != nil {
		return nil, err
	}
	a.flush()
	return a.reports, nil
}

// assembler puts records together.
type assembler struct {
	begun    bool
	employer string
	head     *Report // record 5000
	person   *Report // record 6000 below it
	reports  []Report
}

func (a *assembler) flush() {
	if a.person != nil {
		a.reports = append(a.reports, *a.person)
		a.person = nil
	}
}

func (a *assembler) next(rec Record) error {
	v := rec.Values
	bad := func(why string) error { return fmt.Errorf("%w: record %s: %s", ErrMalformed, rec.Number, why) }
	if a.begun == (rec.Number == "1000") {
		return bad("1000 stands first, and only there")
	}
	switch rec.Number {
	case "1000":
		a.begun = true
	case "2001":
		a.flush()
		a.employer, a.head = v["se_virksomhed"], nil
		if a.employer == "" {
			return bad("no SE number")
		}
	case "4101":
		a.flush()
		a.head = nil
		if a.employer == "" || v["tilbagefoersel"] == "" || v["reference_id"] == "" || v["cpr"] == "" {
			return bad("no enterprise, mark, reference or person")
		}
		a.reports = append(a.reports, Report{Employer: a.employer, ID: v["indberetning_id"], Reference: v["reference_id"], CPR: v["cpr"], TakesBack: true})
	case "5000":
		a.flush()
		a.head = &Report{
			Employer: a.employer, ID: v["indberetning_id"], Reference: v["reference_id"], From: v["loenperiode_start"], To: v["loenperiode_slut"],
			Paid: v["dispositionsdato"], Kind: v["indkomsttype"], Corrects: v["rettelse_tidl_periode_R"] == "R",
		}
		if a.employer == "" || a.head.ID == "" || a.head.From == "" || a.head.To == "" || a.head.Kind == "" {
			return bad("no enterprise, id, period or kind of income")
		}
	case "6000":
		a.flush()
		if a.head == nil || v["cpr"] == "" {
			return bad("no report or person")
		}
		person := *a.head
		person.CPR, person.Employee = v["cpr"], v["medarbejdernr"]
		a.person = &person
	case "6001", "6005":
		return a.figure(rec, bad)
	}
	return nil // other records tell nothing that the register gives to funds
}

func (a *assembler) figure(rec Record, bad func(string) error) error {
	v := rec.Values
	whole := v["beloeb"] + v["antal"]
	if a.person == nil || v["felt"] == "" || whole == "" || len(v["decimaler"]) < 2 || strings.Trim(v["decimaler"][2:], "0") != "" {
		return bad("no person, field or number with two decimals")
	}
	n, err := strconv.ParseInt(whole+v["decimaler"][:2], 10, 64)
	if err != nil || v["fortegn"] != "+" && v["fortegn"] != "-" {
		return bad("no number with a sign")
	}
	if v["fortegn"] == "-" {
		n = -n
	}
	a.person.Figures = append(a.person.Figures, Figure{Field: v["felt"], Hundredths: n})
	return nil
}
