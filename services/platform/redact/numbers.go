package redact

import "strings"

// sepKind is how two groups of digits are joined.
type sepKind int

const (
	sepNone sepKind = iota
	sepSpace
	sepHyphen // any dash, underscore, or the plus of a Swedish id of somebody over a hundred
	sepDot
	sepSlash
	sepParen
)

// Bounds of one look: no form of interest has more groups or digits.
const (
	maxGroups = 8
	maxDigits = 20
	maxSep    = 3
)

// group is one run of digits and how it is joined to the one before it.
type group struct {
	start, end int
	sep        sepKind
}

func (g group) len() int { return g.end - g.start }

// cluster is a sequence of digit groups, each joined to the one before.
type cluster struct {
	s      string
	groups [maxGroups]group
	n      int
}

// numberAt decides what the digits that start at i (or behind the plus at i) are.
func numberAt(s string, i int) (int, string) {
	plus := 0
	if s[i] == '+' {
		plus = 1
	}
	c := clusterAt(s, i+plus)
	if c.n == 0 {
		return 0, keep
	}
	if plus == 1 {
		if i > 0 && isWord(s[i-1]) {
			return 0, keep
		}
		if n := c.internationalPhone(); n > 0 {
			return plus + n, markPhone
		}
		return 0, keep
	}
	if n := c.ipv4(); n > 0 {
		return n, markIP
	}
	if n := c.nationalID(); n > 0 {
		return n, markID
	}
	if n := c.phone(); n > 0 {
		return n, markPhone
	}
	return c.groups[0].len(), keep
}

func clusterAt(s string, i int) cluster {
	c := cluster{s: s}
	at, digits, sep := i, 0, sepNone
	for c.n < maxGroups && digits <= maxDigits {
		end := at
		for end < len(s) && isDigit(s[end]) {
			end++
		}
		if end == at {
			break
		}
		c.groups[c.n] = group{start: at, end: end, sep: sep}
		c.n++
		digits += end - at
		n, kind := sepAt(s, end)
		if n == 0 {
			break
		}
		at, sep = end+n, kind
	}
	return c
}

// spellings of separators of more than one byte, also as found in URLs, JSON and HTML.
var spellings = [...]struct {
	text string
	kind sepKind
}{
	{"\u00a0", sepSpace}, {"\u202f", sepSpace}, {"%20", sepSpace},
	{"\u2010", sepHyphen}, {"\u2011", sepHyphen},
	{"\u2012", sepHyphen}, {"\u2013", sepHyphen}, {"\u2014", sepHyphen}, {"\u2212", sepHyphen}, {"\u00ad", sepHyphen},
	{"%2D", sepHyphen}, {"%2d", sepHyphen}, {"%2B", sepHyphen}, {"%2b", sepHyphen},
	{`\u002b`, sepHyphen}, {`\u002B`, sepHyphen}, {`\u002d`, sepHyphen}, {`\u002D`, sepHyphen}, {"&#43;", sepHyphen}, {"&#45;", sepHyphen},
	{"%2F", sepSlash}, {"%2f", sepSlash},
}

// sepAt returns the length and kind of the separator at i: up to three spellings, the strongest kind winning over spaces.
func sepAt(s string, i int) (int, sepKind) {
	n, kind := 0, sepNone
	for range maxSep {
		m, k := oneSep(s[i+n:])
		if m == 0 {
			break
		}
		n += m
		kind = max(kind, k)
	}
	return n, kind
}

func oneSep(s string) (int, sepKind) {
	if s == "" {
		return 0, sepNone
	}
	switch s[0] {
	case ' ', '\t':
		return 1, sepSpace
	case '-', '+', '_':
		return 1, sepHyphen
	case '.':
		return 1, sepDot
	case '/':
		return 1, sepSlash
	case '(', ')':
		return 1, sepParen
	case '%', '\\', '&', 0xC2, 0xE2: // the first bytes of the longer spellings
		for _, sp := range spellings {
			if strings.HasPrefix(s, sp.text) {
				return len(sp.text), sp.kind
			}
		}
	}
	return 0, sepNone
}

