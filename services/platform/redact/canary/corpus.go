package canary

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Kind says what a canary is.
type Kind string

// The kinds of canary.
const (
	KindID     Kind = "national id"
	KindBirth  Kind = "birth date"
	KindName   Kind = "name"
	KindStreet Kind = "street"
	KindEmail  Kind = "e-mail"
	KindPhone  Kind = "phone"
	KindAmount Kind = "amount"
	// KindHash is an unkeyed hash of a national id: as good as the id, because the ids can be enumerated (SEC-04).
	KindHash Kind = "unkeyed hash"
	KindText Kind = "text"
)

// minForm is the shortest form that is searched for, in bytes: shorter ones occur by accident, and the index needs it.
const minForm = 8

// Hit is one canary that was found.
type Hit struct {
	Kind Kind
	// Person is the index of the Person, or -1 for an extra text.
	Person int
	// Form is the written form that was found.
	Form string
	// Offset is where it begins, in bytes.
	Offset int
}

// String describes the hit for a test's failure message.
func (h Hit) String() string {
	return fmt.Sprintf("%s of person %d at byte %d: %q", h.Kind, h.Person, h.Offset, h.Form)
}

type form struct {
	kind   Kind
	person int
	text   string
	// key is where in text the eight bytes stand that it is indexed by.
	key int
	// number: a digit before or behind means that this is part of another number.
	number bool
}

// Corpus is an index of written forms. It is immutable and safe for concurrent use.
type Corpus struct {
	forms []form
	seen  map[string]struct{}
	// byKey holds each form under eight of its bytes, chosen so that few forms share them: the street of every
	// person begins alike, but does not end alike.
	byKey map[uint64][]int32
	// filter has a bit for the hash of each key; most positions of a text end here.
	filter []uint64
}

const filterBits = 22

// NewCorpus indexes every written form of the persons' data, and the extra texts as they are. It refuses an extra
// text of less than 8 bytes, which would be found everywhere.
func NewCorpus(people []Person, extra ...string) (*Corpus, error) {
	c := &Corpus{
		seen: map[string]struct{}{}, byKey: map[uint64][]int32{}, filter: make([]uint64, 1<<(filterBits-6)),
	}
	for _, p := range people {
		c.addPerson(p)
	}
	for _, e := range extra {
		if len(e) < minForm {
			return nil, fmt.Errorf("canary: %q is too short to be told from other text", e)
		}
		c.add(KindText, -1, false, e)
	}
	c.seen = nil // needed while building only
	return c, nil
}

func (c *Corpus) addPerson(p Person) {
	for _, f := range IDForms(p.Country, p.ID) {
		c.add(KindID, p.Index, true, f)
	}
	for _, f := range encodings(p.Country, p.ID) {
		c.add(KindHash, p.Index, false, f)
	}
	c.add(KindBirth, p.Index, true, p.Birth.Format("2006-01-02"), p.Birth.Format("02.01.2006"), p.Birth.Format("02-01-2006"))
	for _, name := range []string{p.GivenName, p.FamilyName} {
		c.add(KindName, p.Index, false, spellings(name)...)
	}
	c.add(KindStreet, p.Index, true, spellings(p.Street)...)
	c.add(KindEmail, p.Index, false, spellings(p.Email)...)
	c.add(KindPhone, p.Index, true, p.Phone, strings.TrimPrefix(p.Phone, "+"), url.QueryEscape(p.Phone))
	amount := strconv.FormatInt(p.Amount, 10)
	major, minor := amount[:len(amount)-2], amount[len(amount)-2:]
	c.add(KindAmount, p.Index, true, amount, major+"."+minor, major+","+minor)
}

// IDForms returns the written forms of a normalised Swedish or Danish id. For ids that are not of the generator
// (published test persons) give them to NewCorpus as extra texts.
func IDForms(country, id string) []string {
	out := []string{id}
	bodies := []string{id}
	if country == Sweden && len(id) == 12 {
		bodies = append(bodies, id[2:])
		out = append(out, id[2:])
	}
	for _, b := range bodies {
		date, rest := b[:len(b)-4], b[len(b)-4:]
		for _, sep := range []string{"-", "+", " ", "%2D", "%2B", "%20", "\u2013", "\u2011", `\u002b`} {
			out = append(out, date+sep+rest)
		}
		n := len(date)
		year, month, day := date[:n-4], date[n-4:n-2], date[n-2:]
		out = append(out, year+"-"+month+"-"+day+"-"+rest, year+"."+month+"."+day+"-"+rest)
	}
	return out
}

