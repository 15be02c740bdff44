package names

import (
	"slices"
	"strings"
)

// Words returns the words of a name in a form in which all spellings of one word that this package takes for the same are equal:
// å, aa and a; æ, ä, ae and a; ø, ö, œ, oe and o; ü, ue and u. It serves as a key for a search whose finds are then compared with
// Contains, since different words may share a key. A name with too many or too long words has none.
func Words(name string) []string {
	words, ok := tokens(nil, name)
	if !ok {
		return nil
	}
	for i, w := range words {
		words[i] = spellings().Replace(w)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

func spellings() *strings.Replacer {
	return strings.NewReplacer("aa", "a", "å", "a", "ae", "a", "æ", "a", "ä", "a", "oe", "o", "ø", "o", "ö", "o", "œ", "o", "ue", "u", "ü", "u")
}

// Contains reports whether every word that was said is a word of the registered name, in any order and spelling.
func Contains(said string, registered Name) bool {
	words, ok := tokens(nil, said)
	if !ok || len(words) == 0 {
		return false
	}
	var have []string
	for _, part := range [...]string{registered.Given, registered.Middle, registered.Family, registered.Addressing} {
		more, ok := tokens(have, part)
		if !ok {
			return false
		}
		have = more
	}
	for _, w := range words {
		if !slices.ContainsFunc(have, func(h string) bool { return sameWord(w, h) }) {
			return false
		}
	}
	return true
}
