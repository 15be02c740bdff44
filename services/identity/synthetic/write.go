package synthetic

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"samvirke.dev/services/identity/internal/importer"
)

// registerTime is when the register of members who do not exist gave its facts.
const registerTime = "2026-01-01T00:00:00Z"

// WriteJSONL writes the first n members in the import format of the identity service, one a line. fund names the fund that a member
// is in since 2020-01-01, or "" for none; a nil fund means nobody is in any.
func WriteJSONL(w io.Writer, n int, fund func(m Member) string) error {
	out := bufio.NewWriterSize(w, 1<<16)
	lines, g := json.NewEncoder(out), NewGenerator()
	lines.SetEscapeHTML(false)
	for range n {
		m := g.Next()
		if m.Number == "" {
			return errors.New("synthetic: there are no more numbers")
		}
		line := m.line()
		if fund != nil {
			if controller := fund(m); controller != "" {
				line.Memberships = []importer.Membership{{Controller: controller, From: "2020-01-01"}}
			}
		}
		if err := lines.Encode(line); err != nil {
			return fmt.Errorf("synthetic: member %d: %w", m.Index, err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("synthetic: %w", err)
	}
	return nil
}

func (m Member) line() importer.Line {
	return importer.Line{
		Number: m.Number, GivenNames: m.GivenName, FamilyName: m.FamilyName, BirthDate: m.Birth.Format("2006-01-02"),
		Address: &importer.Address{
			Lines: []string{m.Street}, PostalCode: m.PostalCode, City: m.City, Country: m.Country, ValidFrom: "2020-01-01",
		},
		RegisterTime: registerTime, Source: "synthetic",
	}
}
