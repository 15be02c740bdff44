package sf1520

import (
	"encoding/xml"

	"samvirke.dev/services/platform/soap"
)

// answer is a PersonLookupResponse in the namespace of one version.
type answer struct {
	space  string
	record Record
}

// Root names the element: no other is read.
func (a *answer) Root() xml.Name { return xml.Name{Space: a.space, Local: "PersonLookupResponse"} }

// UnmarshalXML reads the answer. The versions differ in nothing but their namespace, which therefore can't stand in the tags: what
// is not in it is skipped, wherever it is, and the rest is read by its local names.
func (a *answer) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	a.record = Record{}
	return soap.DecodeWithin(d, start, func(space string) bool { return space == a.space }, &a.record)
}

var _ soap.Rooted = (*answer)(nil)
