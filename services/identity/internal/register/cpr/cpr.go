// Package cpr holds what the readers of the Danish civil registration (CPR) have in common: what its codes mean for us. The readers
// themselves lie below it, one for each way to ask CPR.
package cpr

// The states of a person number, padded to two digits: the form in which CPR Direkte writes them and core.Person keeps them.
const (
	StateResident         = "01" // lives in Denmark
	StateNoAbode          = "03" // lives in Denmark on a special road code: no fixed address
	StateGreenland        = "05" // lives in Greenland
	StateGreenlandNoAbode = "07" // lives in Greenland on a special road code
	StateAdministrative   = "20" // lives elsewhere, has a number for tax reasons
	StateAnnulled         = "30" // the number is nobody's
	StateDuplicate        = "50" // the person has another number
	StateChanged          = "60" // the person got another number: birth date or sex was corrected
	StateDisappeared      = "70"
	StateEmigrated        = "80"
	StateDead             = "90"
	firstSpecial          = 9900
	lastSpecial           = 9999
	codeDenmark           = 5100
	codeSweden            = 5120
	codeGermany           = 5180
	countryDenmark        = "DK"
	countryGreenland      = "GL"
	countrySweden         = "SE"
	countryGermany        = "DE"
)

// Replaced reports whether the state says that another number is in force.
func Replaced(state string) bool { return state == StateDuplicate || state == StateChanged }

// Post says which of the addresses in CPR a letter may go to.
type Post uint8

// The addresses.
const (
	PostNowhere    Post = iota // none: dead, disappeared, no person, or a state that we don't know
	PostRegistered             // where the person lives; the contact address if that is missing
	PostContact                // the contact address only
	PostElsewhere              // the contact address, else the foreign one
	PostAbroad                 // the foreign address only
)

// PostFor returns where a letter to a person in that state goes.
func PostFor(state string) Post {
	switch state {
	case StateResident, StateGreenland:
		return PostRegistered
	case StateNoAbode, StateGreenlandNoAbode:
		return PostContact
	case StateAdministrative:
		return PostElsewhere
	case StateEmigrated:
		return PostAbroad
	default:
		return PostNowhere
	}
}

// SpecialRoad reports whether a person is registered without a fixed address, by the state or by the road code: 9900 to 9999 are no
// roads. With a protected name and address that may be the registration after threats (domain rule B.10, DK_SPECIAL); CPR has no
// mark of its own for it, so both together are taken for it.
func SpecialRoad(state string, roadCode int) bool {
	return state == StateNoAbode || state == StateGreenlandNoAbode || roadCode >= firstSpecial && roadCode <= lastSpecial
}

// HomeCountry returns the ISO 3166-1 alpha-2 code of the country of a registered address: GL for residents of Greenland, else DK.
func HomeCountry(state string) string {
	if state == StateGreenland || state == StateGreenlandNoAbode {
		return countryGreenland
	}
	return countryDenmark
}

// Country returns the ISO 3166-1 alpha-2 code for a country code of CPR, or "" for one whose meaning no source of ours gives.
func Country(code int) string {
	switch code {
	case codeDenmark:
		return countryDenmark
	case codeSweden:
		return countrySweden
	case codeGermany:
		return countryGermany
	default:
		return ""
	}
}
