// Package direktetest writes deliveries of CPR Direkte, for tests and simulators.
package direktetest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr"
	"samvirke.dev/services/identity/internal/register/cpr/direkte"
)

// Options say how a delivery is written.
type Options struct {
	Task     string     // OPGAVENR, six digits; empty for 110901
	Produced civil.Date // PRODDTO
	Previous civil.Date // PRODDTOFORRIG; zero for the first delivery
	Apart    bool       // the records 003 stand behind all persons, sorted by address, as in the published delivery
	CRLF     bool       // lines end with CR LF
	Padded   bool       // blanks at the end of lines are left in
}

// Facts are what a core.Person does not tell.
type Facts struct {
	Events  []direkte.Event // Code, Derived, Day and Clock count
	Doubts  direkte.Doubts
	Moved   string     // YYYYMMDDHHMM: since when the state holds; the date of death goes before it
	PlanEnd civil.Date // planned end of those protections that did not end; zero for none
}

// Writer writes one delivery. Errors are kept and told by Close.
type Writer struct {
	out     *bufio.Writer
	opt     Options
	layouts map[int]direkte.Layout
	records int
	apart   []string
	err     error
}

// NewWriter begins a delivery.
func NewWriter(out io.Writer, opt Options) *Writer {
	w := &Writer{out: bufio.NewWriter(out), opt: opt, layouts: map[int]direkte.Layout{}}
	for _, l := range direkte.Layouts() {
		w.layouts[l.Type] = l
	}
	if w.opt.Task == "" {
		w.opt.Task = "110901"
	}
	l := w.record(0, "0000000000")
	l.set("OPGAVENR", w.opt.Task)
	l.set("PRODDTO", packed(opt.Produced))
	l.set("PRODDTOFORRIG", packed(opt.Previous))
	w.put(l)
	w.records = 0
	return w
}

// Person writes all records of a person: the one in p.Number, or of the last of p.Earlier if p's state says that another number is in force.
// Lines of a Danish address are written as road; road and village; or locality, road and village. Three are the most.
func (w *Writer) Person(p *core.Person, f Facts) {
	number, earlier := digits(p.Number), p.Earlier
	l := w.record(1, number)
	if last := len(earlier) - 1; cpr.Replaced(p.RegisterState) && last >= 0 {
		l = w.record(1, digits(earlier[last]))
		l.set("PNRGAELD", number)
		number, earlier = digits(earlier[last]), earlier[:last]
	}
	w.state(l, number, p, f)
	w.put(l)
	written := w.written(number, p)
	w.home(number, p)
	if !w.opt.Apart {
		w.put(written)
	}
	w.protections(number, p, f)
	w.elsewhere(number, p)
	w.name(number, p, f)
	for _, n := range earlier {
		l := w.record(22, number)
		l.set("PNR", digits(n))
		w.put(l)
	}
	w.events(number, f.Events)
	if w.opt.Apart {
		w.apart = append(w.apart, w.line(written))
	}
}

func (w *Writer) state(l *line, number string, p *core.Person, f Facts) {
	l.set("STATUS", p.RegisterState)
	l.set("STATUSHAENSTART", "000000000000")
	if f.Moved != "" {
		l.set("STATUSHAENSTART", f.Moved)
	}
	if !p.Death.IsZero() {
		l.set("STATUSHAENSTART", packed(p.Death)+"0000")
	}
	l.mark("STATUSDTO_UMRK", f.Doubts.Has(direkte.DoubtState), "*")
	l.set("KOEN", "M")
	if (number[len(number)-1]-'0')%2 == 0 {
		l.set("KOEN", "K")
	}
	l.set("FOED_DT", p.Birth.String())
	l.mark("FOED_DT_UMRK", f.Doubts.Has(direkte.DoubtBirth), "*")
}

// home writes 002 of those who live in Denmark or Greenland.
func (w *Writer) home(number string, p *core.Person) {
	post := cpr.PostFor(p.RegisterState)
	if post != cpr.PostRegistered && !cpr.SpecialRoad(p.RegisterState, 0) {
		return
	}
	l := w.record(2, number)
	l.set("KOMKOD", "0851")
	l.set("VEJKOD", road(p))
	l.set("TILFLYDTO", "000000000000")
	if p.Address != nil && post == cpr.PostRegistered {
		l.set("TILFLYDTO", packed(p.Address.ValidFrom)+"0000")
	}
	w.put(l)
}

func road(p *core.Person) string {
	if cpr.SpecialRoad(p.RegisterState, 0) {
		return "9901"
	}
	return "8511"
}

// written makes 003, empty for those without a registered address.
func (w *Writer) written(number string, p *core.Person) *line {
	l := w.record(3, number)
	l.set("ADRNVN", p.Name.Addressing)
	l.set("POSTNR", "0000")
	l.set("VEJKOD", "0000")
	a := p.Address
	if a == nil || cpr.PostFor(p.RegisterState) != cpr.PostRegistered {
		return l
	}
	const most = 3
	fields := []string{"STANDARDADR", "BYNVN"}
	if len(a.Lines) == most {
		fields = []string{"LOKALITET", "STANDARDADR", "BYNVN"}
	}
	if len(a.Lines) > most {
		w.fail(errors.New("direktetest: an address of more than three lines"))
		return l
	}
	for i, text := range a.Lines {
		l.set(fields[i], text)
	}
	l.set("CONVN", a.CareOf)
	l.set("POSTNR", a.PostalCode)
	l.set("POSTDISTTXT", a.City)
	l.set("VEJKOD", road(p))
	return l
}

