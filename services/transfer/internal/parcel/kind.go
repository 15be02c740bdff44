package parcel

import (
	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	"samvirke.dev/services/transfer/internal/core/cases"
)

// KindOf returns which package it is, or 0 for none.
func KindOf(p *transferv1.DataPackage) cases.PackageKind {
	switch p.GetContent().(type) {
	case *transferv1.DataPackage_Membership:
		return cases.PackageA
	case *transferv1.DataPackage_BenefitRight:
		return cases.PackageB
	case *transferv1.DataPackage_Payments:
		return cases.PackageD
	case *transferv1.DataPackage_EarlyRetirement:
		return cases.PackageE
	case *transferv1.DataPackage_Sanctions:
		return cases.PackageF
	case *transferv1.DataPackage_Exemptions:
		return cases.PackageG
	case *transferv1.DataPackage_Consumption:
		return cases.Ledger
	case *transferv1.DataPackage_SwedishMembership:
		return cases.SwedishMembership
	case *transferv1.DataPackage_SwedishBenefit:
		return cases.SwedishBenefit
	default:
		return 0
	}
}
