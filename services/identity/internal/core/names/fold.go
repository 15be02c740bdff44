package names

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits on what is compared. Registers have shorter names; longer input can't match and must not cost more.
const (
	maxTokens = 32
	maxRunes  = 62 // of one token, so that positions fit a machine word
)

// tokens splits a name into folded words. ok is false if there are too many or too long ones.
func tokens(dst []string, s string) (out []string, ok bool) {
	out = dst
	for s != "" {
		cut := strings.IndexFunc(s, separates)
		word, rest := s, ""
		if cut >= 0 {
			_, width := utf8.DecodeRuneInString(s[cut:])
			word, rest = s[:cut], s[cut+width:]
		}
		s = rest
		w := fold(word)
		switch {
		case w == "":
			continue
		case len(out) == maxTokens || utf8.RuneCountInString(w) > maxRunes:
			return nil, false
		}
		out = append(out, w)
	}
	return out, true
}

func separates(r rune) bool {
	return r == ' ' || r == '-' || r == ',' || r == '/' || unicode.IsSpace(r) || unicode.Is(unicode.Pd, r)
}

// fold returns a word in lower case without accents, apostrophes and dots. Four letters stay as letters of their own, because they
// have several spellings: å; æ for æ and ä; ø for ø, ö and œ; ü.
func fold(word string) string {
	if plain(word) {
		return strings.ToLower(word)
	}
	var b strings.Builder
	b.Grow(len(word))
	for _, r := range norm.NFC.String(word) {
		foldRune(&b, unicode.ToLower(r))
	}
	return b.String()
}

// plain reports whether lower case is all that a word needs.
func plain(word string) bool {
	for i := range len(word) {
		c := word[i] | 0x20
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

func foldRune(b *strings.Builder, r rune) {
	switch r {
	case 'å', 'ü', 'æ', 'ø':
		b.WriteRune(r)
	case 'ä', 'ǽ', 'ǣ':
		b.WriteRune('æ')
	case 'ö', 'œ', 'ǿ', 'ő':
		b.WriteRune('ø')
	case 'ð', 'đ':
		b.WriteByte('d')
	case 'ł':
		b.WriteByte('l')
	case 'ı':
		b.WriteByte('i')
	case 'þ':
		b.WriteString("th")
	case 'ß':
		b.WriteString("ss")
	default:
		foldOther(b, r)
	}
}

// foldOther keeps letters and digits and takes accents off by their canonical decomposition.
func foldOther(b *strings.Builder, r rune) {
	if r < utf8.RuneSelf {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		}
		return
	}
	var enc [utf8.UTFMax]byte
	n := utf8.EncodeRune(enc[:], r)
	parts := norm.NFD.Properties(enc[:n]).Decomposition()
	if len(parts) == 0 {
		parts = enc[:n]
	}
	for len(parts) > 0 {
		p, width := utf8.DecodeRune(parts)
		parts = parts[width:]
		if unicode.IsLetter(p) || unicode.IsDigit(p) {
			b.WriteRune(unicode.ToLower(p))
		}
	}
}

// sameWord compares two folded words, where å may be written aa or a; æ (ä) ae or a; ø (ö) oe or o; ü ue or u.
func sameWord(a, b string) bool {
	if a == b {
		return true
	}
	if isASCII(a) && isASCII(b) {
		return false
	}
	x, y := []rune(a), []rune(b)
	// now is the set of j for which x[:i] and y[:j] may be the same; next and over are those for i+1 and i+2.
	now, next, over := uint64(1), uint64(0), uint64(0)
	for i := range x {
		for j := range y {
			if now&(1<<j) != 0 {
				one, two := meet(x[i:], y[j:])
				next |= one << j
				over |= two << j
			}
		}
		now, next, over = next, over, 0
	}
	return now&(1<<len(y)) != 0
}

// meet compares the beginnings of two words that are not empty. Bit k of one is set if the first letter of x may be the first k
// letters of y, and bit k of two if the first two letters of x may be.
func meet(x, y []rune) (one, two uint64) {
	if x[0] == y[0] || base(x[0]) == y[0] || x[0] == base(y[0]) {
		one = 1 << 1
	}
	if len(y) > 1 && spells(x[0], y[0], y[1]) {
		one |= 1 << 2
	}
	if len(x) > 1 && spells(y[0], x[0], x[1]) {
		two = 1 << 1
	}
	return one, two
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// base returns the plain letter of a letter that has several spellings, and 0 for all others.
func base(r rune) rune {
	switch r {
	case 'å', 'æ':
		return 'a'
	case 'ø':
		return 'o'
	case 'ü':
		return 'u'
	default:
		return 0
	}
}

// spells reports whether the two letters are a spelling of the one.
func spells(r, first, second rune) bool {
	switch r {
	case 'å':
		return first == 'a' && second == 'a'
	case 'æ', 'ø', 'ü':
		return first == base(r) && second == 'e'
	default:
		return false
	}
}