func (w *Writer) protections(number string, p *core.Person, f Facts) {
	for _, protection := range p.Protections {
		kind := "0009"
		switch protection.Kind {
		case core.ProtectionDKNameAddress:
			kind = "0001"
		case core.ProtectionAdBlock:
			kind = "0003"
		case core.ProtectionDKSpecial:
			continue // follows from 0001 and the state
		default: // CPR has no others
		}
		l := w.record(4, number)
		l.set("BESKYTTYPE", kind)
		l.set("START_DT-BESKYTTELSE", protection.Since.String())
		l.set("SLET_DT-BESKYTTELSE", f.PlanEnd.String())
		if !protection.Ended.IsZero() {
			l.set("SLET_DT-BESKYTTELSE", protection.Ended.String())
		}
		w.put(l)
	}
}

// elsewhere writes 005 or 006.
func (w *Writer) elsewhere(number string, p *core.Person) {
	a := p.Address
	if a == nil {
		return
	}
	switch cpr.PostFor(p.RegisterState) {
	case cpr.PostAbroad:
		l := w.record(5, number)
		l.set("UDR_LANDEKOD", countryCode(a.Country))
		l.set("UDRDTO", packed(a.ValidFrom)+"0000")
		for i, text := range a.Lines {
			l.set(fmt.Sprintf("UDLANDADR%d", i+1), text)
		}
		w.put(l)
	case cpr.PostContact, cpr.PostElsewhere:
		l := w.record(6, number)
		text := a.Lines
		if a.PostalCode != "" {
			text = append(slices.Clone(text), a.PostalCode+" "+a.City)
		}
		for i := range text {
			l.set(fmt.Sprintf("ADR%d-KONTAKTADR", i+1), text[i])
		}
		l.set("START_DT-ADRTXT", a.ValidFrom.String())
		w.put(l)
	default: // nothing elsewhere
	}
}

func countryCode(country string) string {
	switch country {
	case "DK":
		return "5100"
	case "SE":
		return "5120"
	case "DE":
		return "5180"
	case "":
		return "0000"
	default:
		return country
	}
}

func (w *Writer) name(number string, p *core.Person, f Facts) {
	l := w.record(8, number)
	l.set("FORNVN", p.Name.Given)
	l.set("MELNVN", p.Name.Middle)
	l.set("EFTERNVN", p.Name.Family)
	l.set("ADRNVN", p.Name.Addressing)
	l.set("NVNHAENSTART", "000000000000")
	l.mark("FORNVN_MRK", f.Doubts.Has(direkte.DoubtNameShortened), "+")
	l.mark("MELNVN_MRK", f.Doubts.Has(direkte.DoubtNameCharacters), "*")
	l.mark("EFTERNVN_MRK", f.Doubts.Has(direkte.DoubtNameUndocumented), "=")
	w.put(l)
}

// Events writes events of somebody of whom nothing else is told.
func (w *Writer) Events(number nationalid.Number, events ...direkte.Event) {
	w.events(digits(number), events)
}

func (w *Writer) events(number string, events []direkte.Event) {
	for _, e := range events {
		l := w.record(99, number)
		l.set("TIMESTAMPU", stamp(e.Day, e.Clock))
		l.set("HAENDELSE", e.Code)
		l.set("AFLEDTMRK", e.Derived)
		w.put(l)
	}
}

// Receipt writes a record 997.
func (w *Writer) Receipt(r direkte.Receipt) {
	l := w.record(997, digits(r.Number))
	l.set("TIMESTAMPU", stamp(r.Day, r.Clock))
	l.set("HAENDELSE", r.Event)
	l.set("NGLKONST", r.Key)
	w.put(l)
}

// Failure writes a record 910.
func (w *Writer) Failure(f direkte.Failure) {
	l := w.record(910, digits(f.Number))
	l.set("INDDATA", f.Input)
	l.set("FEJLNR", f.Code)
	l.set("FEJLTXT-UDTRÆK", f.Text)
	w.put(l)
}

// Line writes a line as it stands and counts it as a record.
func (w *Writer) Line(text string) {
	raw, ok := latin1(text)
	if !ok {
		w.fail(errors.New("direktetest: a character that ISO-8859-1 does not have"))
	}
	w.write(string(raw))
}

// Close ends the delivery and returns the first error of all.
func (w *Writer) Close() error {
	const street = 115 // column of STANDARDADR
	slices.SortStableFunc(w.apart, func(a, b string) int { return strings.Compare(tail(a, street), tail(b, street)) })
	for _, text := range w.apart {
		w.write(text)
	}
	l := w.record(999, "9999999999")
	l.set("TAELLER", fmt.Sprintf("%08d", w.records))
	w.put(l)
	if w.err == nil {
		w.err = w.out.Flush()
	}
	return w.err
}

func tail(s string, from int) string { return s[min(from, len(s)):] }

func (w *Writer) put(l *line) { w.write(w.line(l)) }

func (w *Writer) line(l *line) string {
	if l.err != nil {
		w.fail(l.err)
	}
	if w.opt.Padded {
		return string(l.raw)
	}
	return string(bytes.TrimRight(l.raw, " "))
}

func (w *Writer) write(text string) {
	w.records++
	end := "\n"
	if w.opt.CRLF {
		end = "\r\n"
	}
	if _, err := w.out.WriteString(text + end); err != nil {
		w.fail(err)
	}
}

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
