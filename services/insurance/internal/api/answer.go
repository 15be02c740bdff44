package api

import (
	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/insurance/internal/core"
)

func toShares(in []core.Delivery) []*insurancev1.Share {
	out := make([]*insurancev1.Share, len(in))
	for i, d := range in {
		out[i] = &insurancev1.Share{
			Kind: insurancev1.ShareKind(d.Kind), PartnerSubjectId: d.Share.Subject, Purpose: toPurpose(d.Share.Purpose), SharedAt: toTime(d.Item.At),
		}
		if d.Data == nil {
			continue
		}
		out[i].Content, out[i].ValidUntil = toSubject(d.Data), toTime(d.Share.Until)
		if left, limited := d.Share.ReadsLeft(); limited {
			out[i].ReadsLeft = new(int32(left)) //nolint:gosec // bounded by the schema
		}
	}
	return out
}

// toSubject fills the one message that the class has. A field that this message has not can't be given, whatever was agreed.
func toSubject(d *core.Disclosed) *insurancev1.SharedSubject {
	c := d.Contact
	switch d.Class {
	case core.InsuranceAgency:
		return &insurancev1.SharedSubject{Content: &insurancev1.SharedSubject_AgencyContact{AgencyContact: &insurancev1.AgencyContact{
			FullName: c.FullName, PhoneNumber: c.PhoneNumber, Email: c.Email,
		}}}
	case core.IncomeInsurer:
		return &insurancev1.SharedSubject{Content: &insurancev1.SharedSubject_IncomeInsuranceMember{IncomeInsuranceMember: &insurancev1.IncomeInsuranceMember{
			PartnerSubjectId: d.Subject, FullName: c.FullName, PhoneNumber: c.PhoneNumber, Email: c.Email,
			MembershipFrom: toDate(c.From), MembershipTo: toDate(c.To), CoverCode: c.CoverCode,
		}}}
	case core.MemberInsurer:
		return &insurancev1.SharedSubject{Content: &insurancev1.SharedSubject_InsuranceMember{InsuranceMember: &insurancev1.InsuranceMember{
			PartnerSubjectId: d.Subject, FullName: c.FullName, PhoneNumber: c.PhoneNumber, Email: c.Email,
		}}}
	case core.PrintMail:
		return &insurancev1.SharedSubject{Content: &insurancev1.SharedSubject_PrintMailItem{PrintMailItem: &insurancev1.PrintMailItem{
			FullName: c.FullName, PostalAddress: toAddress(d.Address), DocumentReference: d.Document,
		}}}
	case core.Processor, core.GroupCompany, core.RightsSafeguard:
		return &insurancev1.SharedSubject{Content: &insurancev1.SharedSubject_AgreedContact{AgreedContact: &insurancev1.AgreedContact{
			PartnerSubjectId: d.Subject, FullName: c.FullName, PhoneNumber: c.PhoneNumber, Email: c.Email, PostalAddress: toAddress(d.Address),
		}}}
	default:
		return &insurancev1.SharedSubject{}
	}
}

func toAddress(a *core.PostalAddress) *insurancev1.PostalAddress {
	if a == nil {
		return nil
	}
	return &insurancev1.PostalAddress{CareOf: a.CareOf, Lines: a.Lines, PostalCode: a.PostalCode, City: a.City, Country: a.Country}
}

func toDisclosures(in []core.Disclosure) []*insurancev1.Disclosure {
	out := make([]*insurancev1.Disclosure, len(in))
	for i, d := range in {
		out[i] = &insurancev1.Disclosure{
			Kind: insurancev1.ShareKind(d.Kind), PartnerId: d.Partner, PartnerName: d.Name, Fields: toFields(d.Fields), Purpose: toPurpose(d.Purpose),
			PartnerClass: insurancev1.PartnerClass(insurancev1.PartnerClass_value[classPrefix+string(d.Class)]),
			LegalBasis:   vocabularyv1.LegalBasis(vocabularyv1.LegalBasis_value[basisPrefix+string(d.Basis)]), DisclosedAt: toTime(d.At), EventId: d.EventID,
		}
	}
	return out
}
