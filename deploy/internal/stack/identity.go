package stack

import (
	"context"

	"samvirke.dev/certs/bootstrap"
	"samvirke.dev/services/identity"
)

// IdentityName is the identity service's name.
const IdentityName = "identity"

// IdentityPackage is the program of the identity service.
const IdentityPackage = "samvirke.dev/services/identity/cmd/identityd"

// Identity is the identity service. callers are those whose organisations may be controllers: it has a key for the handles of each.
// testPersons are the national numbers outside the synthetic ranges that it shall take; registers those that it asks, or nil.
func Identity(callers []Caller, testPersons []string, r *Registers) Program {
	p := Program{Name: IdentityName, Package: IdentityPackage, Classes: []string{"person", "index"}}
	seen := map[string]bool{}
	for _, c := range callers {
		if key := identity.HandleKEK(c.Org()); !seen[key] {
			seen[key] = true
			p.Keys = append(p.Keys, bootstrap.Key{Name: key})
		}
	}
	p.Settings = func(*Stack) map[string]any {
		own := map[string]any{"test_persons": append([]string{}, testPersons...)}
		if r != nil {
			own["registers"] = r.config()
		}
		return own
	}
	return p
}

// Import loads persons into the identity service from a file in the import format.
func (s *Stack) Import(ctx context.Context, file string) error {
	_, err := s.Command(ctx, IdentityName, "import", file)
	return err
}
