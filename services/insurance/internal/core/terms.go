// Package core decides what an insurance partner may have of a member (domain rules B.8, B.10, B.11), and keeps what follows from it:
// shares, mailboxes, consents, opt-outs, notices to stop. It knows no wire format, no database and no key holder.
package core

import "slices"

// Purpose is why data are shared, in the words of the exchange without their prefix.
type Purpose string

// The purposes for which anything can be shared.
const (
	IncomeInsuranceAdmin Purpose = "INCOME_INSURANCE_ADMIN"
	MemberInsuranceAdmin Purpose = "MEMBER_INSURANCE_ADMIN"
	InsuranceOffer       Purpose = "INSURANCE_OFFER"
	UnionSales           Purpose = "UNION_SALES"
	MemberInsuranceOffer Purpose = "MEMBER_INSURANCE_OFFER"
	Marketing            Purpose = "MARKETING"
	Newsletter           Purpose = "NEWSLETTER"
	Winback              Purpose = "WINBACK"
	KnowledgeExchange    Purpose = "KNOWLEDGE_EXCHANGE"
	MembershipAdmin      Purpose = "MEMBERSHIP_ADMIN"
)

// Purposes lists them all.
func Purposes() []Purpose {
	return []Purpose{
		IncomeInsuranceAdmin, MemberInsuranceAdmin, InsuranceOffer, UnionSales, MemberInsuranceOffer, Marketing, Newsletter, Winback,
		KnowledgeExchange, MembershipAdmin,
	}
}

// marketing says whether an opt-out or an objection to direct marketing stops the purpose (domain rule P6).
func (p Purpose) marketing() bool {
	switch p {
	case Marketing, InsuranceOffer, UnionSales, MemberInsuranceOffer, Newsletter, Winback:
		return true
	default:
		return false
	}
}

// commercial says whether a controller without commerce refuses the purpose (domain rule P3).
func (p Purpose) commercial() bool {
	switch p {
	case Marketing, InsuranceOffer, UnionSales, MemberInsuranceOffer:
		return true
	default:
		return false
	}
}

// bases returns on which legal bases the purpose may be pursued at all (domain rule B.11).
func (p Purpose) bases() []Basis {
	switch p {
	case IncomeInsuranceAdmin, MemberInsuranceAdmin:
		return []Basis{Contract}
	case InsuranceOffer, UnionSales, MemberInsuranceOffer, Marketing, Newsletter, Winback:
		return []Basis{Consented, Interest}
	case KnowledgeExchange:
		return []Basis{Interest}
	case MembershipAdmin:
		return []Basis{Contract, Obligation, PublicInterest, Authority}
	default:
		return nil
	}
}

// Basis is a legal basis in GDPR art. 6, in the words of the exchange without their prefix.
type Basis string

// The bases.
const (
	Consented      Basis = "A6_1_A"
	Contract       Basis = "A6_1_B"
	Obligation     Basis = "A6_1_C"
	PublicInterest Basis = "A6_1_E_PUBLIC_INTEREST"
	Authority      Basis = "A6_1_E_OFFICIAL_AUTHORITY"
	Interest       Basis = "A6_1_F"
)

// Special is a basis in GDPR art. 9; empty for none.
type Special string

// The special bases that matter here.
const (
	ExplicitConsent      Special = "A9_2_A"
	LegitimateActivities Special = "A9_2_D"
)

// Fields is a set of fields that can be shared.
type Fields uint16

// The fields. The bit of a field is its number in the schema, which a test holds together.
const (
	PartnerSubjectID Fields = 1 << (iota + 1)
	FullName
	PhoneNumber
	Email
	Address
	MembershipFrom
	MembershipTo
	CoverCode
	DocumentReference
)

// Within says whether all fields of f are in o.
func (f Fields) Within(o Fields) bool { return f&^o == 0 }

// Has says whether f has any of the fields.
func (f Fields) Has(o Fields) bool { return f&o != 0 }

// Class is what kind of partner an agreement is made with, in the words of the exchange without their prefix.
type Class string

// The classes of domain rule B.8.
const (
	InsuranceAgency Class  = "INSURANCE_AGENCY"
	IncomeInsurer   Class  = "INCOME_INSURANCE_ADMIN"
	MemberInsurer   Class  = "MEMBER_INSURANCE"
	Processor       Class  = "PROCESSOR"
	PrintMail       Class  = "PRINT_MAIL"
	GroupCompany    Class  = "GROUP_COMPANY"
	RightsSafeguard Class  = "RIGHTS_SAFEGUARD"
	contact                = FullName | PhoneNumber | Email
	noFields        Fields = 0
)

// ClassRule is one row of the table in domain rule B.8: what a partner of the class can have at most.
type ClassRule struct {
	Fields   Fields
	purposes []Purpose
	bases    []Basis   // none: whatever the purpose allows
	special  []Special // any of them is needed where the share shows a union membership; none: the controller's own basis carries it
}

// RuleOf returns the row of a class. An unknown class may have nothing.
func RuleOf(c Class) ClassRule {
	switch c {
	case InsuranceAgency:
		return ClassRule{
			Fields: contact, purposes: []Purpose{InsuranceOffer, UnionSales}, bases: []Basis{Interest}, special: []Special{ExplicitConsent},
		}
	case IncomeInsurer:
		return ClassRule{
			Fields:   PartnerSubjectID | contact | MembershipFrom | MembershipTo | CoverCode,
			purposes: []Purpose{IncomeInsuranceAdmin}, bases: []Basis{Contract}, special: []Special{ExplicitConsent},
		}
	case MemberInsurer:
		return ClassRule{
			Fields: PartnerSubjectID | contact, purposes: []Purpose{MemberInsuranceOffer, MemberInsuranceAdmin},
			bases: []Basis{Contract, Consented, Interest}, special: []Special{ExplicitConsent},
		}
	case Processor:
		return ClassRule{Fields: PartnerSubjectID | contact | Address, purposes: Purposes()}
	case PrintMail:
		return ClassRule{Fields: FullName | Address | DocumentReference, purposes: []Purpose{MembershipAdmin, Newsletter, Marketing}}
	case GroupCompany:
		return ClassRule{
			Fields: PartnerSubjectID | contact, purposes: []Purpose{KnowledgeExchange}, bases: []Basis{Interest},
			special: []Special{ExplicitConsent, LegitimateActivities},
		}
	case RightsSafeguard:
		return ClassRule{Fields: PartnerSubjectID | contact, purposes: []Purpose{MembershipAdmin}, special: []Special{ExplicitConsent}}
	default:
		return ClassRule{Fields: noFields}
	}
}

// allows says whether the class may use data for the purpose at all.
func (r ClassRule) allows(p Purpose) bool { return slices.Contains(r.purposes, p) }

// fits says whether the class may use data for the purpose on the basis.
func (r ClassRule) fits(p Purpose, b Basis) bool {
	return slices.Contains(p.bases(), b) && (len(r.bases) == 0 || slices.Contains(r.bases, b))
}
