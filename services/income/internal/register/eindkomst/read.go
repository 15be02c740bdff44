package eindkomst

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/rule"
)

// reading is what an answer told, by number of the person.
type reading struct {
	transaction string
	at          time.Time
	reports     map[string][]told
	bad         map[string]error // why a person's part can't be used
}

// told is one report, for one kind of benefit.
type told struct {
	employer   string // SE number
	employee   string // the employer's number of the employment, or ""
	id         string // the employer's own number of the report
	from, to   civil.Date
	kind       int    // Indkomsttype
	benefit    string // Indtægtsart without leading zeros, or ""
	unit       string // P-number, or ""
	part       int    // place among the parts of its report
	reversal   bool
	correction bool // of an earlier period; its figures are added like any others
	reported   time.Time
	hours      rule.Hours
	hasHours   bool
	income     rule.Money
}

// Sheets and fields.
const (
	sheetReport  = "11000"
	sheetBenefit = "16000"
	sheetFigures = "16001"

	fieldArt         = "011" // I or T
	fieldKind        = "012"
	fieldBenefit     = "019"
	fieldUnit        = "020"
	fieldReversal    = "021" // 1 for a reversal
	fieldIncomeAM    = "057"
	fieldIncomeNotAM = "058"
	fieldHours       = "096" // never 200, which is a flag
	fieldCorrection  = "151"
	fieldRegistered  = "191" // moments: registered, of the delivery, of the report
	fieldDelivery    = "159"
	fieldReported    = "009"
)

// read checks that the answer is one to our question, and takes the reports out. Errors: core.ErrRegisterUnavailable, and
// core.ErrRegisterRefused for SKAT's own errors.
func (r *Register) read(a *answer, transaction string, batch []asked) (*reading, error) {
	unusable := func(why string) error { return fmt.Errorf("%w: %s", core.ErrRegisterUnavailable, why) }
	switch {
	case a.Head == nil:
		return nil, unusable("an answer without a head")
	case len(a.Head.Faults) > 0:
		return nil, r.refusals(a.Head.Faults)
	case strings.TrimSpace(a.Head.Transaction) != transaction:
		return nil, unusable("an answer to another transaction")
	}
	wanted := make(map[string]bool, len(batch))
	for _, q := range batch {
		wanted[q.number] = true
	}
	got := &reading{transaction: transaction, reports: map[string][]told{}, bad: map[string]error{}}
	for i := range a.Persons {
		p := &a.Persons[i]
		number := strings.TrimSpace(p.CPR)
		if !wanted[number] {
			return nil, unusable("an answer about somebody else")
		}
		reports, err := p.reports(r.zone)
		if err != nil {
			got.bad[number] = err
			continue
		}
		got.reports[number] = append(got.reports[number], reports...)
	}
	return got, nil
}

// reports takes a person's reports out of the sheets. Errors tell the field and never its content.
func (p *person) reports(zone *time.Location) ([]told, error) {
	var all []told
	for i := range p.Employers {
		e := &p.Employers[i]
		se := strings.TrimSpace(e.Enterprise.Inner.Number)
		if !digits(se, 8, 8) {
			return nil, errors.New("an employer without SE number")
		}
		for j := range e.Reports {
			reports, err := e.Reports[j].told(zone)
			if err != nil {
				return nil, err
			}
			for _, t := range reports {
				t.employer = se
				all = append(all, t)
			}
		}
	}
	return all, nil
}

// told reads a report. Each sheet 11000 is one, with a part for each sheet 16000 below it, or one part if there is none.
func (rep *report) told(zone *time.Location) ([]told, error) {
	base := told{id: strings.TrimSpace(rep.ID), employee: strings.TrimSpace(rep.Employee)}
	if base.id == "" {
		return nil, errors.New("a report without number")
	}
	var err1, err2 error
	base.from, err1 = civil.Parse(day(rep.Period.Interval.From))
	base.to, err2 = civil.Parse(day(rep.Period.Interval.To))
	if err1 != nil || err2 != nil || base.to < base.from {
		return nil, errors.New("a pay period that is none")
	}
	var all []told
	for i := range rep.Sheets {
		top := &rep.Sheets[i]
		if strings.TrimSpace(top.Number) != sheetReport {
			return nil, errors.New("a report without sheet 11000")
		}
		head := base
		if err := head.report(top, zone); err != nil {
			return nil, err
		}
		parts, err := head.parts(top)
		if err != nil {
			return nil, err
		}
		all = append(all, parts...)
	}
	return all, nil
}

// day cuts a time zone off a date, which XML Schema allows.
func day(s string) string {
	s = strings.TrimSpace(s)
	return s[:min(len(s), len(time.DateOnly))]
}

// report reads sheet 11000.
func (t *told) report(s *sheet, zone *time.Location) error {
	fields := s.values()
	kind, ok := whole(fields[fieldKind])
	if !ok || kind > 99 {
		return errors.New("field 012: a report without kind of income")
	}
	t.kind = int(kind)
	switch art := fields[fieldArt]; art {
	case "I", "":
	case "T":
		t.reversal = true
	default:
		return errors.New("field 011: neither I nor T")
	}
	t.correction = flag(fields[fieldCorrection])
	for _, f := range []string{fieldRegistered, fieldDelivery, fieldReported} {
		if at, ok := moment(fields[f], zone); ok {
			t.reported = at
			break
		}
	}
	return nil
}

// parts reads what is below sheet 11000.
func (t *told) parts(top *sheet) ([]told, error) {
	var benefits []*sheet
	top.all(func(s *sheet) {
		if strings.TrimSpace(s.Number) == sheetBenefit {
			benefits = append(benefits, s)
		}
	})
	if len(benefits) == 0 {
		benefits = []*sheet{top}
	}
	parts := make([]told, 0, len(benefits))
	for i, b := range benefits {
		part := *t
		part.part = i
		if b != top {
			fields := b.values()
			part.unit = fields[fieldUnit]
			part.benefit = strings.TrimLeft(fields[fieldBenefit], "0")
			part.reversal = part.reversal || flag(fields[fieldReversal])
		}
		if err := part.figures(b); err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// figures adds up the sheets 16001 at or below a sheet.
func (t *told) figures(s *sheet) error {
	var err error
	s.all(func(s *sheet) {
		if strings.TrimSpace(s.Number) != sheetFigures {
			return
		}
		for i := range s.Fields {
			f := &s.Fields[i]
			number := f.number()
			if number != fieldHours && number != fieldIncomeAM && number != fieldIncomeNotAM {
				continue
			}
			n, ok := hundredths(f.Text)
			if !ok {
				err = errors.Join(err, errors.New("field "+number+": not a number with at most two decimals"))
			}
			if number == fieldHours {
				t.hours += rule.Hours(n)
				t.hasHours = true
			} else {
				t.income += rule.Money(n)
			}
		}
	})
	return err
}

// values returns the fields of a sheet by number.
func (s *sheet) values() map[string]string {
	out := make(map[string]string, len(s.Fields))
	for i := range s.Fields {
		out[s.Fields[i].number()] = strings.TrimSpace(s.Fields[i].Text)
	}
	return out
}

// number returns the three digits of a field, or "" for an id of another form: 1, zeros, three digits, in all 15 or 18.
func (f *field) number() string {
	id := strings.TrimSpace(f.ID.Number)
	const tail = 3
	if len(id) != 15 && len(id) != 18 || id[0] != '1' || strings.Trim(id[1:len(id)-tail], "0") != "" || !digits(id[len(id)-tail:], tail, tail) {
		return ""
	}
	return id[len(id)-tail:]
}
