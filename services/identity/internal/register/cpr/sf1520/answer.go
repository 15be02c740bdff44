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

// Keeps says that the namespace of the version is read and no other. The versions differ in nothing else, so it can't stand in the tags.
func (a *answer) Keeps(space string) bool { return space == a.space }

// Content is what the rest is read into.
func (a *answer) Content() any {
	a.record = Record{}
	return &a.record
}

var _ soap.Within = (*answer)(nil)
