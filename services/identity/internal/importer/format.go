package importer

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/names"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

// Line is one person in the file; see the package comment.
type Line struct {
	Number         string       `json:"number"`
	Type           string       `json:"type,omitempty"`
	EarlierNumbers []string     `json:"earlier_numbers,omitempty"`
	GivenNames     string       `json:"given_names,omitempty"`
	MiddleName     string       `json:"middle_name,omitempty"`
	FamilyName     string       `json:"family_name,omitempty"`
	AddressingName string       `json:"addressing_name,omitempty"`
	BirthDate      string       `json:"birth_date,omitempty"`
	DeathDate      string       `json:"death_date,omitempty"`
	Address        *Address     `json:"address,omitempty"`
	Protections    []Protection `json:"protections,omitempty"`
	RegisterState  string       `json:"register_state,omitempty"`
	Memberships    []Membership `json:"memberships,omitempty"`
	RegisterTime   string       `json:"register_time"`
	Origin         string       `json:"origin,omitempty"`
	Source         string       `json:"source,omitempty"`
}

// Address is a postal address in the file.
type Address struct {
	CareOf     string   `json:"care_of,omitempty"`
	Lines      []string `json:"lines,omitempty"`
	PostalCode string   `json:"postal_code,omitempty"`
	City       string   `json:"city,omitempty"`
	Country    string   `json:"country,omitempty"`
	ValidFrom  string   `json:"valid_from,omitempty"`
}

// Protection is a protection in the file.
type Protection struct {
	Kind  string `json:"kind"`
	Since string `json:"since,omitempty"`
	Ended string `json:"ended,omitempty"`
}

// Membership is a membership in the file.
type Membership struct {
	Controller string `json:"controller"`
	From       string `json:"from"`
	Until      string `json:"until,omitempty"`
}

// Limits on texts, in bytes, and on lists.
const (
	maxText  = 200
	maxLines = 5
	maxList  = 50
)

// String keeps a line that is printed by accident from showing the person.
func (l Line) String() string { return "[person]" }

// GoString is String for %#v.
func (l Line) GoString() string { return l.String() }

// known says which keys the format has, in exactly this spelling.
func known(key string) bool {
	switch key {
	case "number", "type", "earlier_numbers", "given_names", "middle_name", "family_name", "addressing_name", "birth_date",
		"death_date", "address", "protections", "register_state", "memberships", "register_time", "origin", "source",
		"care_of", "lines", "postal_code", "city", "country", "valid_from", "kind", "since", "ended", "controller", "from", "until":
		return true
	default:
		return false
	}
}

// reader turns lines into persons.
type reader struct {
	guard *nationalid.Guard
	today civil.Date
	now   time.Time
	bad   string // first complaint about the present line
}

// person reads one line. The complaint names the key and never its value.
func (r *reader) person(raw []byte) (*core.Person, string) {
	r.bad = ""
	if !utf8.Valid(raw) {
		return nil, "not UTF-8"
	}
	if complaint := checkKeys(raw); complaint != "" {
		return nil, complaint
	}
	var l Line
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil {
		return nil, complaintOf(err)
	}
	p := r.convert(&l)
	if r.bad != "" {
		return nil, r.bad
	}
	p.Withhold(r.today, false)
	return p, ""
}

func (r *reader) convert(l *Line) *core.Person {
	p := &core.Person{
		Number: r.number("number", l.Number, l.Type),
		Name: names.Name{
			Given: r.text("given_names", l.GivenNames), Middle: r.text("middle_name", l.MiddleName),
			Family: r.text("family_name", l.FamilyName), Addressing: r.text("addressing_name", l.AddressingName),
		},
		Birth:         r.date("birth_date", l.BirthDate),
		Death:         r.date("death_date", l.DeathDate),
		Address:       r.address(l.Address),
		Protections:   r.protections(l.Protections),
		RegisterState: r.code("register_state", l.RegisterState),
		Memberships:   r.memberships(l.Memberships),
		RegisterTime:  r.moment("register_time", l.RegisterTime),
		Source:        r.origin(l.Origin),
	}
	r.text("source", l.Source)
	if len(l.EarlierNumbers) > maxList {
		r.complain("earlier_numbers: too many")
		return p
	}
	for _, e := range l.EarlierNumbers {
		p.Earlier = append(p.Earlier, r.number("earlier_numbers", e, ""))
	}
	switch {
	case p.Birth.CertainlyAfter(r.today):
		r.complain("birth_date: in the future")
	case p.Death.CertainlyAfter(r.today):
		r.complain("death_date: in the future")
	case core.StatusOf(p.RegisterState) == core.StatusReplaced:
		r.complain("register_state: a replaced number belongs into earlier_numbers of the person in force")
	}
	return p
}

// complain keeps the first complaint.
func (r *reader) complain(what string) {
	if r.bad == "" {
		r.bad = what
	}
}

