package core

import (
	"strings"

	"samvirke.dev/services/identity/internal/core/civil"
)

// Role is what kind of party calls, as far as this service tells them apart.
type Role uint8

// The roles. Partners, insurers, processors and everybody else are RoleOther.
const (
	RoleOther Role = iota
	RoleFund
	RoleAgency
)

// Caller is who asks, after authorisation: nothing in it is taken from the caller's word alone except the references.
type Caller struct {
	Organisation   string // country and organisation number
	Controller     string // the controller on whose responsibility it acts, `DK:12345678`
	Role           Role
	LegalReference string // the law relied on; granted by the agreement
	CaseReference  string // the caller's own case
	EndUser        string // who asks there, as the caller's own pseudonym; registers want to know
}

// relationship is how a caller stands to a person.
type relationship uint8

const (
	stranger relationship = iota
	agency
	otherFund
	ownFundDK
	ownFundSE
)

// relationshipTo returns how the caller stands to the person. A fund is the person's own while the membership lasts.
func (c Caller) relationshipTo(p *Person, today civil.Date) relationship {
	switch {
	case c.Role == RoleAgency:
		return agency
	case c.Role != RoleFund:
		return stranger
	case !p.memberOf(c.Controller, today):
		return otherFund
	case strings.HasPrefix(c.Controller, "DK:"):
		return ownFundDK
	default:
		return ownFundSE
	}
}
