package stack

import (
	"maps"
	"os"
	"slices"
	"strings"

	"samvirke.dev/certs/bootstrap"
)

// TransferName is the transfer service's name.
const TransferName = "transfer"

// TransferPackage is the program of the transfer service.
const TransferPackage = "samvirke.dev/services/transfer/cmd/transferd"

// Issuer is whose powers of attorney the transfer service believes.
type Issuer interface {
	// Name is the claim iss, JWKS the public keys.
	Name() string
	JWKS() ([]byte, error)
}

// Transfer is the transfer service, which serves the funds: it has a signing key for the data packages of each, and calls other funds under
// their certificates.
func Transfer(funds []Caller, issuer Issuer) Program {
	p := Program{Name: TransferName, Package: TransferPackage, Classes: []string{"case", "index"}}
	for _, f := range funds {
		key := signingKey(f)
		p.Keys = append(p.Keys, bootstrap.Key{Name: key, Type: bootstrap.Ed25519})
		p.Grants = append(p.Grants, bootstrap.Grant{Key: key, Uses: []bootstrap.Use{bootstrap.Sign, bootstrap.Describe}})
	}
	p.Settings = func(s *Stack) map[string]any {
		return transferSettings(s, funds, issuer, map[string][]Caller{TransferName: funds})
	}
	return p
}

// ApartName is the name of a second installation of the transfer service.
const ApartName = "transfer_apart"

// TransferApart are two installations of the transfer service, each with a store of its own and funds of its own, which reach each other as
// any two organisations do.
func TransferApart(here, there []Caller, issuer Issuer) []Program {
	places := map[string][]Caller{TransferName: here, ApartName: there}
	first := Transfer(append(slices.Clone(here), there...), issuer) // both installations sign with its keys
	first.Settings = func(s *Stack) map[string]any { return transferSettings(s, here, issuer, places) }
	second := first
	second.Name, second.As = ApartName, TransferName
	second.Settings = func(s *Stack) map[string]any { return transferSettings(s, there, issuer, places) }
	return []Program{first, second}
}

// signingKey is the key that signs a fund's data packages.
func signingKey(f Caller) string {
	return "sign-" + strings.ToLower(f.Country) + "-" + f.Number
}

// transferSettings are those of an installation that serves funds; places says which funds each installation serves.
func transferSettings(s *Stack, funds []Caller, issuer Issuer, places map[string][]Caller) map[string]any {
	type m = map[string]any
	service := func(name string) string {
		id, err := ServiceID(name)
		if err != nil {
			return "" // refused by the service with its own words
		}
		return id.String()
	}
	jwks := s.path("issuer.jwks.json")
	if keys, err := issuer.JWKS(); err == nil {
		err = os.WriteFile(jwks, keys, 0o600)
		if err != nil {
			jwks = "" // as above
		}
	}
	served, directory := make([]m, 0, len(funds)), []m{}
	for _, f := range funds {
		files := s.Files(f)
		served = append(served, m{"id": f.Org(), "cert_file": files.Cert, "key_file": files.Key, "ca_file": files.CA, "signing_key": signingKey(f)})
	}
	for _, place := range slices.Sorted(maps.Keys(places)) {
		for _, f := range places[place] {
			directory = append(directory, m{"id": f.Org(), "kind": "fund", "address": s.Addr(place), "service": service(TransferName)})
		}
	}
	return m{
		"funds": served, "directory": directory, "sweep": "1s", "identity": m{"address": s.Addr(IdentityName), "service": service(IdentityName)},
		"issuers": []m{{"name": issuer.Name(), "jwks_file": jwks}},
	}
}
