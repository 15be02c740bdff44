package stack

import (
	"samvirke.dev/certs/bootstrap"
	"samvirke.dev/services/insurance"
)

// InsuranceName is the insurance sharing service's name.
const InsuranceName = "insurance"

// InsurancePackage is its program.
const InsurancePackage = "samvirke.dev/services/insurance/cmd/insuranced"

// Insurance is the insurance sharing service. partners are the organisations with which agreements can be made: it has a key for the
// pseudonyms of each. controllers say what each controller allows itself, as the service's configuration does.
func Insurance(partners []string, controllers []map[string]any) Program {
	p := Program{Name: InsuranceName, Package: InsurancePackage, Classes: []string{"member"}, Callees: []string{IdentityName}}
	for _, partner := range partners {
		p.Keys = append(p.Keys, bootstrap.Key{Name: insurance.PartnerKEK(partner)})
	}
	p.Settings = func(s *Stack) map[string]any {
		return map[string]any{"identity": map[string]any{"address": s.Addr(IdentityName)}, "controllers": controllers}
	}
	return p
}
