// Package redact removes personal data from what leaves a process by the side doors: error texts, log lines and
// printed messages (domain.md C.4, SEC-06).
//
// Text knows the written forms of identifiers and works on any string. Message knows the schema and works by
// allow-list: only fields whose data class is public or internal survive. Neither is a licence to log personal
// data; they catch what got there by accident, for example in the error text of a driver or a register.
package redact

import "strings"

// Marks that replace what was removed. They hold no digit, colon or at-sign, so redacting twice changes nothing.
const (
	markID     = "[national-id]"
	markEmail  = "[email]"
	markPhone  = "[phone]"
	markIP     = "[ip]"
	markToken  = "[token]"
	markPEM    = "[pem]"
	markCipher = "[ciphertext]"
)

// Text returns s without anything that looks like a Swedish or Danish national id (in any written form, also inside
// longer text), an e-mail address, a phone number, an IP address, a bearer or Vault token, a Vault ciphertext or a
// PEM block. Each is replaced by a typed mark. UUIDs, hexadecimal ids of 16, 32, 40 or 64 digits, pseudonyms,
// timestamps, organisation numbers and sizes stay. It errs towards removing, is idempotent and linear in len(s).
//
// Names and street addresses have no form of their own: only an allow-list keeps those out.
func Text(s string) string {
	for range maxPasses {
		if !suspicious(s) {
			return s
		}
		out := once(s)
		if out == s {
			return s
		}
		s = out
	}
	return unstable
}

// A mark can end what held two things together, so a second look may see more. Real texts settle at once; one that
// does not settle was made to be odd, and goes as a whole.
const (
	maxPasses = 8
	unstable  = "[redacted]"
)

// once replaces what one look finds; it returns s itself if that is nothing.
func once(s string) string {
	var out strings.Builder
	last := 0
	each(s, func(at, n int, mark string) {
		if last == 0 {
			out.Grow(len(s))
		}
		out.WriteString(s[last:at])
		out.WriteString(mark)
		last = at + n
	})
	if last == 0 {
		return s
	}
	out.WriteString(s[last:])
	return out.String()
}

// Finding is something that Text would remove.
type Finding struct {
	// Mark is what Text would put there, such as "[national-id]".
	Mark string
	// Offset and Len say where it stands, in bytes.
	Offset, Len int
}

// Find lists what Text would remove, for tests that scan output: no finding means that Text changes nothing.
func Find(s string) []Finding {
	var out []Finding
	if suspicious(s) {
		each(s, func(at, n int, mark string) { out = append(out, Finding{Mark: mark, Offset: at, Len: n}) })
	}
	return out
}

// each calls found for everything that must go, from left to right.
func each(s string, found func(at, n int, mark string)) {
	for i := 0; i < len(s); {
		// Nothing begins with a letter inside a word; this is where most bytes of a text end.
		if i > 0 && isWord(s[i-1]) && isLetter(s[i]) {
			i++
			continue
		}
		n, mark := match(s, i)
		if mark != keep {
			found(i, n, mark)
		}
		i += max(n, 1)
	}
}

// keep is the mark of what must not be looked into any further.
const keep = ""

// fewestDigits is the shortest run of digits, in sum, that can hold anything of interest: an IPv4 address has four,
// everything else seven or more.
const fewestDigits = 4

// suspicious is a cheap first look that most log texts do not survive as suspects.
func suspicious(s string) bool {
	digits, colons, run := 0, 0, 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '@':
			return true
		case c == ':':
			colons++
		case isDigit(c):
			digits++
		}
		if isTokenByte(c) {
			run++
		} else {
			run = 0
		}
		if run >= shortestToken || digits >= fewestDigits || colons > 1 {
			return true
		}
	}
	return strings.Contains(s, "earer ") || strings.Contains(s, "asic ") || strings.Contains(s, "-----BEGIN")
}

// match reports how many bytes at s[i:] belong together, and what replaces them: a mark, or keep. Zero means that
// nothing special starts here. The order is the precedence: protected forms, then secrets, then numbers.
func match(s string, i int) (int, string) {
	if s[i] == '-' {
		if n := pemAt(s, i); n > 0 {
			return n, markPEM
		}
	}
	if i == 0 || !isEmailByte(s[i-1]) {
		if n := emailAt(s, i); n > 0 {
			return n, markEmail
		}
	}
	if i == 0 || !isWord(s[i-1]) {
		if n, mark := wordAt(s, i); n > 0 {
			return n, mark
		}
	}
	if s[i] == ':' || isHex(s[i]) {
		if n := ipv6At(s, i); n > 0 {
			return n, markIP
		}
	}
	if s[i] == '+' || (isDigit(s[i]) && (i == 0 || !isDigit(s[i-1]))) {
		return numberAt(s, i)
	}
	return 0, keep
}

// wordAt looks at what can only begin where a word begins.
func wordAt(s string, i int) (int, string) {
	if n := protectedAt(s, i); n > 0 {
		return n, keep
	}
	return secretAt(s, i)
}

// Classes of bytes, one bit each.
const (
	byteDigit = 1 << iota
	byteHex
	byteLetter
	byteWord
	byteEmail
	byteToken
)

// byteClass is a constant table: the scan asks several questions about every byte.
var byteClass = func() (t [256]uint8) {
	for i := range t {
		c := byte(i)
		if c >= '0' && c <= '9' {
			t[i] |= byteDigit | byteHex | byteWord | byteEmail | byteToken
		}
		// Every byte beyond ASCII counts as a letter: Nordic names and domains are full of them.
		if l := c | 0x20; l >= 'a' && l <= 'z' || c >= 0x80 {
			t[i] |= byteLetter | byteWord | byteEmail
			if c < 0x80 {
				t[i] |= byteToken
			}
			if c < 0x80 && l <= 'f' {
				t[i] |= byteHex
			}
		}
		if c == '_' {
			t[i] |= byteWord | byteEmail | byteToken
		}
		// What local parts of addresses are made of in practice.
		if strings.IndexByte(".%+-", c) >= 0 {
			t[i] |= byteEmail
		}
		// base64, base64url, the dots of a JWT and the colons of a Vault ciphertext.
		if strings.IndexByte("-.+/=~:", c) >= 0 {
			t[i] |= byteToken
		}
	}
	return t
}()

func isDigit(c byte) bool     { return byteClass[c]&byteDigit != 0 }
func isHex(c byte) bool       { return byteClass[c]&byteHex != 0 }
func isLetter(c byte) bool    { return byteClass[c]&byteLetter != 0 }
func isWord(c byte) bool      { return byteClass[c]&byteWord != 0 }
func isEmailByte(c byte) bool { return byteClass[c]&byteEmail != 0 }
func isTokenByte(c byte) bool { return byteClass[c]&byteToken != 0 }
