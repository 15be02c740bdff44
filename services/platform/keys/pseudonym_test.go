package keys_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"samvirke.dev/services/platform/keys"
)

var pseudonymGrammar = regexp.MustCompile(`^k[0-9a-f]{8}\.[A-Za-z0-9_-]{27}$`)

func TestPseudonymGrammar(t *testing.T) {
	t.Parallel()
	p := prfOf(t, newKit().open(t), fundA)
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.StringN(1, 200, 400).Draw(t, "input")
		s, err := p.Pseudonym(in)
		if err != nil {
			t.Fatal(err)
		}
		if !pseudonymGrammar.MatchString(s) {
			t.Fatalf("pseudonym %q", s)
		}
		parsed, err := keys.ParsePseudonym(s)
		if err != nil || parsed.String() != s {
			t.Fatalf("%q parses to %q, error %v", s, parsed, err)
		}
		if ok, err := p.Matches(s, in); err != nil || !ok {
			t.Fatalf("Matches = %v, %v", ok, err)
		}
	})
}

func TestParsePseudonymRefuses(t *testing.T) {
	t.Parallel()
	good := "k0a1b2c3d." + strings.Repeat("A", 27)
	if _, err := keys.ParsePseudonym(good); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]string{
		"empty": "", "short": good[:36], "long": good + "A", "other letter": "x" + good[1:], "no dot": good[:9] + "-" + good[10:],
		"upper-case version": "k0A1B2C3D" + good[9:], "no hex": "k0a1b2c3g" + good[9:], "padding": good[:36] + "=",
		"trailing bits": good[:36] + "B", "line break": good[:20] + "\n" + good[21:], "plain base64": good[:20] + "+" + good[21:],
		"national id": "SE:198503149802",
	} {
		_, err := keys.ParsePseudonym(s)
		if !errors.Is(err, keys.ErrMalformed) {
			t.Errorf("%s: error %v", name, err)
		} else if s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("%s: the error repeats the input", name)
		}
	}
}

func FuzzParsePseudonym(f *testing.F) {
	f.Add("k0a1b2c3d.AAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("k00000000.___________________________")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := keys.ParsePseudonym(s)
		if err != nil {
			return
		}
		if p.String() != s || !pseudonymGrammar.MatchString(s) {
			t.Fatalf("%q was accepted and reads %q", s, p)
		}
	})
}

func FuzzParseDigest(f *testing.F) {
	f.Add([]byte(strings.Repeat("x", 36)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := keys.ParseDigest(b); err == nil && string(d.Bytes()) != string(b) {
			t.Fatalf("%x reads %x", b, d.Bytes())
		}
	})
}

func TestDigestFramesItsParts(t *testing.T) {
	t.Parallel()
	p := prfOf(t, newKit().open(t), fundA)
	digest := func(parts ...string) keys.Digest {
		var in [][]byte
		for _, s := range parts {
			in = append(in, []byte(s))
		}
		return must[keys.Digest](t)(p.Digest(in...))
	}
	seen := map[keys.Digest]int{}
	for i, d := range []keys.Digest{
		digest(), digest(""), digest("", ""), digest("ab", "c"), digest("a", "bc"), digest("abc"), digest("abc", ""), digest("a", "b", "c"),
	} {
		if j, ok := seen[d]; ok {
			t.Errorf("cases %d and %d have one digest", i, j)
		}
		seen[d] = i
	}
	if again := digest("abc"); again != digest("abc") {
		t.Error("not deterministic")
	}
	back, err := keys.ParseDigest(digest("abc").Bytes())
	if err != nil || back != digest("abc") {
		t.Errorf("round trip: %v, %v", back, err)
	}
	// A digest and a pseudonym of the same bytes must share nothing.
	ps := must[keys.Pseudonym](t)(keys.ParsePseudonym(must[string](t)(p.Pseudonym("abc"))))
	d := digest("abc")
	if string(d.Sum[:20]) == string(ps.Sum[:]) {
		t.Error("the digest gives the pseudonym away")
	}
}
