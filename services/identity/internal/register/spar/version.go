package spar

import "encoding/xml"

// Versions of Personsök.
const (
	Version2021 = "2021.1"
	Version2023 = "2023.1"
)

// Namespaces of all versions.
const (
	schemas    = "http://statenspersonadressregister.se/schema/"
	components = schemas + "komponent/"
	identity   = components + "metadata/identifieringsinformationWs-1.1"
	arguments  = components + "sok/sokargument-1.2"
)

// version is what the versions don't have in common. That of 2023.1 is known from published clients only.
type version struct {
	action string // SOAPAction
	schema string // front of the namespaces of question and answer
	search string // namespace of the search parameters
	person string // namespace of the number
}

func versions() map[string]version {
	return map[string]version{
		Version2021: {
			action: "http://skatteverket.se/spar/personsok/2021.1/PersonsokService/Personsok",
			schema: schemas + "personsok/2021.1/",
			search: components + "sok/personsokningsokparametrar-1.1", person: components + "person/person-1.2",
		},
		Version2023: {
			action: "http://skatteverket.se/spar/personsok/2023.1/PersonsokService/Personsok",
			schema: schemas + "personsok/2023.1/",
			search: components + "sok/personsokningsokparametrar-1.2", person: components + "person/person-1.3",
		},
	}
}

func (v version) question() xml.Name {
	return xml.Name{Space: v.schema + "personsokningfraga", Local: "SPARPersonsokningFraga"}
}

func (v version) answer() xml.Name {
	return xml.Name{Space: v.schema + "personsokningsvar", Local: "SPARPersonsokningSvar"}
}
