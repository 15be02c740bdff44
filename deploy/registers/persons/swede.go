package persons

// Forever is SPAR's end of a row that holds now.
const Forever = "9999-12-31"

// Swede is a person in SPAR. Dates are `YYYY-MM-DD`; those that SPAR may know in part only may have month or day 00.
type Swede struct {
	Number string `json:"number"`         // 12 digits
	Type   string `json:"type"`           // PERSONNUMMER, SAMORDNINGSNUMMER or IMMUNITETSNUMMER
	Born   string `json:"born,omitempty"` // true birth date, which need not be the number's
	Sex    string `json:"sex,omitempty"`  // MAN or KVINNA
	// Mark is the sekretessmarkering, Registration the skyddad folkbokföring. MarkBySPAR: the mark follows from the registration.
	Mark             bool           `json:"mark,omitempty"`
	MarkBySPAR       bool           `json:"mark_by_spar,omitempty"`
	MarkDate         string         `json:"mark_date,omitempty"`
	Registration     bool           `json:"registration,omitempty"`
	RegistrationDate string         `json:"registration_date,omitempty"`
	Changed          string         `json:"changed"`          // SenasteAndringSPAR
	Income           string         `json:"income,omitempty"` // kronor
	IncomeYear       string         `json:"income_year,omitempty"`
	Names            []SwedishName  `json:"names,omitempty"`
	DeregCode        string         `json:"dereg,omitempty"` // AV, UV, GN, …
	DeregDate        string         `json:"dereg_date,omitempty"`
	Died             string         `json:"died,omitempty"`
	FoundDead        string         `json:"found_dead,omitempty"`
	BirthCounty      string         `json:"birth_county,omitempty"`
	BirthParish      string         `json:"birth_parish,omitempty"`
	Citizen          bool           `json:"citizen,omitempty"`
	References       []Reference    `json:"references,omitempty"`
	Coordination     *Coordination  `json:"coordination,omitempty"`
	Registrations    []Registration `json:"registrations,omitempty"`
	// The four kinds of address that SPAR knows.
	Addresses []SwedishAddress `json:"addresses,omitempty"`
	Special   []EitherAddress  `json:"special,omitempty"`
	Abroad    []ForeignAddress `json:"abroad,omitempty"`
	Contacts  []EitherAddress  `json:"contacts,omitempty"`
	Relations []Relation       `json:"relations,omitempty"`
	// Blank: SPAR has weeded everything but the number, as it does some years after a death.
	Blank bool `json:"blank,omitempty"`
}

// Protected reports whether SPAR withholds name and address.
func (p *Swede) Protected() bool { return p.Mark || p.MarkBySPAR || p.Registration }

// Period is the half-open interval in which a row holds.
type Period struct {
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"` // Forever for a row that holds now
}

// Current reports whether the row holds now.
func (p Period) Current() bool { return p.To == Forever }

// SwedishName is a row of names.
type SwedishName struct {
	Period
	Notice string `json:"notice,omitempty"` // Aviseringsnamn
	Given  string `json:"given,omitempty"`
	Call   string `json:"call,omitempty"` // Tilltalsnamn: tens and units say which given names are used
	Middle string `json:"middle,omitempty"`
	Family string `json:"family,omitempty"`
}

// Reference is a Hanvisning to another number of the same person.
type Reference struct {
	Number string `json:"number"`
	Type   string `json:"type,omitempty"` // Till, Fran or none
}

// Coordination is what SPAR knows of a samordningsnummer.
type Coordination struct {
	Status      string `json:"status,omitempty"`
	Assigned    string `json:"assigned,omitempty"`
	Preliminary string `json:"preliminary,omitempty"` // when it will become dormant unless renewed
	Renewed     string `json:"renewed,omitempty"`
	Reason      string `json:"reason,omitempty"`
	Dormant     string `json:"dormant,omitempty"`
	Died        string `json:"died,omitempty"`
}

// Registration is a row of population registration.
type Registration struct {
	Period
	County       string `json:"county,omitempty"`       // 2 digits
	Municipality string `json:"municipality,omitempty"` // 2 digits
	Residence    string `json:"residence,omitempty"`    // Hemvist
	Date         string `json:"date,omitempty"`
	District     string `json:"district,omitempty"` // 6 digits
}

// SwedishAddress is an address in Sweden.
type SwedishAddress struct {
	Period
	CareOf     string `json:"care_of,omitempty"`
	Line1      string `json:"line1,omitempty"`
	Line2      string `json:"line2,omitempty"` // where the street usually stands
	PostalCode string `json:"postal_code,omitempty"`
	City       string `json:"city,omitempty"`
}

// ForeignAddress is an address in SPAR's international form.
type ForeignAddress struct {
	Period
	Line1   string `json:"line1,omitempty"`
	Line2   string `json:"line2,omitempty"`
	Line3   string `json:"line3,omitempty"`
	Country string `json:"country,omitempty"`
}

// EitherAddress is one or the other.
type EitherAddress struct {
	Swedish *SwedishAddress `json:"swedish,omitempty"`
	Foreign *ForeignAddress `json:"foreign,omitempty"`
}

// Relation is a guardian or a spouse.
type Relation struct {
	Period
	Kind   string `json:"kind"` // VÅRDNADSHAVARE or MAKE/MAKA/REGISTRERAD PARTNER
	Number string `json:"number,omitempty"`
	Given  string `json:"given,omitempty"`
	Middle string `json:"middle,omitempty"`
	Family string `json:"family,omitempty"`
}
