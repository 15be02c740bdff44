package spar

import (
	"strings"

	"samvirke.dev/services/platform/soap"
)

// each reads the children with a name.
func each[T any](e soap.Element, name string, read func(soap.Element) T) []T {
	var out []T
	for child := range e.All(name) {
		out = append(out, read(child))
	}
	return out
}

// text returns the text of a child without the white space around it.
func text(e soap.Element, name string) string { return strings.TrimSpace(e.Text(name)) }

func readDate(e soap.Element, name string) date { return date(text(e, name)) }

// readFlag returns nil if there is none.
func readFlag(e soap.Element, name string) *flag {
	child := e.Child(name)
	if !child.Exists() {
		return nil
	}
	f := flag(strings.TrimSpace(child.String()))
	return &f
}

func readRecord(e soap.Element) record {
	return record{
		ID:               text(e.Child("PersonId"), "IdNummer"),
		Mark:             readFlag(e, "Sekretessmarkering"),
		MarkSince:        readDate(e, "SekretessDatum"),
		Registration:     readFlag(e, "SkyddadFolkbokforing"),
		RegistrationFrom: readDate(e, "SkyddadFolkbokforingDatum"),
		Names:            each(e, "Namn", readName),
		Details:          each(e, "Persondetaljer", readDetails),
		Registered:       each(e, "Folkbokforingsadress", readAddress),
		Special:          each(e, "SarskildPostadress", readAddress),
		Abroad:           each(e, "Utlandsadress", readAddress),
		Contact:          each(e, "Kontaktadress", readAddress),
	}
}

func readPeriod(e soap.Element) period {
	return period{From: readDate(e, "DatumFrom"), To: readDate(e, "DatumTill")}
}

func readName(e soap.Element) name {
	return name{
		period: readPeriod(e),
		Notice: text(e, "Aviseringsnamn"),
		Given:  text(e, "Fornamn"),
		Middle: text(e, "Mellannamn"),
		Family: text(e, "Efternamn"),
	}
}

func readDetails(e soap.Element) details {
	return details{
		period:       readPeriod(e),
		Mark:         readFlag(e, "Sekretessmarkering"),
		Registration: readFlag(e, "SkyddadFolkbokforing"),
		Reason:       text(e, "AvregistreringsorsakKod"),
		Died:         readDate(e, "Avlidendatum"),
		FoundDead:    readDate(e, "AntraffadDodDatum"),
		Born:         readDate(e, "Fodelsedatum"),
		References:   each(e, "Hanvisning", readReference),
		HolderDied:   readDate(e, "SnAvlidendatum"),
	}
}

func readReference(e soap.Element) reference {
	return reference{ID: text(e, "IdNummer"), Type: text(e, "Typ")}
}

func readAddress(e soap.Element) address {
	return address{Swedish: each(e, "SvenskAdress", readSwedish), Foreign: each(e, "InternationellAdress", readForeign)}
}

func readSwedish(e soap.Element) swedish {
	return swedish{
		period:     readPeriod(e),
		CareOf:     text(e, "CareOf"),
		Line1:      text(e, "Utdelningsadress1"),
		Line2:      text(e, "Utdelningsadress2"),
		PostalCode: text(e, "PostNr"),
		City:       text(e, "Postort"),
	}
}

func readForeign(e soap.Element) foreign {
	return foreign{
		period:  readPeriod(e),
		Line1:   text(e, "Utdelningsadress1"),
		Line2:   text(e, "Utdelningsadress2"),
		Line3:   text(e, "Utdelningsadress3"),
		Country: text(e, "Land"),
	}
}
