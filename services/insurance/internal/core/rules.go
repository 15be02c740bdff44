package core

import (
	"slices"
	"strings"
)

// Policy is what a controller allows itself, whatever it agrees with partners.
type Policy struct {
	Controller   string
	Classes      []Class   // of partners that it has at all (LED-13: a closed list)
	Purposes     []Purpose // for which it shares at all
	NoCommerce   bool      // shares nothing for commercial purposes (SEK-10)
	Union        bool      // the mere share shows that somebody is a member of a union (GAP-06)
	ConsentYears int       // how many years a consent holds (MIN-45); 0: until it is withdrawn
}

// Agreement is an agreement between a controller and a partner.
type Agreement struct {
	ID           string          `json:"id"`
	Version      uint32          `json:"version"`
	Partner      string          `json:"partner"` // country and organisation number
	Name         string          `json:"name"`
	Class        Class           `json:"class"`
	Country      string          `json:"country"`  // where the data are processed, ISO 3166-1 alpha-2
	Transfer     string          `json:"transfer"` // ground for a country outside the EU and EEA
	Purposes     []AgreedPurpose `json:"purposes"`
	Fields       Fields          `json:"fields"`
	From         Day             `json:"from"`  // first day in force
	Until        Day             `json:"until"` // last day in force
	ProcessingID string          `json:"processing_id"`
	BalancingID  string          `json:"balancing_id"`
}

// AgreedPurpose is a purpose with the bases on which it may be pursued.
type AgreedPurpose struct {
	Purpose Purpose `json:"purpose"`
	Bases   []Basis `json:"bases"`
}

func (a *Agreement) active(today Day) bool { return !a.From.After(today) && !today.After(a.Until) }

func (a *Agreement) bases(p Purpose) []Basis {
	for _, agreed := range a.Purposes {
		if agreed.Purpose == p {
			return agreed.Bases
		}
	}
	return nil
}

// Consent is a member's consent.
type Consent struct {
	ID         string  `json:"id"`
	Purpose    Purpose `json:"purpose"`
	Partner    string  `json:"partner"`     // empty for every partner
	Special    bool    `json:"special"`     // explicit, and covers that the share shows a union membership
	ThirdParty bool    `json:"third_party"` // covers campaigns of third parties (MIN-28)
	Channels   []int   `json:"channels"`    // by which the member may be contacted, as the schema numbers them
	Registered Day     `json:"registered"`
	Withdrawn  bool    `json:"-"` // kept beside it
}

// LastDay returns the last day on which a consent holds; zero if it holds until it is withdrawn.
func (p *Policy) LastDay(c Consent) Day {
	if p.ConsentYears == 0 {
		return Day{}
	}
	return c.Registered.AddYears(p.ConsentYears)
}

// Refusal is an opt-out of some or all offers.
type Refusal struct {
	Partner string  // empty for all
	Purpose Purpose // empty for all
}

// PersonFacts are what the rules ask about a member.
type PersonFacts struct {
	Consents   []Consent
	Refusals   []Refusal
	Objected   bool // to direct marketing, or a block in the register (domain rule B.10)
	Restricted bool
	Protected  bool
	Channel    string // on which the contact data came in
	Ended      bool   // the share itself has ended: its time, its reads, or the controller ended it
}

// Facts are all that a decision is made of.
type Facts struct {
	Policy    *Policy    // nil: the controller shares nothing
	Agreement *Agreement // nil: there is none
	Purpose   Purpose
	Basis     Basis
	Special   Special
	Wanted    Fields
	Today     Day
	Balanced  bool         // the agreement's balancing assessment is stored, for this purpose
	Person    *PersonFacts // nil: only what needs no person is decided
}

// Reason is why not.
type Reason string

// The reasons, in the order of the table in domain rule B.8.
const (
	AgreementInactive   Reason = "AGREEMENT_INACTIVE"
	PurposeNotAgreed    Reason = "PURPOSE_NOT_AGREED"
	CommercialForbidden Reason = "COMMERCIAL_PURPOSE_FORBIDDEN"
	BasisInvalid        Reason = "BASIS_INVALID"
	ConsentMissing      Reason = "CONSENT_MISSING"
	ConsentExpired      Reason = "CONSENT_EXPIRED"
	ConsentWithdrawn    Reason = "CONSENT_WITHDRAWN"
	BalancingMissing    Reason = "BALANCING_MISSING"
	Art9Missing         Reason = "ART9_MISSING"
	OptedOut            Reason = "OPTED_OUT"
	Protected           Reason = "PROTECTED"
	Restricted          Reason = "RESTRICTED"
	ThirdCountry        Reason = "THIRD_COUNTRY"
	FieldsExceed        Reason = "FIELDS_EXCEED"
	SourceForbidden     Reason = "SOURCE_FORBIDDEN"
	ShareEnded          Reason = "SHARE_ENDED"
)

// needsPerson says whether a check asks about the member. The others are the same for somebody unknown (domain rule P7).
func (r Reason) needsPerson() bool {
	switch r {
	case ConsentMissing, ConsentExpired, ConsentWithdrawn, Art9Missing, OptedOut, Protected, Restricted, SourceForbidden, ShareEnded:
		return true
	default:
		return false
	}
}

