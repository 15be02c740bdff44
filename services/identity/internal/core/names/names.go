// Package names compares a name as a person writes it with the name in a register.
//
// The comparison answers "may this be the same person's name", given that the number is the same. It forgives what people really
// write differently: upper and lower case; accents; the order of the names, also with the family name first; left-out middle
// names and all but one of the given names; initials for given and middle names beside one that is written out; hyphens against
// spaces; å as aa or a, æ and ä as ae or a, ø and ö as oe or o (and æ as ä, ø as ö), ü as ue or u. It does not forgive a word
// that the register does not have, a missing family name (of a double one, both halves), or a name of initials only.
package names

import "unicode/utf8"

// Name is a name as a register keeps it. All of it is ordinary personal data.
type Name struct {
	Given      string // all given names in the register's order
	Middle     string // middle names
	Family     string // family name, also a double one
	Addressing string // as on an envelope: `Ulrikke V Villadsen` or `Efternamn, Anna`
}

// IsZero reports whether there is no name at all.
func (n Name) IsZero() bool { return n == Name{} }

// Match reports whether the name as written may be the registered one. A registered name of which nothing is known matches nothing.
func Match(written string, registered Name) bool {
	given, middle, family := registered.Given, registered.Middle, registered.Family
	if given == "" && family == "" {
		given, family = divide(registered.Addressing)
	}
	var buf [4][8]string
	said, ok1 := tokens(buf[0][:0], written)
	givens, ok2 := tokens(buf[1][:0], given)
	middles, ok3 := tokens(buf[2][:0], middle)
	families, ok4 := tokens(buf[3][:0], family)
	if !ok1 || !ok2 || !ok3 || !ok4 || len(givens)+len(families) == 0 {
		return false
	}
	// Family names are looked for first: all of them are needed, so no other use of the same word may take their place.
	var usedF, usedG, usedM uint32
	rest := said[:0]
	for _, w := range said {
		if !take(w, families, &usedF, sameWord) {
			rest = append(rest, w)
		}
	}
	if usedF != 1<<len(families)-1 {
		return false
	}
	said, rest = rest, rest[:0]
	for _, w := range said {
		if !take(w, givens, &usedG, sameWord) && !take(w, middles, &usedM, sameWord) {
			rest = append(rest, w)
		}
	}
	if len(givens) > 0 && usedG == 0 {
		return false
	}
	for _, w := range rest {
		if !take(w, givens, &usedG, initialOf) && !take(w, middles, &usedM, initialOf) {
			return false
		}
	}
	return true
}

// take uses up the first unused word of the register that fits.
func take(w string, from []string, used *uint32, fits func(said, registered string) bool) bool {
	for i, r := range from {
		if *used&(1<<i) == 0 && fits(w, r) {
			*used |= 1 << i
			return true
		}
	}
	return false
}

func initialOf(said, registered string) bool {
	r, width := utf8.DecodeRuneInString(said)
	first, _ := utf8.DecodeRuneInString(registered)
	return width == len(said) && (r == first || r == base(first))
}

// divide takes an addressing name apart: `Family, Given` at the comma, else the last word is the family name.
func divide(addressing string) (given, family string) {
	space := -1
	for i := range len(addressing) {
		switch addressing[i] {
		case ',':
			return addressing[i+1:], addressing[:i]
		case ' ':
			space = i
		}
	}
	if space < 0 {
		return "", addressing
	}
	return addressing[:space], addressing[space+1:]
}
