package canary_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"samvirke.dev/services/platform/redact/canary"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The golden rows of domain.md D.2.
func TestGeneratorGoldenRows(t *testing.T) {
	t.Parallel()
	want := map[int]string{
		0: "DK 7004631298 1963-04-10", 1: "SE 199011062388 1990-11-06", 2: "DK 7601841597 1984-01-16",
		3: "SE 198007119806 1980-07-11", 4: "DK 9003971543 1997-03-30", 5: "SE 200111092391 2001-11-09",
		8: "DK 7009651203 1965-09-10", 9: "SE 200410252399 2004-10-25", 10: "DK 7702801105 1980-02-17",
		18: "DK 7407054258 2005-07-14", 19: "SE 197402709807 1974-02-10", 20: "DK 9110024468 2002-10-31",
		25: "SE 199605302398 1996-05-30", 28: "DK 7909991972 1999-09-19", 29: "SE 198211129807 1982-11-12",
	}
	people := canary.People(30)
	for i, w := range want {
		p := people[i]
		if got := fmt.Sprintf("%s %s %s", p.Country, p.ID, p.Birth.Format("2006-01-02")); got != w {
			t.Errorf("person %d = %s, want %s", i, got, w)
		}
	}
}

func TestPeopleAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for _, p := range canary.People(10_000) {
		for _, v := range []string{p.ID, p.GivenName, p.FamilyName, p.Street, p.Email, p.Phone, strconv.FormatInt(p.Amount, 10)} {
			if other, ok := seen[v]; ok {
				t.Fatalf("%q belongs to %d and %d", v, other, p.Index)
			}
			seen[v] = p.Index
		}
	}
	if diff := cmp.Diff(canary.People(50), canary.People(100)[:50]); diff != "" {
		t.Errorf("the generator depends on n: %s", diff)
	}
}

func corpus(tb testing.TB, n int, extra ...string) *canary.Corpus {
	tb.Helper()
	c, err := canary.NewCorpus(canary.People(n), extra...)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestScanFindsEveryForm(t *testing.T) {
	t.Parallel()
	c := corpus(t, 100, "a secret of its own")
	se, dk := canary.People(2)[1], canary.People(1)[0]
	sum := sha256.Sum256([]byte("SE:" + se.ID))
	for name, tc := range map[string]struct {
		text   string
		kind   canary.Kind
		person int
	}{
		"bare":        {se.ID, canary.KindID, 1},
		"in text":     {"x" + se.ID + "y", canary.KindID, 1},
		"short":       {"(" + se.ID[2:8] + "-" + se.ID[8:] + ")", canary.KindID, 1},
		"danish":      {dk.ID[:6] + "-" + dk.ID[6:], canary.KindID, 0},
		"in a URL":    {dk.ID[:6] + "%2D" + dk.ID[6:], canary.KindID, 0},
		"hash":        {hex.EncodeToString(sum[:]), canary.KindHash, 1},
		"base64 0":    {base64.StdEncoding.EncodeToString([]byte(se.ID)), canary.KindHash, 1},
		"base64 1":    {base64.StdEncoding.EncodeToString([]byte(".." + `"` + se.ID + `"`)), canary.KindHash, 1},
		"base64 2":    {base64.StdEncoding.EncodeToString([]byte("id" + se.ID + "id")), canary.KindHash, 1},
		"birth":       {`"` + se.Birth.Format("2006-01-02") + `"`, canary.KindBirth, 1},
		"name":        {"dear " + se.GivenName, canary.KindName, 1},
		"upper case":  {strings.ToUpper(dk.FamilyName), canary.KindName, 0},
		"street":      {dk.Street, canary.KindStreet, 0},
		"e-mail":      {dk.Email, canary.KindEmail, 0},
		"phone":       {"tel:" + se.Phone, canary.KindPhone, 1},
		"amount":      {fmt.Sprintf(`{"amount":%d}`, se.Amount), canary.KindAmount, 1},
		"kronor":      {fmt.Sprintf("%d,%02d kr", dk.Amount/100, dk.Amount%100), canary.KindAmount, 0},
		"extra text":  {"here is a secret of its own.", canary.KindText, -1},
		"at the end":  {strings.Repeat(" ", 1000) + dk.ID, canary.KindID, 0},
		"binary data": {"\x00\x0a\x0a" + dk.ID + "\x12", canary.KindID, 0},
	} {
		hits := c.Scan([]byte(tc.text))
		if len(hits) == 0 || hits[0].Kind != tc.kind || hits[0].Person != tc.person {
			t.Errorf("%s: Scan(%q) = %v, want %s of %d", name, tc.text, hits, tc.kind, tc.person)
		}
	}
}

func TestScanIsQuietOnOrdinaryOutput(t *testing.T) {
	t.Parallel()
	c := corpus(t, 10_000)
	rnd := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for range 20_000 {
		fmt.Fprintf(&b, `{"time":"2026-03-14T15:09:26.%09dZ","trace_id":"%016x%016x","duration":"%d","n":%d}`+"\n",
			rnd.IntN(1e9), rnd.Uint64(), rnd.Uint64(), 1_767_225_600_000_000_000+rnd.Int64N(1e16), rnd.IntN(1e6))
	}
	hits, err := c.ScanReader(&b)
	if err != nil || len(hits) > 0 {
		t.Errorf("hits %v, error %v", hits, err)
	}
}

func TestCorpusRefusesShortTexts(t *testing.T) {
	t.Parallel()
	if _, err := canary.NewCorpus(nil, "short"); err == nil {
		t.Error("want an error")
	}
}

func BenchmarkScan(b *testing.B) {
	c := corpus(b, 10_000)
	line := `{"time":"2026-03-14T15:09:26.123456789Z","level":"INFO","msg":"call","rpc":"samvirke.identity.v1.IdentityService/VerifyIdentity"}` + "\n"
	text := []byte(strings.Repeat(line, 1<<23/len(line)))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if hits := c.Scan(text); len(hits) > 0 {
			b.Fatal(hits)
		}
	}
}

func BenchmarkNewCorpus(b *testing.B) {
	people := canary.People(10_000)
	for b.Loop() {
		if _, err := canary.NewCorpus(people); err != nil {
			b.Fatal(err)
		}
	}
}
