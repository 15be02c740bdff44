package soap_test

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"samvirke.dev/deploy/registers/soap"
)

// A message is either refused, or a tree within the limits whose texts survive being written and read again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`<a/>`, `<?xml version="1.0"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><x xmlns="u" a="1">t &amp; <!-- c --> é</x></e:Body></e:Envelope>`,
		`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, `<p:a/>`, `<a><b></a>`, `<a/><a/>`, "\ufeff<a/>", `<a xmlns:p=""/>`, `<?x y?><a/>`, `<a a="1" a="2"/>`, `<a>&#0;</a>`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		root, err := soap.Parse(data)
		if err != nil {
			if !errors.Is(err, soap.ErrMalformed) {
				t.Errorf("another error: %v", err)
			}
			return
		}
		if n := check(t, root, 1); n > soap.MaxNodes {
			t.Errorf("%d elements", n)
		}
		if body, err := soap.Open(root); err == nil && body == nil {
			t.Error("neither body nor error")
		}
	})
}

func check(t *testing.T, n *soap.Node, depth int) int {
	t.Helper()
	if depth > soap.MaxDepth {
		t.Errorf("depth %d", depth)
	}
	var w soap.Writer
	w.Value("x", n.Text)
	again, err := soap.Parse(w.Bytes())
	if err != nil || again.Text != n.Text {
		t.Errorf("%q written and read: %v %v", n.Text, again, err)
	}
	count := 1
	for _, child := range n.Children {
		count += check(t, child, depth+1)
	}
	return count
}

// The namespace that a prefix means is where it is declared, and nowhere else.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	for doc, fine := range map[string]bool{
		`<a xmlns:p="urn:u"><p:b/></a>`: true, `<a><b xmlns:p="urn:u"/><p:c/></a>`: false, `<a xmlns="urn:u"><b/></a>`: true,
		`<p:a xmlns:p="urn:u" p:x="1"/>`: true, `<a q:x="1"/>`: false, `<a xml:lang="da"/>`: true, `<xmlns:a/>`: false,
		`<u:a xmlns:p="u"/>`: false, `<a xmlns:p="u" u:x="1"/>`: false, // a prefix that looks like the namespace of another
	} {
		if _, err := soap.Parse([]byte(doc)); (err == nil) != fine {
			t.Errorf("%s: %v", doc, err)
		}
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	words := soap.Words("*-", 5)
	for text, want := range map[string]bool{
		"": false, "a": true, "Å*-b": true, "*a": false, "a.b": false, "abcdef": false, "a b": true, " a": false, "ååååå": true, "a\x01": false, "+1": true, "a\u00a0": false,
	} {
		if words(text) != want {
			t.Errorf("words %q: %v", text, !want)
		}
	}
	for text, want := range map[string]string{
		"2026-11-23": "2026-11-23", " 2026-11-23\n": "2026-11-23", "2026-11-23Z": "2026-11-23", "2026-11-23+01:00": "2026-11-23", "2026-02-30": "", "0000-01-01": "",
		"2026-11-23T00:00:00": "", "20261123": "", "": "", "2026-11-23+1": "",
	} {
		if day, ok := soap.Day(text); ok != (want != "") || ok && day != want {
			t.Errorf("day %q: %q %v", text, day, ok)
		}
	}
	number := soap.Integer(-5, 500)
	for text, want := range map[string]bool{"500": true, " 7 ": true, "+7": true, "-5": true, "-6": false, "501": false, "": false, "7.0": false, "1e2": false, "0x1": false, "1_0": false} {
		if number(text) != want {
			t.Errorf("integer %q: %v", text, !want)
		}
	}
}

// An error that is no fault is told as an internal one, with nothing of its text.
func TestInternalError(t *testing.T) {
	t.Parallel()
	var counted []string
	e := soap.Endpoint{Action: "a", Count: func(o string) { counted = append(counted, o) }, Operation: func(context.Context, soap.Call) (soap.Answer, error) {
		return soap.Answer{}, errors.New("secret")
	}}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><x/></e:Body></e:Envelope>`))
	r.Header.Set("Content-Type", "text/xml")
	r.Header.Set("SOAPAction", `"a"`)
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	var answer struct {
		Code string `xml:"Body>Fault>faultcode"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Code != "soap:Server" || w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%v %d %s", err, w.Code, w.Body)
	}
	if len(counted) != 1 || counted[0] != "fault" {
		t.Errorf("counted %v", counted)
	}
}