func (r *reader) number(key, canonical, kind string) nationalid.Number {
	n, err := nationalid.ParseCanonical(canonical, r.today)
	if err == nil && kind != "" {
		n, err = nationalid.ParseTyped(n.Country(), kind, canonical[len("SE:"):], r.today)
	}
	if err == nil {
		err = r.guard.Check(n)
	}
	if err != nil {
		r.complain(key + ": " + strings.TrimPrefix(err.Error(), "nationalid: "))
	}
	return n
}

func (r *reader) text(key, s string) string {
	switch {
	case len(s) > maxText:
		r.complain(key + ": too long")
	case strings.TrimSpace(s) != s:
		r.complain(key + ": blanks around it")
	case strings.ContainsFunc(s, unicode.IsControl):
		r.complain(key + ": control character")
	}
	return s
}

// maxCode is the length of the longest state code with room to grow.
const maxCode = 8

func (r *reader) code(key, s string) string {
	if len(s) > maxCode {
		r.complain(key + ": too long")
	}
	return r.text(key, s)
}

func (r *reader) date(key, s string) civil.Date {
	if s == "" {
		return civil.Date{}
	}
	d, err := civil.Parse(s)
	if err != nil {
		r.complain(key + ": want YYYY-MM-DD, with 00 for what is unknown")
	}
	return d
}

func (r *reader) moment(key, s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	switch {
	case err != nil:
		r.complain(key + ": want a time as in RFC 3339")
	case t.After(r.now):
		r.complain(key + ": in the future")
	}
	return t.UTC()
}

func (r *reader) address(a *Address) *core.Address {
	if a == nil {
		return nil
	}
	if len(a.Lines) > maxLines {
		r.complain("lines: more than five")
		return nil
	}
	for _, line := range a.Lines {
		r.text("lines", line)
	}
	return &core.Address{
		CareOf: r.text("care_of", a.CareOf), Lines: a.Lines, PostalCode: r.text("postal_code", a.PostalCode),
		City: r.text("city", a.City), Country: r.text("country", a.Country), ValidFrom: r.date("valid_from", a.ValidFrom),
	}
}

func (r *reader) protections(list []Protection) []core.Protection {
	if len(list) > maxList {
		r.complain("protections: too many")
		return nil
	}
	var out []core.Protection
	for _, p := range list {
		out = append(out, core.Protection{Kind: r.kind(p.Kind), Since: r.date("since", p.Since), Ended: r.date("ended", p.Ended)})
	}
	return out
}

// kind reads a kind of protection. An unknown one is a mistake in the file, so it is refused; what a register itself leaves open
// is written UNKNOWN and counts as the strongest.
func (r *reader) kind(s string) core.ProtectionKind {
	switch s {
	case "SE_SECRECY_MARK":
		return core.ProtectionSESecrecyMark
	case "SE_PROTECTED_REGISTRATION":
		return core.ProtectionSEProtectedRegistration
	case "DK_NAME_ADDRESS":
		return core.ProtectionDKNameAddress
	case "DK_SPECIAL":
		return core.ProtectionDKSpecial
	case "AD_BLOCK":
		return core.ProtectionAdBlock
	case "UNKNOWN":
	default:
		r.complain("kind: not a kind of protection")
	}
	return core.ProtectionUnknown
}

func (r *reader) memberships(list []Membership) []core.Membership {
	if len(list) > maxList {
		r.complain("memberships: too many")
		return nil
	}
	var out []core.Membership
	for _, m := range list {
		member := core.Membership{Controller: m.Controller, From: r.date("from", m.From), Until: r.date("until", m.Until)}
		switch {
		case !controller(m.Controller):
			r.complain("controller: want DK: and 8 digits or SE: and 10")
		case member.From.IsZero():
			r.complain("from: missing")
		case !member.Until.IsZero() && member.From.CertainlyAfter(member.Until):
			r.complain("until: before from")
		}
		out = append(out, member)
	}
	return out
}

// controller looks at the form of an organisation number. Whether there is such an organisation is for the agreements to say.
func controller(s string) bool {
	digits, ok := strings.CutPrefix(s, "DK:")
	want := 8
	if !ok {
		digits, ok = strings.CutPrefix(s, "SE:")
		want = 10
	}
	return ok && len(digits) == want && strings.Trim(digits, "0123456789") == ""
}

func (r *reader) origin(s string) core.Source {
	switch s {
	case "", "PUBLIC_REGISTER":
		return core.SourcePublicRegister
	case "MEMBER":
		return core.SourceMember
	case "EMPLOYER":
		return core.SourceEmployer
	case "AUTHORITY":
		return core.SourceAuthority
	case "OTHER_FUND":
		return core.SourceOtherFund
	default:
		r.complain("origin: not a source")
		return core.SourceUnknown
	}
}
