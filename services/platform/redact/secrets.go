package redact

import (
	"net/netip"
	"strings"
)

// shortestToken is the least number of characters after a token's prefix. Real Vault tokens have 24 or more.
const shortestToken = 20

// pemAt matches a PEM block from its first line to the end of its last, or to the end of the text if it was cut off.
func pemAt(s string, i int) int {
	const begin, end, dashes = "-----BEGIN ", "-----END ", "-----"
	rest := s[i:]
	if !strings.HasPrefix(rest, begin) {
		return 0
	}
	e := strings.Index(rest, end)
	if e < 0 {
		return len(rest)
	}
	tail := strings.Index(rest[e+len(end):], dashes)
	if tail < 0 {
		return len(rest)
	}
	return e + len(end) + tail + len(dashes)
}

// emailAt matches local@domain where the domain ends in a label of letters, so that module@v1.2.3 is none.
func emailAt(s string, i int) int {
	at := i
	for at < len(s) && isEmailByte(s[at]) {
		at++
	}
	if at == i || at == len(s) || s[at] != '@' {
		return 0
	}
	end, dot := at+1, -1
	for end < len(s) && isEmailByte(s[end]) {
		if s[end] == '.' && end+1 < len(s) && isLetter(s[end+1]) {
			dot = end
		}
		end++
	}
	if dot < 0 {
		return 0
	}
	return end - i
}

// schemes introduce a credential, whatever it looks like.
var schemes = [...]string{"bearer ", "basic "}

// prefixes of tokens that are recognised wherever they stand: Vault's service, batch and recovery tokens, JSON Web
// Tokens.
var prefixes = [...]string{"hvs.", "hvb.", "hvr.", "eyJ"}

// secretAt matches credentials at a word's beginning.
func secretAt(s string, i int) (int, string) {
	for _, scheme := range schemes {
		if n := len(scheme); len(s)-i > n && strings.EqualFold(s[i:i+n], scheme) && s[i+n] != '[' {
			if t := tokenRun(s[i+n:]); t > 0 {
				return n + t, s[i:i+n] + markToken
			}
		}
	}
	for _, p := range prefixes {
		if strings.HasPrefix(s[i:], p) {
			if t := tokenRun(s[i+len(p):]); t >= shortestToken {
				return len(p) + t, markToken
			}
		}
	}
	if n := oldVaultToken(s[i:]); n > 0 {
		return n, markToken
	}
	if strings.HasPrefix(s[i:], "vault:v") {
		if t := tokenRun(s[i+len("vault:v"):]); t >= shortestToken {
			return len("vault:v") + t, markCipher
		}
	}
	return 0, keep
}

// oldVaultToken matches the form before Vault 1.10: "s." or "b." and 24 or more letters and digits.
func oldVaultToken(s string) int {
	const least = 24
	if len(s) < 2+least || (s[0] != 's' && s[0] != 'b') || s[1] != '.' {
		return 0
	}
	n := 2
	for n < len(s) && s[n] < 0x80 && s[n] != '_' && isWord(s[n]) {
		n++
	}
	if n < 2+least {
		return 0
	}
	return n
}

func tokenRun(s string) int {
	n := 0
	for n < len(s) && isTokenByte(s[n]) {
		n++
	}
	return n
}

// uuidGroups are the lengths of a UUID's groups.
var uuidGroups = [...]int{8, 4, 4, 4, 12}

// protectedAt matches identifiers that are ours and harmless although digits in them may look like something else:
// UUIDs, hexadecimal ids of fixed length with at least one letter, pseudonyms of package keys.
func protectedAt(s string, i int) int {
	if n := uuidAt(s, i); n > 0 {
		return n
	}
	if n := pseudonymAt(s, i); n > 0 {
		return n
	}
	n, letters := 0, 0
	for i+n < len(s) && isHex(s[i+n]) {
		if !isDigit(s[i+n]) {
			letters++
		}
		n++
	}
	switch n {
	case 16, 32, 40, 64:
		if letters > 0 && !wordFollows(s, i+n) {
			return n
		}
	}
	return 0
}

func uuidAt(s string, i int) int {
	at := i
	for g, want := range uuidGroups {
		if g > 0 {
			if at >= len(s) || s[at] != '-' {
				return 0
			}
			at++
		}
		for range want {
			if at >= len(s) || !isHex(s[at]) {
				return 0
			}
			at++
		}
	}
	if wordFollows(s, at) {
		return 0
	}
	return at - i
}

// pseudonymAt matches "k", 8 hexadecimal digits, ".", 27 characters of base64url.
func pseudonymAt(s string, i int) int {
	const size = 1 + 8 + 1 + 27
	if len(s)-i < size || s[i] != 'k' || s[i+9] != '.' {
		return 0
	}
	for _, c := range []byte(s[i+1 : i+9]) {
		if !isHex(c) {
			return 0
		}
	}
	for _, c := range []byte(s[i+10 : i+size]) {
		if !isTokenByte(c) || c == '.' || c == '+' || c == '/' || c == '=' || c == '~' || c == ':' {
			return 0
		}
	}
	if wordFollows(s, i+size) {
		return 0
	}
	return size
}

func wordFollows(s string, i int) bool { return i < len(s) && isWord(s[i]) }

// longestIPv6 is the longest text form without a zone.
const longestIPv6 = 45

// ipv6At matches an IPv6 address that stands by itself.
func ipv6At(s string, i int) int {
	if i > 0 && (isWord(s[i-1]) || s[i-1] == ':' || s[i-1] == '.') {
		return 0
	}
	n, colons := 0, 0
	for i+n < len(s) && n <= longestIPv6 && (isHex(s[i+n]) || s[i+n] == ':' || s[i+n] == '.') {
		if s[i+n] == ':' {
			colons++
		}
		n++
	}
	// Colons alone are the unspecified address at most, and more often a separator.
	if colons < 2 || colons == n || n > longestIPv6 || wordFollows(s, i+n) {
		return 0
	}
	// A sentence or a list may go on right behind the address, with one mark of punctuation.
	for _, end := range [...]int{n, n - 1} {
		if a, err := netip.ParseAddr(s[i : i+end]); err == nil && a.Is6() {
			return end
		}
		if c := s[i+n-1]; c != ':' && c != '.' {
			break
		}
	}
	return 0
}
