package personview

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

func whole(t *testing.T, what string, in text) {
	t.Helper()
	for l, s := range in {
		if strings.TrimSpace(s) == "" {
			t.Errorf("%s has no words in language %d", what, l)
		}
	}
}

// Every purpose, basis and operation has words in every language.
func TestEveryTermHasWords(t *testing.T) {
	t.Parallel()
	for n := range vocabularyv1.Purpose_name {
		if p := vocabularyv1.Purpose(n); p != 0 {
			whole(t, p.String(), purposes()[p])
		}
	}
	for n := range vocabularyv1.LegalBasis_name {
		if b := vocabularyv1.LegalBasis(n); b != 0 {
			whole(t, b.String(), bases()[b])
		}
	}
	for n := range vocabularyv1.Operation_name {
		if o := vocabularyv1.Operation(n); o != 0 {
			whole(t, o.String(), verbs()[o])
		}
	}
	for term, words := range terms() {
		whole(t, term, words)
	}
	if purposeText(0, Danish) == "" || basisText(0, English) != "" {
		t.Error("what was not stated")
	}
}

// Every DPV term that stands beside a field in any schema has words: whoever adds a term adds them.
func TestEveryTermOfTheSchemasHasWords(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`dpv: "([a-z]+:[A-Za-z]+)"`)
	var seen []string
	err := filepath.WalkDir("../../../../proto/samvirke", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".proto") {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, m := range form.FindAllSubmatch(raw, -1) {
			if term := string(m[1]); !slices.Contains(seen, term) {
				seen = append(seen, term)
				if _, ok := terms()[term]; !ok {
					t.Errorf("%s: term %s has no words in terms.go", path, term)
				}
			}
		}
		return err
	})
	if err != nil || len(seen) < 8 {
		t.Fatalf("%d terms: %v", len(seen), err)
	}
}

// What no schema here knows is told by its own name, and never left out.
func TestUnknownFieldsAreTold(t *testing.T) {
	t.Parallel()
	const rpc = "samvirke.identity.v1.IdentityService/GetPostalAddress"
	for _, c := range []struct {
		rpc, field string
		want       []string
	}{
		{rpc, "address.city", []string{"address"}}, {rpc, "source", nil}, {rpc, "address.shoe_size", []string{"address: shoe size"}},
		{"samvirke.future.v1.FutureService/Get", "pay_lines", []string{"pay lines"}}, {rpc + "No", "x", []string{"x"}}, {"garbage", "", []string{""}},
	} {
		if got := dataTexts(c.rpc, []string{c.field}, English); !slices.Equal(got, c.want) {
			t.Errorf("%s %s: %q, want %q", c.rpc, c.field, got, c.want)
		}
	}
}

func FuzzDataTexts(f *testing.F) {
	f.Add("samvirke.identity.v1.IdentityService/GetPostalAddress", "address.city")
	f.Add("a/b", "..")
	f.Fuzz(func(t *testing.T, rpc, field string) {
		if got := dataTexts(rpc, []string{field}, Danish); len(got) > 1 {
			t.Errorf("%q", got)
		}
	})
}
