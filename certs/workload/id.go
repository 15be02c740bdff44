// Package workload names who is at the other end of a connection.
//
// An identity is a SPIFFE id in the single URI SAN of a verified certificate. Two shapes exist, and nothing else parses:
//
//	spiffe://<trust domain>/svc/<name>                          one of our own services
//	spiffe://<trust domain>/org/<country>/<number>/<system>     a system of an organisation outside
//
// Grammar, stricter than SPIFFE's own so that one identity has exactly one spelling:
//
//	trust domain  as SPIFFE demands: lower-case letters, digits, dot, hyphen, underscore; 1 to 255 characters
//	name, system  lower-case letters, digits, hyphen; begins with a letter, ends with a letter or digit; 1 to 63 characters
//	country       two upper-case letters (ISO 3166-1 alpha-2)
//	number        digits and upper-case letters, no separators; 4 to 20 characters
//
// Case matters, percent-encoding, query, fragment, user, port and trailing slash are refused.
package workload

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Kind tells our own services from organisations outside.
type Kind uint8

// The kinds of workload. The zero value is no workload at all and is accepted nowhere.
const (
	KindUnknown Kind = iota
	KindService
	KindOrganisation
)

// String is the kind in lower case, for logs and errors.
func (k Kind) String() string {
	switch k {
	case KindService:
		return "service"
	case KindOrganisation:
		return "organisation"
	case KindUnknown:
		return "unknown"
	default:
		return "unknown"
	}
}

const (
	svcSegment   = "svc"
	orgSegment   = "org"
	maxLabel     = 63
	minOrgNumber = 4
	maxOrgNumber = 20
)

// ErrMalformed is wrapped by every error about an identity that does not follow the grammar of this package.
var ErrMalformed = errors.New("workload identity is malformed")

// ID is a workload's identity. Values are comparable and usable as map keys; two equal identities are equal values. The
// zero ID stands for nobody.
type ID struct {
	trustDomain string
	kind        Kind
	country     string
	number      string
	// label is the service's name or the organisation's system.
	label string
}

// Parse reads a SPIFFE id. Errors wrap ErrMalformed and quote at most the first 128 characters of the input.
func Parse(s string) (ID, error) {
	sid, err := spiffeid.FromString(s)
	if err != nil {
		return ID{}, fmt.Errorf("%w: %q: %w", ErrMalformed, shorten(s), err)
	}
	return fromSPIFFE(sid)
}

// Service names one of our own services.
func Service(trustDomain, name string) (ID, error) {
	if !isLabel(name) {
		return ID{}, fmt.Errorf("%w: service name %q", ErrMalformed, shorten(name))
	}
	return build(trustDomain, svcSegment, name)
}

// Organisation names a system of an organisation outside: country as two upper-case letters, number without separators.
func Organisation(trustDomain, country, number, system string) (ID, error) {
	switch {
	case !isCountry(country):
		return ID{}, fmt.Errorf("%w: country %q, want two upper-case letters", ErrMalformed, shorten(country))
	case !isOrgNumber(number):
		return ID{}, fmt.Errorf("%w: organisation number %q", ErrMalformed, shorten(number))
	case !isLabel(system):
		return ID{}, fmt.Errorf("%w: system %q", ErrMalformed, shorten(system))
	}
	return build(trustDomain, orgSegment, country, number, system)
}

// Kind tells whether this is a service of ours or an organisation outside.
func (i ID) Kind() Kind { return i.kind }

// IsZero reports whether i names nobody.
func (i ID) IsZero() bool { return i == ID{} }

// String is the SPIFFE id, and empty for the zero ID.
func (i ID) String() string {
	switch i.kind {
	case KindService:
		return "spiffe://" + i.trustDomain + "/" + svcSegment + "/" + i.label
	case KindOrganisation:
		return strings.Join([]string{"spiffe:/", i.trustDomain, orgSegment, i.country, i.number, i.label}, "/")
	case KindUnknown:
		return ""
	default:
		return ""
	}
}

// TrustDomain is the domain that vouches for this identity.
func (i ID) TrustDomain() string { return i.trustDomain }

// Org is the organisation as agreements name it, such as "DK:12345678", and empty for services.
func (i ID) Org() string {
	if i.kind != KindOrganisation {
		return ""
	}
	return i.country + ":" + i.number
}

// System is the organisation's calling system, and empty for services.
func (i ID) System() string {
	if i.kind != KindOrganisation {
		return ""
	}
	return i.label
}

// Name is the service's name, and empty for organisations.
func (i ID) Name() string {
	if i.kind != KindService {
		return ""
	}
	return i.label
}

// MarshalText writes the SPIFFE id, so that an ID can stand in configuration and JSON.
func (i ID) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (i *ID) UnmarshalText(text []byte) error {
	id, err := Parse(string(text))
	if err != nil {
		return err
	}
	*i = id
	return nil
}

func build(trustDomain string, segments ...string) (ID, error) {
	td, err := spiffeid.TrustDomainFromString(trustDomain)
	if err != nil || td.Name() != trustDomain {
		// TrustDomainFromString also takes a whole URI; only the bare name is meant here.
		return ID{}, fmt.Errorf("%w: trust domain %q", ErrMalformed, shorten(trustDomain))
	}
	sid, err := spiffeid.FromSegments(td, segments...)
	if err != nil {
		return ID{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return fromSPIFFE(sid)
}

func fromSPIFFE(sid spiffeid.ID) (ID, error) {
	td := sid.TrustDomain().Name()
	if len(td) > 255 {
		return ID{}, fmt.Errorf("%w: trust domain longer than 255 characters", ErrMalformed)
	}
	seg := strings.Split(strings.TrimPrefix(sid.Path(), "/"), "/")
	switch {
	case len(seg) == 2 && seg[0] == svcSegment && isLabel(seg[1]):
		return ID{trustDomain: td, kind: KindService, label: seg[1]}, nil
	case len(seg) == 4 && seg[0] == orgSegment && isCountry(seg[1]) && isOrgNumber(seg[2]) && isLabel(seg[3]):
		return ID{trustDomain: td, kind: KindOrganisation, country: seg[1], number: seg[2], label: seg[3]}, nil
	default:
		return ID{}, fmt.Errorf("%w: %q is neither /svc/<name> nor /org/<country>/<number>/<system>", ErrMalformed, shorten(sid.Path()))
	}
}

func isLabel(s string) bool {
	if len(s) == 0 || len(s) > maxLabel || s[0] < 'a' || s[0] > 'z' || s[len(s)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

func isCountry(s string) bool {
	return len(s) == 2 && isUpper(s[0]) && isUpper(s[1])
}

func isOrgNumber(s string) bool {
	if len(s) < minOrgNumber || len(s) > maxOrgNumber {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z')
	})
}

func isUpper(b byte) bool { return b >= 'A' && b <= 'Z' }

// shorten keeps hostile input from filling an error or a log line.
func shorten(s string) string {
	if len(s) > 128 {
		return s[:128] + "..."
	}
	return s
}