// upTo returns the length in bytes of the first k groups and what joins them.
func (c *cluster) upTo(k int) int { return c.groups[k-1].end - c.groups[0].start }

// shaped reports whether the first groups have these lengths.
func (c *cluster) shaped(lens ...int) bool {
	if c.n < len(lens) {
		return false
	}
	for i, n := range lens {
		if c.groups[i].len() != n {
			return false
		}
	}
	return true
}

// joined reports whether the first k groups are joined by this kind only.
func (c *cluster) joined(k int, kind sepKind) bool {
	for _, g := range c.groups[1:k] {
		if g.sep != kind {
			return false
		}
	}
	return true
}

// digits writes the digits of the first k groups into buf.
func (c *cluster) digits(k int, buf *[maxDigits]byte) []byte {
	out := buf[:0]
	for _, g := range c.groups[:k] {
		out = append(out, c.s[g.start:g.end]...)
	}
	return out
}

func (c *cluster) ipv4() int {
	const octets = 4
	if at := c.groups[0].start; at > 0 && c.s[at-1] == '.' {
		return 0 // the tail of something longer, such as an object identifier
	}
	if c.n < octets || !c.joined(octets, sepDot) || (c.n > octets && c.groups[octets].sep == sepDot) {
		return 0
	}
	for i, g := range c.groups[:octets] {
		if g.len() > 3 || (i > 0 && g.start-c.groups[i-1].end != 1) || number(c.s[g.start:g.end]) > 255 {
			return 0
		}
	}
	return c.upTo(octets)
}

// nationalID knows every written form of a Swedish or Danish number: bare, with hyphen or plus, with spaces, with
// the date in groups, with or without century. Check digits are not looked at (a mistyped id is still an id), but
// where the form alone says little, the digits must make a date.
func (c *cluster) nationalID() int {
	var buf [maxDigits]byte
	switch {
	case c.shaped(6, 4):
		return c.ifID(2, c.groups[1].sep == sepHyphen && thirdIsMonth(c.digits(2, &buf)) || plausible10(c.digits(2, &buf)))
	case c.shaped(8, 4):
		return c.ifID(2, plausible12(c.digits(2, &buf)))
	case c.shaped(2, 2, 2, 4):
		return c.ifID(4, thirdIsMonth(c.digits(4, &buf)))
	case c.shaped(4, 2, 2, 4):
		// "2026-03-14 1503" is a date and a time.
		timed := c.groups[3].sep == sepSpace && c.groups[1].sep != sepSpace
		return c.ifID(4, !timed && plausible12(c.digits(4, &buf)))
	case c.shaped(2, 6, 4):
		return c.ifID(3, c.groups[1].sep <= sepHyphen && plausible12(c.digits(3, &buf)))
	case c.shaped(6, 2, 2) && c.joined(3, sepSpace), c.shaped(6, 3, 1):
		return c.ifID(3, plausible10(c.digits(3, &buf)))
	case c.shaped(2, 2, 2, 2, 2):
		return c.ifID(5, plausible10(c.digits(5, &buf)))
	}
	return c.bareID()
}

func (c *cluster) ifID(k int, yes bool) int {
	if !yes {
		return 0
	}
	return c.upTo(k)
}

func (c *cluster) bareID() int {
	run := c.s[c.groups[0].start:c.groups[0].end]
	switch n := len(run); {
	case n == 10 && plausible10([]byte(run)), n == 12 && plausible12([]byte(run)):
		return n
	case n > 12 && holdsID(run):
		return n
	}
	return 0
}

// thirdIsMonth tells a person's number from an organisation's: its third digit begins a month.
func thirdIsMonth(d []byte) bool { return d[2] <= '1' }

// plausible10 accepts YYMMDDNNNC and DDMMYYNNNN: the month stands at the same place in both. Days up to 31, and
// from 61 for coordination numbers and synthetic Danish ones.
func plausible10(d []byte) bool {
	month := number(string(d[2:4]))
	return month >= 1 && month <= 12 && (dayLike(d[4:6]) || dayLike(d[0:2]))
}

