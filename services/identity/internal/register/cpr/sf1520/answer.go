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

// Keeps says that the namespace of the version is read and no other. The versions differ in nothing else, so it is not fixed.
func (a *answer) Keeps(space string) bool { return space == a.space }

// Read implements soap.Within.
func (a *answer) Read(root soap.Element) error {
	r := reader{}
	a.record = r.record(root)
	return r.err
}

var _ soap.Within = (*answer)(nil)