// Reasons are all reasons of one decision; none means yes.
type Reasons []Reason

// ToPartner returns what a partner is told. For a protected person that is what an unknown one would get: the reasons that need no
// person, or none at all, and then unknown says that nobody is known (domain rules P7, B.10).
func (rs Reasons) ToPartner() (told Reasons, unknown bool) {
	if !slices.Contains(rs, Protected) {
		return rs, false
	}
	told = slices.DeleteFunc(slices.Clone(rs), Reason.needsPerson)
	return told, len(told) == 0
}

// Decide evaluates the whole table of domain rule B.8, P1 to P11, and lists every reason, in the order of the table.
func Decide(f Facts) Reasons {
	var out Reasons
	deny := func(not bool, r Reason) {
		if not {
			out = append(out, r)
		}
	}
	deny(f.Agreement == nil || !f.Agreement.active(f.Today), AgreementInactive)
	deny(!f.purposeAgreed(), PurposeNotAgreed)
	deny(f.Policy != nil && f.Policy.NoCommerce && f.Purpose.commercial(), CommercialForbidden)
	if r := f.basis(); r != "" {
		out = append(out, r)
	}
	p := f.Person
	if p != nil {
		deny(f.revealsUnion() && !f.holdsSpecial(), Art9Missing)
		deny(f.Purpose.marketing() && (p.Objected || f.refused()), OptedOut)
		deny(p.Protected, Protected)
		deny(p.Restricted, Restricted)
	}
	if a := f.Agreement; a != nil {
		deny(!insideEEA(a.Country) && a.Transfer == "", ThirdCountry)
		deny(!f.Wanted.Within(a.Fields&RuleOf(a.Class).Fields), FieldsExceed)
	}
	if p != nil {
		deny(strings.HasPrefix(p.Channel, "AF_"), SourceForbidden)
		deny(p.Ended && len(out) == 0, ShareEnded) // the table's own reasons say more
	}
	return out
}

// purposeAgreed is P2. Where there is no agreement at all, P1 says so alone, unless the controller itself has no such purpose.
func (f Facts) purposeAgreed() bool {
	if f.Policy == nil || !slices.Contains(f.Policy.Purposes, f.Purpose) {
		return false
	}
	a := f.Agreement
	return a == nil || a.bases(f.Purpose) != nil && slices.Contains(f.Policy.Classes, a.Class) && RuleOf(a.Class).allows(f.Purpose)
}

// basis is P4: the reason why not, or "".
func (f Facts) basis() Reason {
	if f.Agreement == nil || f.Agreement.bases(f.Purpose) == nil {
		return "" // P1 or P2 have said so
	}
	switch {
	case !RuleOf(f.Agreement.Class).fits(f.Purpose, f.Basis), !slices.Contains(f.Agreement.bases(f.Purpose), f.Basis):
		return BasisInvalid
	case f.Basis == Interest && !f.Balanced:
		return BalancingMissing
	case f.Basis == Consented && f.Person != nil:
		return f.consent(func(c Consent) bool { return !f.thirdParty() || c.ThirdParty })
	default:
		return ""
	}
}

// thirdParty says whether somebody else runs a campaign on the consent (MIN-28).
func (f Facts) thirdParty() bool { return f.Agreement.Class == Processor && f.Purpose == Marketing }

// consent returns "" if a consent that suits holds today, or else what became of them.
func (f Facts) consent(suits func(Consent) bool) Reason {
	out := ConsentMissing
	for _, c := range f.Person.Consents {
		if c.Purpose != f.Purpose || (c.Partner != "" && c.Partner != f.Agreement.Partner) || !suits(c) || c.Registered.After(f.Today) {
			continue
		}
		last := Day{}
		if f.Policy != nil {
			last = f.Policy.LastDay(c)
		}
		switch {
		case c.Withdrawn:
			if out == ConsentMissing {
				out = ConsentWithdrawn
			}
		case !last.IsZero() && f.Today.After(last):
			out = ConsentExpired
		default:
			return ""
		}
	}
	return out
}

// revealsUnion says whether the mere share shows a union membership to somebody who is no processor of the union (P5).
func (f Facts) revealsUnion() bool {
	return f.Policy != nil && f.Policy.Union && f.Agreement != nil && len(RuleOf(f.Agreement.Class).special) > 0
}

// holdsSpecial says whether there is a basis in art. 9 for that. An explicit consent must be on record.
func (f Facts) holdsSpecial() bool {
	if !slices.Contains(RuleOf(f.Agreement.Class).special, f.Special) {
		return false
	}
	return f.Special != ExplicitConsent || f.consent(func(c Consent) bool { return c.Special }) == ""
}

func (f Facts) refused() bool {
	for _, r := range f.Person.Refusals {
		partner := r.Partner == "" || f.Agreement != nil && r.Partner == f.Agreement.Partner
		if partner && (r.Purpose == "" || r.Purpose == f.Purpose) {
			return true
		}
	}
	return false
}
