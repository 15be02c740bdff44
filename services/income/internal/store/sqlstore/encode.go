package sqlstore

import (
	"time"

	"google.golang.org/protobuf/proto"

	storev1 "samvirke.dev/proto/gen/go/samvirke/income/store/v1"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/automation"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/platform/sqlkit"
)

// encode writes the stored form; the same value always has the same one, because digests are made of it.
func encode(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

func encodeMonth(m *core.MemberMonth) ([]byte, error) {
	out := &storev1.Month{
		Status: uint32(m.Status), Rate: int64(m.Rate), Other: int64(m.Other), Placement: m.Placement, Ended: texts(m.Ended), Absent: texts(m.Absent),
		Protected: m.Protected, Restricted: m.Restricted, Objection: m.Objection, Benefit: int32(m.Benefit), Document: int32(m.Document), //nolint:gosec // enum numbers
	}
	if c := m.Card; c != nil {
		out.Card, out.Declared, out.Income, out.Submitted = true, int64(c.Declared), int64(c.Income), micros(c.Submitted)
		out.Count, out.Precision = int32(c.Count), int32(c.Precision) //nolint:gosec // bounded by the schema
		for _, e := range c.Entries {
			out.Entries = append(out.Entries, &storev1.Entry{Day: int32(e.Day), Hours: int64(e.Hours), Employer: string(e.Employer)}) //nolint:gosec // a day
		}
	}
	return encode(out)
}

func decodeMonth(in *storev1.Month) core.MemberMonth {
	m := core.MemberMonth{
		Status: rule.Status(in.GetStatus()), Rate: rule.Money(in.GetRate()), Other: rule.Hours(in.GetOther()), Placement: in.GetPlacement(), //nolint:gosec // was a byte
		Ended: employers(in.GetEnded()), Absent: employers(in.GetAbsent()), Protected: in.GetProtected(), Restricted: in.GetRestricted(),
		Objection: in.GetObjection(), Benefit: int(in.GetBenefit()), Document: int(in.GetDocument()),
	}
	if in.GetCard() {
		m.Card = &facts.Card{
			Declared: rule.Hours(in.GetDeclared()), Income: rule.Money(in.GetIncome()), Count: int(in.GetCount()), Precision: int(in.GetPrecision()),
			Submitted: moment(in.GetSubmitted()),
		}
		for _, e := range in.GetEntries() {
			m.Card.Entries = append(m.Card.Entries, facts.CardEntry{Day: int(e.GetDay()), Hours: rule.Hours(e.GetHours()), Employer: facts.Employer(e.GetEmployer())})
		}
	}
	return m
}

// Encode implements core.Store.
func (s *Store) Encode(records []facts.Record) ([]byte, error) {
	out := &storev1.Answer{Records: make([]*storev1.Record, len(records))}
	for i, r := range records {
		out.Records[i] = &storev1.Record{
			Employer: string(r.Employer), Hours: int64(r.Hours), Income: int64(r.Income), From: int32(r.From), To: int32(r.To),
			Reported: micros(r.Reported), NoHours: r.NoHours,
		}
	}
	return encode(out)
}

func decodeRecords(in *storev1.Answer) []facts.Record {
	if len(in.GetRecords()) == 0 {
		return nil
	}
	out := make([]facts.Record, len(in.GetRecords()))
	for i, r := range in.GetRecords() {
		out[i] = facts.Record{
			Employer: facts.Employer(r.GetEmployer()), Hours: rule.Hours(r.GetHours()), Income: rule.Money(r.GetIncome()),
			From: civil.Date(r.GetFrom()), To: civil.Date(r.GetTo()), Reported: moment(r.GetReported()), NoHours: r.GetNoHours(),
		}
	}
	return out
}

// encodeDecision writes what is encrypted of a decision; the rest stands in columns.
func (s *Store) encodeDecision(d *core.Decision) ([]byte, error) {
	out := &storev1.Decision{
		Outcome: d.Outcome, Codes: texts(d.Codes), AutomationCodes: texts(d.Against), Version: d.Version, Digest: d.Digest, Answers: bits(d.Answers),
		DecidedBy: d.DecidedBy, Hours: int64(d.Hours), Amount: int64(d.Amount), Net: int64(d.Net), Delta: int64(d.Delta),
		Declared: int64(d.Declared), Register: int64(d.Register), Limit: int64(d.Limit), Sum: int64(d.Sum), Left: int64(d.Left),
		Days: int32(d.Days), Partial: d.Partial, Retry: int32(d.Retry), Deducted: int32(d.Deducted), First: int32(d.First), //nolint:gosec // at most 300 days
		Provisional: d.Provision, Late: d.Late, Trace: d.Trace, Verdict: string(d.Verdict), Complaint: d.Complaint, Protected: d.Protected,
		Retrieved: micros(d.Retrieved), Status: uint32(d.Basis.Status), Rate: int64(d.Basis.Rate),
	}
	for _, h := range d.Basis.Hours {
		out.MonthHours = append(out.MonthHours, int64(h))
	}
	for _, m := range d.Basis.Incomes {
		out.Incomes = append(out.Incomes, int64(m))
	}
	for _, m := range d.Used {
		out.Used = append(out.Used, int32(m))
	}
	for _, t := range d.Texts {
		out.Texts = append(out.Texts, &storev1.Text{Kind: t.Kind, Text: t.Text, At: micros(t.At)})
	}
	if m := d.Matched; m != nil {
		if err := s.encodeMatched(out, m); err != nil {
			return nil, err
		}
	}
	return proto.Marshal(out)
}

func (s *Store) encodeMatched(out *storev1.Decision, m *core.Matched) (err error) {
	if m.RawMonth == nil {
		if m.RawMonth, err = encodeMonth(&m.Month); err != nil {
			return err
		}
	}
	if m.RawRecords == nil && m.Answered {
		if m.RawRecords, err = s.Encode(m.Records); err != nil {
			return err
		}
	}
	out.Matched = &storev1.Matched{
		Month: m.RawMonth, Answer: m.RawRecords, Answered: m.Answered, Today: int32(m.Today), Previous: int64(m.Previous),
	}
	return nil
}

func decodeDecision(plain []byte, d *core.Decision) error {
	in := &storev1.Decision{}
	if err := proto.Unmarshal(plain, in); err != nil {
		return err
	}
	d.Outcome, d.Codes, d.Against = in.GetOutcome(), codes(in.GetCodes()), codes(in.GetAutomationCodes())
	d.Version, d.Digest, d.Answers, d.DecidedBy = in.GetVersion(), in.GetDigest(), answers(in.GetAnswers()), in.GetDecidedBy()
	d.Figures = core.Figures{
		Hours: rule.Hours(in.GetHours()), Amount: rule.Money(in.GetAmount()), Net: rule.Hours(in.GetNet()), Delta: rule.Hours(in.GetDelta()),
		Declared: rule.Hours(in.GetDeclared()), Register: rule.Hours(in.GetRegister()), Limit: rule.Hours(in.GetLimit()), Sum: rule.Hours(in.GetSum()),
		Left: rule.Hours(in.GetLeft()), Days: int(in.GetDays()), Partial: in.GetPartial(), Retry: civil.Date(in.GetRetry()),
		Deducted: civil.Month(in.GetDeducted()), First: civil.Month(in.GetFirst()),
	}
	d.Provision, d.Late, d.Trace, d.Verdict = in.GetProvisional(), in.GetLate(), in.GetTrace(), core.Verdict(in.GetVerdict())
	d.Complaint, d.Protected, d.Retrieved = in.GetComplaint(), in.GetProtected(), moment(in.GetRetrieved())
	d.Basis = core.Basis{Status: rule.Status(in.GetStatus()), Rate: rule.Money(in.GetRate())} //nolint:gosec // written from one
	for _, h := range in.GetMonthHours() {
		d.Basis.Hours = append(d.Basis.Hours, rule.Hours(h))
	}
	for _, m := range in.GetIncomes() {
		d.Basis.Incomes = append(d.Basis.Incomes, rule.Money(m))
	}
	for _, m := range in.GetUsed() {
		d.Used = append(d.Used, civil.Month(m))
	}
	for _, t := range in.GetTexts() {
		d.Texts = append(d.Texts, core.Text{Kind: t.GetKind(), Text: t.GetText(), At: moment(t.GetAt())})
	}
	if m := in.GetMatched(); m != nil {
		return decodeMatched(m, d)
	}
	return nil
}

func decodeMatched(in *storev1.Matched, d *core.Decision) error {
	month, answer := &storev1.Month{}, &storev1.Answer{}
	if err := proto.Unmarshal(in.GetMonth(), month); err != nil {
		return err
	}
	if err := proto.Unmarshal(in.GetAnswer(), answer); err != nil {
		return err
	}
	d.Matched = &core.Matched{
		Month: decodeMonth(month), Answered: in.GetAnswered(), Records: decodeRecords(answer), Today: civil.Date(in.GetToday()),
		Previous: rule.Hours(in.GetPrevious()), RawMonth: in.GetMonth(), RawRecords: in.GetAnswer(),
	}
	return nil
}

// bits writes C1 to C4 as 8, 4, 2, 1.
func bits(a automation.Answers) (out uint32) {
	for _, ok := range []bool{a.DataPresent, a.NoEnquiry, a.NoDiscretion, a.NoRemarks} {
		out <<= 1
		if ok {
			out |= 1
		}
	}
	return out
}

func answers(b uint32) automation.Answers {
	return automation.Answers{DataPresent: b&8 != 0, NoEnquiry: b&4 != 0, NoDiscretion: b&2 != 0, NoRemarks: b&1 != 0}
}

func texts[T ~string](in []T) []string {
	if len(in) == 0 {
		return nil
	}
	out := make([]string, len(in))
	for i, t := range in {
		out[i] = string(t)
	}
	return out
}

func employers(in []string) []facts.Employer { return named[facts.Employer](in) }

func codes(in []string) []rule.Code { return named[rule.Code](in) }

func named[T ~string](in []string) []T {
	if len(in) == 0 {
		return nil
	}
	out := make([]T, len(in))
	for i, t := range in {
		out[i] = T(t)
	}
	return out
}

// micros writes a moment as UTC microseconds; 0 for none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return sqlkit.Micros(t)
}

func moment(m int64) time.Time {
	if m == 0 {
		return time.Time{}
	}
	return sqlkit.Time(m)
}