// plausible12 accepts YYYYMMDDNNNC of the centuries in question, also with an impossible day, and the form 16 +
// organisation number of a sole trader, which is that person's own id.
func plausible12(d []byte) bool {
	month := number(string(d[4:6]))
	if d[0] == '1' && d[1] == '6' {
		return month >= 1 && month <= 12
	}
	century := number(string(d[0:2]))
	return century >= 17 && century <= 21 && month >= 1 && month <= 19 && number(string(d[6:8])) > 0
}

func dayLike(d []byte) bool {
	day := number(string(d))
	return day >= 1 && day <= 31 || day >= 61
}

// holdsID looks for a twelve-digit id inside a longer run of digits. There it takes a check digit that is right:
// without it every tenth timestamp would go.
func holdsID(run string) bool {
	if compactTime(run) {
		return false
	}
	for i := 0; i+12 <= len(run); i++ {
		w := []byte(run[i : i+12])
		if c := number(run[i : i+2]); c >= 18 && c <= 20 && plausible10(w[2:]) && dayLike(w[6:8]) && luhn(w[2:]) {
			return true
		}
	}
	return false
}

// compactTime accepts YYYYMMDDhhmmss, as in the pseudo-versions of Go modules.
func compactTime(run string) bool {
	return len(run) == 14 && strings.HasPrefix(run, "20") &&
		number(run[8:10]) < 24 && number(run[10:12]) < 60 && number(run[12:14]) < 60
}

func luhn(d []byte) bool {
	sum := 0
	for i, c := range d {
		v := int(c - '0')
		if i%2 == 0 {
			v *= 2
		}
		sum += v/10 + v%10
	}
	return sum%10 == 0
}

// internationalPhone takes groups until a subscriber number is complete.
func (c *cluster) internationalPhone() int {
	total := 0
	for i, g := range c.groups[:c.n] {
		// The zero of "+46 (0)70" is not dialled.
		if g.sep != sepParen || c.s[g.start:g.end] != "0" {
			total += g.len()
		}
		if total >= 10 || i == c.n-1 {
			if total < 8 || total > 15 {
				return 0
			}
			return c.upTo(i + 1)
		}
	}
	return 0
}

// phone knows national forms: 00 and a country code, a leading zero (Sweden), four pairs (Denmark).
func (c *cluster) phone() int {
	first := c.s[c.groups[0].start:c.groups[0].end]
	fraction := c.groups[0].start > 0 && c.s[c.groups[0].start-1] == '.'
	switch {
	case c.shaped(2, 2, 2, 2) && c.joined(4, sepSpace):
		return c.upTo(4)
	case fraction || len(first) < 2 || first[0] != '0':
		return 0
	case first[1] == '0':
		return c.prefixed00()
	case len(first) >= 8 && len(first) <= 10:
		return len(first)
	case len(first) > 4 || c.n < 2 || c.shaped(2, 2, 4) || !c.areaCode():
		return 0
	}
	return c.subscriber()
}

// areaCode asks whether the first group is set off the way an area code is: "08-", "(08) ", "070 174".
func (c *cluster) areaCode() bool {
	g := c.groups[1]
	switch g.sep {
	case sepHyphen, sepSlash, sepParen:
		return true
	case sepSpace:
		return c.groups[0].len() > 2 || g.len() == 3
	default:
		return false
	}
}

func (c *cluster) subscriber() int {
	total := c.groups[0].len()
	for i, g := range c.groups[1:c.n] {
		total += g.len()
		last := i+2 == c.n
		if total >= 9 && !last && total+c.groups[i+2].len() <= 10 {
			continue
		}
		if total >= 9 || last {
			if total < 8 || total > 11 {
				return 0
			}
			return c.upTo(i + 2)
		}
	}
	return 0
}

func (c *cluster) prefixed00() int {
	first := c.s[c.groups[0].start:c.groups[0].end]
	if len(first) < 4 || first[2] == '0' {
		return 0
	}
	total := 0
	for i, g := range c.groups[:c.n] {
		total += g.len()
		if total >= 12 || i == c.n-1 {
			if total < 10 || total > 17 {
				return 0
			}
			return c.upTo(i + 1)
		}
	}
	return 0
}

// number reads a short run of digits.
func number(s string) int {
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}