// encodings are what an id becomes when somebody thinks that it is hidden by that.
func encodings(country, id string) []string {
	out := make([]string, 0, 3*7)
	for _, plain := range []string{id, country + ":" + id, id[:len(id)-4] + "-" + id[len(id)-4:]} {
		sum := sha256.Sum256([]byte(plain))
		out = append(out, hex.EncodeToString(sum[:]), base64.RawStdEncoding.EncodeToString(sum[:]),
			base64.RawURLEncoding.EncodeToString(sum[:]), hex.EncodeToString([]byte(plain)))
		out = append(out, base64Forms(plain)...)
	}
	return out
}

// base64Forms returns what base64 of a text that contains plain holds, for the three ways it can be aligned. Only
// characters that depend on nothing but plain are kept.
func base64Forms(plain string) []string {
	var out []string
	for shift := range 3 {
		whole := len(plain) - (3-shift)%3
		whole -= whole % 3
		from := (3 - shift) % 3
		enc := base64.RawStdEncoding.EncodeToString([]byte(plain[from : from+whole]))
		if len(enc) >= minForm {
			out = append(out, enc)
		}
	}
	return out
}

// spellings are the ways text with Nordic letters is written out.
func spellings(s string) []string {
	ascii := strconv.QuoteToASCII(s)
	return []string{
		s, strings.ToLower(s), strings.ToUpper(s), url.QueryEscape(s), url.PathEscape(s), ascii[1 : len(ascii)-1],
	}
}

func (c *Corpus) add(k Kind, person int, number bool, texts ...string) {
	for _, t := range texts {
		if len(t) < minForm {
			continue
		}
		if _, ok := c.seen[t]; ok {
			continue
		}
		c.seen[t] = struct{}{}
		at, key := c.rarest(t)
		c.byKey[key] = append(c.byKey[key], int32(len(c.forms))) //nolint:gosec // far fewer than two billion forms
		c.forms = append(c.forms, form{kind: k, person: person, text: t, key: at, number: number})
		b := bitOf(key)
		c.filter[b>>6] |= 1 << (b & 63)
	}
}

// rarest returns the place in t whose eight bytes the fewest forms are indexed by so far.
func (c *Corpus) rarest(t string) (int, uint64) {
	best, fewest, key := 0, -1, uint64(0)
	for i := 0; i+minForm <= len(t); i++ {
		k := binary.LittleEndian.Uint64([]byte(t[i : i+minForm]))
		if n := len(c.byKey[k]); fewest < 0 || n < fewest {
			best, fewest, key = i, n, k
		}
		if fewest == 0 {
			break
		}
	}
	return best, key
}

// bitOf spreads a key over the filter; the factor is the golden ratio, as in Fibonacci hashing.
func bitOf(key uint64) uint64 { return key * 0x9E3779B97F4A7C15 >> (64 - filterBits) }

// Len returns the number of written forms that are searched for.
func (c *Corpus) Len() int { return len(c.forms) }

// Scan returns every canary in b, in order of place. No hit is what a test wants.
func (c *Corpus) Scan(b []byte) []Hit {
	var out []Hit
	for i := 0; i+minForm <= len(b); i++ {
		key := binary.LittleEndian.Uint64(b[i:])
		bit := bitOf(key)
		if c.filter[bit>>6]&(1<<(bit&63)) == 0 {
			continue
		}
		for _, f := range c.byKey[key] {
			if h := &c.forms[f]; h.at(b, i-h.key) {
				out = append(out, Hit{Kind: h.kind, Person: h.person, Form: h.text, Offset: i - h.key})
			}
		}
	}
	slices.SortFunc(out, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(len(b.Form), len(a.Form)))
	})
	return out
}

// ScanReader reads r to its end and scans it. Errors are those of r.
func (c *Corpus) ScanReader(r io.Reader) ([]Hit, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("canary: %w", err)
	}
	return c.Scan(b), nil
}

func (f *form) at(b []byte, i int) bool {
	if i < 0 || !bytes.HasPrefix(b[i:], []byte(f.text)) {
		return false
	}
	if !f.number {
		return true
	}
	end := i + len(f.text)
	return (i == 0 || !digit(b[i-1])) && (end == len(b) || !digit(b[end]))
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
