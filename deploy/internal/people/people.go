// Package people writes synthetic persons in the identity service's import format, for the benchmark and for tests that need
// more of them than the registers publish.
package people

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"samvirke.dev/services/identity/synthetic"
)

// registerTime is when the invented register gave the facts.
const registerTime = "2026-01-02T03:04:05Z"

// Person is somebody of an invented register, without protection.
type Person struct {
	// Number is canonical, such as `SE:198503149802`.
	Number     string
	Country    string
	GivenName  string
	FamilyName string
	Birth      time.Time
	Street     string
	PostalCode string
	City       string
}

// Member is a synthetic member as a person.
func Member(m synthetic.Member) Person {
	return Person{
		Number: m.Number, Country: m.Country, GivenName: m.GivenName, FamilyName: m.FamilyName, Birth: m.Birth,
		Street: m.Street, PostalCode: m.PostalCode, City: m.City,
	}
}

// Line is a person in the import format.
func Line(p Person) ([]byte, error) {
	type d = map[string]any
	raw, err := json.Marshal(d{
		"number": p.Number, "given_names": p.GivenName, "family_name": p.FamilyName, "birth_date": p.Birth.Format(time.DateOnly),
		"address": d{
			"lines": []string{p.Street}, "postal_code": p.PostalCode, "city": p.City, "country": p.Country, "valid_from": "2020-01-01",
		},
		"register_time": registerTime, "source": "invented",
	})
	if err != nil {
		return nil, fmt.Errorf("import line: %w", err)
	}
	return append(raw, '\n'), nil
}

// Members are the first n synthetic members.
func Members(n int) iter.Seq[Person] {
	return func(yield func(Person) bool) {
		generator := synthetic.NewGenerator()
		for range n {
			if !yield(Member(generator.Next())) {
				return
			}
		}
	}
}

// WriteFile writes persons to an import file.
func WriteFile(path string, persons iter.Seq[Person]) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("import file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buffered := bufio.NewWriterSize(f, 1<<16)
	for p := range persons {
		line, err := Line(p)
		if err != nil {
			return err
		}
		if _, err := buffered.Write(line); err != nil {
			return fmt.Errorf("import file: %w", err)
		}
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("import file: %w", err)
	}
	return nil
}
