package soap_test

import (
	"encoding/xml"
	"errors"
	"strings"
	"testing"

	"samvirke.dev/services/platform/soap"
)

// local is an answer that is read by local names in the namespaces that begin with urn:own.
type local struct {
	names []string
	deep  string
}

// Root implements soap.Rooted.
func (l *local) Root() xml.Name { return xml.Name{Space: "urn:own:1", Local: "Answer"} }

// Keeps implements soap.Within.
func (l *local) Keeps(space string) bool { return strings.HasPrefix(space, "urn:own") }

// Read implements soap.Within.
func (l *local) Read(root soap.Element) error {
	for name := range root.All("Name") {
		l.names = append(l.names, name.String())
	}
	l.deep = root.Child("Part").Text("Deep")
	if l.deep == "refused" {
		return errors.New("a value that must not be told")
	}
	return nil
}

var _ soap.Within = (*local)(nil)

func within(inside string) (*local, error) {
	out := &local{}
	err := soap.Decode(strings.NewReader(`<S:Envelope xmlns:S="`+soap.Namespace+`" xmlns:a="urn:own:1" xmlns:b="urn:own:2" xmlns:x="urn:foreign"><S:Body>`+
		inside+`</S:Body></S:Envelope>`), 1<<16, out)
	return out, err
}

// What is read are elements of the kept namespaces, whatever their prefixes.
func TestWithin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ inside, names, deep string }{
		"one namespace":          {`<a:Answer><a:Name>1</a:Name><a:Part><a:Deep>d</a:Deep></a:Part></a:Answer>`, "1", "d"},
		"two of them":            {`<a:Answer><b:Name>1</b:Name><a:Part><b:Deep>d</b:Deep></a:Part></a:Answer>`, "1", "d"},
		"a foreign one":          {`<a:Answer><x:Name>1</x:Name><a:Name>2</a:Name></a:Answer>`, "2", ""},
		"inside a foreign one":   {`<a:Answer><x:Part><a:Deep>d</a:Deep><a:Name>1</a:Name></x:Part><a:Name>2</a:Name></a:Answer>`, "2", ""},
		"prefix declared anew":   {`<a:Answer><a:Name xmlns:a="urn:foreign">1</a:Name><a:Name>2</a:Name></a:Answer>`, "2", ""},
		"foreign prefix, ours":   {`<a:Answer><x:Name xmlns:x="urn:own:9">1</x:Name><x:Name>2</x:Name></a:Answer>`, "1", ""},
		"default namespace":      {`<Answer xmlns="urn:own:1"><Name>1</Name><Name xmlns="">2</Name><Name>3</Name></Answer>`, "1,3", ""},
		"no namespace":           {`<a:Answer><Name>1</Name></a:Answer>`, "", ""},
		"unknown prefix":         {`<a:Answer><q:Name>1</q:Name></a:Answer>`, "", ""},
		"attributes":             {`<a:Answer kind="k" x:lang="l" xml:lang="m" xmlns:kind="urn:own"/>`, "", ""},
		"of a skipped sibling":   {`<a:Answer><x:y kind="z"/><a:Name>1</a:Name></a:Answer>`, "1", ""},
		"comments and white":     {"<a:Answer>\n <!-- c --> <a:Name> 1 </a:Name>\n</a:Answer>", " 1 ", ""},
		"in pieces":              {`<a:Answer><a:Name>1<!-- c -->2<a:Part>x</a:Part><![CDATA[3]]>&amp;4</a:Name></a:Answer>`, "123&4", ""},
		"several of one":         {`<a:Answer><a:Part><a:Deep>c</a:Deep><a:Deep>d</a:Deep></a:Part></a:Answer>`, "", "d"},
		"same name at any depth": {`<a:Answer><a:Part><a:Name>0</a:Name></a:Part><a:Name>1</a:Name></a:Answer>`, "1", ""},
	} {
		got, err := within(c.inside)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n := strings.Join(got.names, ","); n != c.names || got.deep != c.deep {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What is passed over must be well-formed all the same, and what follows the root is looked at.
func TestWithinMalformed(t *testing.T) {
	t.Parallel()
	for _, inside := range []string{
		`<a:Answer><x:y><a:z></x:y></a:z></a:Answer>`, `<a:Answer><x:y></a:Answer>`, `<a:Answer></a:Answer><a:Answer/>`, `<a:Answer><a:Name></a:Answer>`,
		`<a:Answer></b:Answer>`, `<a:Answer><a:Name></b:Name></a:Answer>`, `<b:Answer/>`, `<x:Answer/>`, `<a:Answer>`, `<a:Answer><x:y>&e;</x:y></a:Answer>`,
	} {
		if _, err := within(inside); !errors.Is(err, soap.ErrMalformed) {
			t.Errorf("%s: %v", inside, err)
		}
	}
	// What the answer itself refuses is malformed, and nobody learns why.
	if _, err := within(`<a:Answer><a:Part><a:Deep>refused</a:Deep></a:Part></a:Answer>`); !errors.Is(err, soap.ErrMalformed) || strings.Contains(err.Error(), "told") {
		t.Errorf("refused by the answer: %v", err)
	}
	// A fault is read as ever, and so is an answer after one.
	_, err := within(`<S:Fault><faultcode>S:Server</faultcode><faultstring>x</faultstring></S:Fault>`)
	if _, ok := errors.AsType[*soap.Fault](err); !ok {
		t.Errorf("%v", err)
	}
}
