package authz

import (
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// bases is a set of legal bases as bits, purposeRule one row of the table of domain rule B.11.
type (
	bases   uint16
	classes uint16

	purposeRule struct {
		bases    bases
		classes  classes // which data classes an answer may hold; with specials, also those that need an art. 9 basis
		legalRef bool    // the caller must name the law or agreement
		specials bool
	}
)

const (
	basisA  = bases(1 << vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_A)
	basisB  = bases(1 << vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_B)
	basisC  = bases(1 << vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C)
	basisEP = bases(1 << vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_E_PUBLIC_INTEREST)
	basisEA = bases(1 << vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_E_OFFICIAL_AUTHORITY)
	basisE  = basisEP | basisEA
	basisF  = bases(1 << vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_F)
)

const (
	// technical fields go out for every purpose.
	technical = classes(1<<vocabularyv1.DataClass_DATA_CLASS_PUBLIC | 1<<vocabularyv1.DataClass_DATA_CLASS_INTERNAL)
	pseudonym = classes(1 << vocabularyv1.DataClass_DATA_CLASS_PSEUDONYM)
	ordinary  = technical | pseudonym | classes(1<<vocabularyv1.DataClass_DATA_CLASS_ORDINARY)
	guarded   = ordinary | classes(1<<vocabularyv1.DataClass_DATA_CLASS_PROTECTION)
	numbered  = guarded | classes(1<<vocabularyv1.DataClass_DATA_CLASS_NATIONAL_ID)
	inter     = ordinary | classes(1<<vocabularyv1.DataClass_DATA_CLASS_INTERACTION)
	all       = numbered | classes(1<<vocabularyv1.DataClass_DATA_CLASS_INTERACTION)
)

// rowOf is the table of domain rule B.11, with the data classes that a purpose allows. CRIMINAL and SECRET are allowed to
// none (DFH-13); SPECIAL only where the row says so and the caller holds an art. 9 basis (MIN-08).
func rowOf(p vocabularyv1.Purpose) (purposeRule, bool) {
	switch p {
	case vocabularyv1.Purpose_PURPOSE_IDENTIFICATION:
		return purposeRule{bases: basisC | basisE | basisB, legalRef: true, classes: guarded}, true
	case vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE:
		return purposeRule{bases: basisC | basisE | basisB, legalRef: true, classes: guarded}, true
	case vocabularyv1.Purpose_PURPOSE_DETERMINE_RIGHTS, vocabularyv1.Purpose_PURPOSE_BENEFIT_ASSESSMENT:
		return purposeRule{bases: basisC | basisE, legalRef: true, classes: guarded, specials: true}, true
	case vocabularyv1.Purpose_PURPOSE_PAYMENT_CONTROL:
		return purposeRule{bases: basisC | basisEA, legalRef: true, classes: guarded}, true
	case vocabularyv1.Purpose_PURPOSE_MEMBERSHIP_ADMIN, vocabularyv1.Purpose_PURPOSE_CONTRIBUTION_COLLECTION:
		return purposeRule{bases: basisC | basisE | basisB, legalRef: true, classes: guarded}, true
	case vocabularyv1.Purpose_PURPOSE_FUND_TRANSFER:
		return purposeRule{bases: basisC | basisE, legalRef: true, classes: numbered}, true
	case vocabularyv1.Purpose_PURPOSE_INCOME_INSURANCE_ADMIN, vocabularyv1.Purpose_PURPOSE_MEMBER_INSURANCE_ADMIN:
		return purposeRule{bases: basisB, legalRef: true, classes: ordinary, specials: true}, true
	default:
		return offerRow(p)
	}
}

func offerRow(p vocabularyv1.Purpose) (purposeRule, bool) {
	switch p {
	case vocabularyv1.Purpose_PURPOSE_INSURANCE_OFFER, vocabularyv1.Purpose_PURPOSE_UNION_SALES,
		vocabularyv1.Purpose_PURPOSE_MEMBER_INSURANCE_OFFER:
		return purposeRule{bases: basisA | basisF, legalRef: true, classes: ordinary, specials: true}, true
	case vocabularyv1.Purpose_PURPOSE_MARKETING, vocabularyv1.Purpose_PURPOSE_NEWSLETTER, vocabularyv1.Purpose_PURPOSE_WINBACK:
		return purposeRule{bases: basisA | basisF, legalRef: true, classes: inter}, true
	case vocabularyv1.Purpose_PURPOSE_KNOWLEDGE_EXCHANGE:
		return purposeRule{bases: basisF, legalRef: true, classes: ordinary}, true
	case vocabularyv1.Purpose_PURPOSE_PUBLIC_ACCESS_REQUEST:
		return purposeRule{bases: basisC, legalRef: true, classes: numbered}, true
	case vocabularyv1.Purpose_PURPOSE_SUPERVISION, vocabularyv1.Purpose_PURPOSE_AUDIT:
		return purposeRule{bases: basisC | basisE, legalRef: true, classes: guarded}, true
	case vocabularyv1.Purpose_PURPOSE_RIGHTS_FULFILMENT:
		return purposeRule{bases: basisC, legalRef: true, classes: all, specials: true}, true
	case vocabularyv1.Purpose_PURPOSE_STATISTICS:
		return purposeRule{bases: basisE | basisF, classes: technical}, true
	default:
		return purposeRule{}, false
	}
}

// BasisFits says whether the purpose may be pursued on the basis at all (domain rule B.11).
func BasisFits(p vocabularyv1.Purpose, b vocabularyv1.LegalBasis) bool {
	row, ok := rowOf(p)
	return ok && b > 0 && row.bases&(1<<b) != 0
}

// NeedsLegalReference says whether the purpose demands a legal reference (domain rule B.11).
func NeedsLegalReference(p vocabularyv1.Purpose) bool {
	row, ok := rowOf(p)
	return !ok || row.legalRef
}

// allows says whether an answer for this purpose may hold data of the class. Without a purpose, as one of our own services calls,
// nothing personal is.
func allows(p vocabularyv1.Purpose, special vocabularyv1.SpecialBasis, class vocabularyv1.DataClass) bool {
	if p == vocabularyv1.Purpose_PURPOSE_UNSPECIFIED {
		return technical&(1<<class) != 0
	}
	row, ok := rowOf(p)
	if !ok {
		return false
	}
	if class == vocabularyv1.DataClass_DATA_CLASS_SPECIAL {
		return row.specials && special != vocabularyv1.SpecialBasis_SPECIAL_BASIS_UNSPECIFIED
	}
	return row.classes&(1<<class) != 0
}
