package spar

import (
	"strings"

	"samvirke.dev/deploy/registers/persons"
	"samvirke.dev/deploy/registers/soap"
)

// empty reports whether no argument was given that narrows a search.
func (f fields) empty() bool {
	f.phonetic = ""
	return f == fields{}
}

// matches reports whether a person's present facts answer a field search. Addresses are the registered and the special one.
func (f fields) matches(p *persons.Swede) bool {
	return !p.Blank && f.matchesName(p) && f.matchesAddress(p) && f.matchesRegistration(p) &&
		(f.sex == "" || f.sex == p.Sex) && within(p.Born, day(f.born), day(f.bornFrom), day(f.bornTo))
}

func (f fields) matchesName(p *persons.Swede) bool {
	if f.name+f.given+f.family == "" {
		return true
	}
	sound := strings.ToLower
	if f.phonetic == "JA" {
		sound = phonetic
	}
	for _, n := range p.Names {
		if n.Current() && allIn(f.name, n.Given+" "+n.Middle+" "+n.Family, sound) && allIn(f.given, n.Given, sound) &&
			allIn(f.family, n.Middle+" "+n.Family, sound) {
			return true
		}
	}
	return false
}

func (f fields) matchesAddress(p *persons.Swede) bool {
	if f.street+f.city+f.postal+f.postalFrom == "" {
		return true
	}
	for _, a := range p.Addresses {
		if f.at(a) {
			return true
		}
	}
	for _, a := range p.Special {
		if a.Swedish != nil && f.at(*a.Swedish) {
			return true
		}
	}
	return false
}

func (f fields) at(a persons.SwedishAddress) bool {
	return a.Current() && allIn(f.street, a.Line1+" "+a.Line2, strings.ToLower) && allIn(f.city, a.City, strings.ToLower) &&
		within(a.PostalCode, f.postal, f.postalFrom, f.postalTo)
}

func (f fields) matchesRegistration(p *persons.Swede) bool {
	if f.county+f.municipality+f.district+f.districtFrom == "" {
		return true
	}
	for _, r := range p.Registrations {
		if r.Current() && (f.county == "" || f.county == r.County) && (f.municipality == "" || f.municipality == r.Municipality) &&
			within(r.District, f.district, f.districtFrom, f.districtTo) {
			return true
		}
	}
	return false
}

// within compares texts of one length, such as codes and days; empty bounds match all.
func within(value, one, from, to string) bool {
	switch {
	case one != "":
		return value == one
	case from != "":
		return value >= from && value <= to
	default:
		return true
	}
}

func day(s string) string {
	d, _ := soap.Day(s)
	return d
}

// allIn reports whether each word of the argument is one of the words of the text, in any order. A star stands for any letters. The
// parts of a hyphenated word count as words too.
func allIn(argument, text string, sound func(string) string) bool {
	words := strings.Fields(text)
	for _, w := range strings.Fields(text) {
		if parts := strings.Split(w, "-"); len(parts) > 1 {
			words = append(words, parts...)
		}
	}
	for _, wanted := range strings.Fields(argument) {
		found := false
		for _, w := range words {
			found = found || wild(sound(wanted), sound(w))
		}
		if !found {
			return false
		}
	}
	return true
}

// wild matches a text against a pattern in which a star stands for any run of letters. It goes back to the last star only, so its
// time is bounded by the product of the two lengths.
func wild(pattern, text string) bool {
	p, t := []rune(pattern), []rune(text)
	i, j, star, mark := 0, 0, -1, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && p[i] == t[j]:
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// phonetic is how a Swedish name sounds, roughly: spellings of one sound become one letter and doubled letters a single one. SPAR's
// own rule is not published.
func phonetic(word string) string {
	replaced := strings.NewReplacer(
		"sch", "s", "skj", "s", "stj", "s", "sj", "s", "tj", "s", "kj", "s", "hj", "j", "gj", "j", "dj", "j", "lj", "j",
		"ph", "f", "th", "t", "ch", "k", "ck", "k", "gh", "g", "hv", "v", "qu", "kv", "q", "k", "c", "k", "w", "v", "z", "s", "x", "ks",
		"y", "i", "ü", "i", "é", "e", "è", "e", "á", "a", "à", "a", "ae", "ä", "æ", "ä", "oe", "ö", "ø", "ö", "aa", "å",
	).Replace(strings.ToLower(word))
	var b strings.Builder
	var last rune
	for _, r := range replaced {
		if r != last {
			b.WriteRune(r)
		}
		last = r
	}
	return b.String()
}
