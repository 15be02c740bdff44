package persons

// AsOf is the production date of the published answers. A protection with a planned end after it counts as prolonged ever since, as
// in the sandbox's persons: CPR sends an event when one ends, and none was published.
const AsOf = "2001-11-16"

// Dane is a person in CPR. Dates are `YYYY-MM-DD` and moments `YYYYMMDDHHMM`, as CPR writes them: minutes of 99 and months of 00 are
// facts of the source and mean unknown. Codes are zero-padded texts. Relatives who are in no published list have no number here.
type Dane struct {
	Number          string          `json:"number"`            // 10 digits
	Current         string          `json:"current,omitempty"` // number in force, where it is another
	Status          string          `json:"status"`            // two digits
	StatusSince     string          `json:"status_since,omitempty"`
	StatusUncertain bool            `json:"status_uncertain,omitempty"`
	Sex             string          `json:"sex"` // K or M
	Born            string          `json:"born"`
	BornUncertain   bool            `json:"born_uncertain,omitempty"`
	Start           string          `json:"start,omitempty"`
	StartUncertain  bool            `json:"start_uncertain,omitempty"`
	End             string          `json:"end,omitempty"`
	Occupation      string          `json:"occupation,omitempty"`
	Name            DanishName      `json:"name,omitzero"`
	Names           []DanishName    `json:"names,omitempty"` // earlier ones
	Address         *DanishAddress  `json:"address,omitempty"`
	Addresses       []DanishAddress `json:"addresses,omitempty"` // earlier ones
	Protections     []Protection    `json:"protections,omitempty"`
	Departure       *Departure      `json:"departure,omitempty"`
	Contact         *Contact        `json:"contact,omitempty"`
	Disappeared     string          `json:"disappeared,omitempty"`
	BirthPlace      string          `json:"birth_place,omitempty"`
	BirthPlaceText  string          `json:"birth_place_text,omitempty"`
	Citizenship     Citizenship     `json:"citizenship,omitzero"`
	Civil           Civil           `json:"civil,omitzero"`
	Separated       string          `json:"separated,omitempty"`    // day
	SeparatedAt     string          `json:"separated_at,omitempty"` // moment of the entry, by which 012 and 013 point to each other
	Children        []string        `json:"children,omitempty"`
	Mother          string          `json:"mother,omitempty"`
	Father          string          `json:"father,omitempty"`
	MotherSince     string          `json:"mother_since,omitempty"` // a star at its end where uncertain, and so the next
	FatherSince     string          `json:"father_since,omitempty"`
	EarlierNumbers  []EarlierNumber `json:"earlier_numbers,omitempty"`
}

// Resident reports whether CPR keeps a current address: status below 30.
func (p *Dane) Resident() bool { return p.Status < "30" }

// Protection finds the protection of a type that holds, or the last one that ended; nil for none.
func (p *Dane) Protection(kind string) *Protection {
	var last *Protection
	for i := range p.Protections {
		if q := &p.Protections[i]; q.Type == kind && (last == nil || q.Holds()) {
			last = q
		}
	}
	return last
}

// DanishName is a name with the time in which it held.
type DanishName struct {
	Mark       string `json:"mark,omitempty"` // A or K: annulled or corrected history
	Given      string `json:"given,omitempty"`
	Middle     string `json:"middle,omitempty"`
	MiddleMark string `json:"middle_mark,omitempty"`
	Family     string `json:"family,omitempty"`
	Addressing string `json:"addressing,omitempty"`
	Since      string `json:"since,omitempty"` // a star at its end where uncertain
	Until      string `json:"until,omitempty"`
}

// DanishAddress is an address with the time in which it held.
type DanishAddress struct {
	Mark              string   `json:"mark,omitempty"`
	Municipality      string   `json:"municipality,omitempty"` // 4 digits
	Road              string   `json:"road,omitempty"`         // 4 digits
	House             string   `json:"house,omitempty"`        // such as `016` or `077A`
	Floor             string   `json:"floor,omitempty"`
	Door              string   `json:"door,omitempty"`
	Building          string   `json:"building,omitempty"`
	CareOf            string   `json:"care_of,omitempty"`
	Locality          string   `json:"locality,omitempty"`
	Standard          string   `json:"standard,omitempty"` // the line as it is written on letters
	Town              string   `json:"town,omitempty"`
	Street            string   `json:"street,omitempty"`
	PostalCode        string   `json:"postal_code,omitempty"`
	District          string   `json:"district,omitempty"`
	Since             string   `json:"since,omitempty"`
	Until             string   `json:"until,omitempty"`
	MunicipalitySince string   `json:"municipality_since,omitempty"`
	FromMunicipality  string   `json:"from_municipality,omitempty"`
	FromUntil         string   `json:"from_municipality_until,omitempty"` // a star at its end where uncertain
	Extra             []string `json:"extra,omitempty"`                   // supplementary lines, at most five
	ExtraMunicipality string   `json:"extra_municipality,omitempty"`
	ExtraFrom         string   `json:"extra_from,omitempty"`
	ExtraTo           string   `json:"extra_to,omitempty"`
}

// The types of protection.
const (
	NameAndAddress = "0001"
	LocalDirectory = "0002"
	Marketing      = "0003"
	Research       = "0004"
)

// Protection is one with its dates.
type Protection struct {
	Type  string `json:"type"`
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
	Ended bool   `json:"-"` // ended by an event, whatever the dates say
}

// Holds reports whether the protection is in force: see AsOf.
func (p *Protection) Holds() bool { return p != nil && !p.Ended && (p.To == "" || p.To > AsOf) }

// open is the year from which on an end means none: CPR writes it a hundred years ahead.
const open = "2100"

// End is the end to tell: none for a protection that holds although its planned end is long over.
func (p *Protection) End() string {
	if p.Holds() && p.To < open {
		return ""
	}
	return p.To
}

// Departure is an emigration. Lines are at most five.
type Departure struct {
	Country string   `json:"country"`
	Since   string   `json:"since,omitempty"`
	Lines   []string `json:"lines,omitempty"`
}

// Contact is a contact address of at most five lines.
type Contact struct {
	Lines []string `json:"lines,omitempty"`
	From  string   `json:"from,omitempty"`
	To    string   `json:"to,omitempty"`
}

// Citizenship is a country code with the time since which it holds.
type Citizenship struct {
	Country string `json:"country,omitempty"`
	Since   string `json:"since,omitempty"`
}

// Civil is the civil status. The spouse is a number or a name.
type Civil struct {
	Status     string `json:"status,omitempty"`
	Spouse     string `json:"spouse,omitempty"`
	SpouseName string `json:"spouse_name,omitempty"`
	Since      string `json:"since,omitempty"`
}

// EarlierNumber is a number that the person had.
type EarlierNumber struct {
	Number string `json:"number"`
	From   string `json:"from,omitempty"` // a star at its end where uncertain
	To     string `json:"to,omitempty"`
}
