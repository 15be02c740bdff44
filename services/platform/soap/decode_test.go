package soap_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"samvirke.dev/services/platform/soap"
)

const limit = 64 << 10

func TestDecode(t *testing.T) {
	t.Parallel()
	const latin = `<?xml version="1.0" encoding="ISO-8859-1"?>`
	for name, message := range map[string]string{
		"plain":              enclose(good),
		"byte order mark":    "\ufeff" + enclose(good),
		"no declaration":     strings.SplitN(enclose(good), "\n", 2)[1],
		"comments":           "<!-- a -->" + strings.SplitN(enclose("<!-- < & -->"+good+"<!-- b -->"), "\n", 2)[1] + "<!-- c -->\n",
		"single quotes":      strings.ReplaceAll(enclose(good), `"`, `'`),
		"standalone":         strings.Replace(enclose(good), `"UTF-8"?>`, `"utf-8" standalone="yes" ?>`, 1),
		"CDATA":              enclose(strings.Replace(good, "Åse", "<![CDATA[Å]]>s<![CDATA[e]]>", 1)),
		"references":         enclose(strings.Replace(good, "Åse", "&#xc5;&#115;e", 1)),
		"Latin-1":            strings.Replace(strings.ReplaceAll(enclose(good), "Å", "\xc5"), `<?xml version="1.0" encoding="UTF-8"?>`, latin, 1),
		"header":             strings.Replace(enclose(good), "<s:Body>", `<s:Header><x a="1"><y/></x><z s:mustUnderstand="0"/></s:Header><s:Body>`, 1),
		"empty header":       strings.Replace(enclose(good), "<s:Body>", `<s:Header/><s:Body>`, 1),
		"default namespace":  enclose(strings.ReplaceAll(strings.Replace(good, "<t:Told", `<t:Told xmlns="`+told+`"`, 1), "t:", "")),
		"other prefix":       enclose(strings.ReplaceAll(strings.Replace(good, "<t:Told", `<u:Told xmlns:u="`+told+`"`, 1), "t:", "u:")),
		"carriage returns":   strings.ReplaceAll(enclose(good), "<t:Row>", "\r\n<t:Row>"),
		"unknown attributes": enclose(strings.Replace(good, "<t:Told", `<t:Told a="&lt;" b='"'`, 1)),
	} {
		var a answer
		if err := soap.Decode(strings.NewReader(message), limit, &a); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if a.Name != "Åse" || !slices.Equal(a.Rows, []string{"1", "2"}) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// bad are messages that are refused.
func bad() map[string]string {
	decl := `<?xml version="1.0" encoding="UTF-8"?>`
	bare := strings.TrimPrefix(enclose(good), decl+"\n")
	bomb := `<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>`
	return map[string]string{
		"nothing":              "",
		"text":                 "no XML",
		"JSON":                 `{"a":1}`,
		"HTML":                 "<html><body>down</body></html>",
		"DTD":                  decl + `<!DOCTYPE s:Envelope SYSTEM "http://evil.example/x.dtd">` + bare,
		"DTD inside":           enclose(`<!DOCTYPE x>` + good),
		"entity bomb":          decl + bomb + strings.Replace(bare, "Åse", "&b;", 1),
		"outside entity":       decl + `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + bare,
		"undeclared entity":    strings.Replace(enclose(good), "Åse", "&aring;se", 1),
		"entity in attribute":  strings.Replace(enclose(good), "<t:Told", `<t:Told a="&x;"`, 1),
		"bare ampersand":       strings.Replace(enclose(good), "Åse", "A & B", 1),
		"forbidden reference":  strings.Replace(enclose(good), "Åse", "&#0;", 1),
		"instruction":          decl + `<?php x?>` + bare,
		"instruction inside":   enclose(`<?x?>` + good),
		"late declaration":     "\n" + enclose(good),
		"two declarations":     decl + enclose(good),
		"XML 1.1":              strings.Replace(enclose(good), "1.0", "1.1", 1),
		"unknown charset":      strings.Replace(enclose(good), "UTF-8", "UTF-7", 1),
		"UTF-16":               "\xff\xfe<\x00",
		"not UTF-8":            strings.Replace(enclose(good), "Åse", "\xc5se", 1),
		"control character":    strings.Replace(enclose(good), "Åse", "\x01", 1),
		"no character":         strings.Replace(enclose(good), "Åse", "\uffff", 1),
		"truncated":            enclose(good)[:len(enclose(good))-30],
		"cut in a tag":         enclose(good)[:150],
		"crossed tags":         enclose(`<t:Told><t:Name></t:Told></t:Name>`),
		"two roots":            enclose(good) + "<x/>",
		"text behind":          enclose(good) + "x",
		"text before":          decl + "x" + bare,
		"text in the body":     enclose("x" + good),
		"no-break space":       enclose("\u00a0" + good),
		"SOAP 1.2":             strings.Replace(enclose(good), soap.Namespace, "http://www.w3.org/2003/05/soap-envelope", 1),
		"no namespace":         strings.Replace(enclose(good), `xmlns:s="`+soap.Namespace+`"`, "", 1),
		"body of another":      strings.Replace(enclose(good), "<s:Body>", `<s:Body xmlns:s="http://other.example/">`, 1),
		"no body":              `<s:Envelope xmlns:s="` + soap.Namespace + `"/>`,
		"empty body":           enclose(""),
		"two answers":          enclose(good + good),
		"behind the body":      strings.Replace(enclose(good), "</s:Body>", "</s:Body><x/>", 1),
		"other root name":      enclose(`<t:Retold/>`),
		"other root namespace": enclose(`<Told/>`),
		"undeclared prefix":    enclose(`<u:Told/>`),
		"answer as body":       good,
		"must be understood":   strings.Replace(enclose(good), "<s:Body>", `<s:Header><x s:mustUnderstand="1"/></s:Header><s:Body>`, 1),
		"unended header":       strings.Replace(enclose(good), "<s:Body>", `<s:Header><x></s:Header><s:Body>`, 1),
		"too deep":             enclose(`<t:Told>` + strings.Repeat("<t:x>", 70) + strings.Repeat("</t:x>", 70) + `</t:Told>`),
		"too many elements":    enclose(`<t:Told>` + strings.Repeat("<t:Row/>", 3_000) + `</t:Told>`),
		"too many attributes":  enclose(strings.Replace(good, "<t:Told", "<t:Told"+attributes(200), 1)),
		"attribute twice":      enclose(strings.Replace(good, "<t:Told", `<t:Told a="1" a="2"`, 1)),
		"attribute bare":       enclose(strings.Replace(good, "<t:Told", `<t:Told a=1`, 1)),
		"attribute with a tag": enclose(strings.Replace(good, "<t:Told", `<t:Told a="<"`, 1)),
		"attributes glued":     enclose(strings.Replace(good, "<t:Told", `<t:Told a="1"b="2"`, 1)),
		"name with two colons": enclose(strings.Replace(good, "<t:Told", `<t:Told a:b:c="1"`, 1)),
		"digit first":          enclose(`<t:Told><1/></t:Told>`),
		"open comment":         enclose(`<!-- ` + good),
		"hyphens in a comment": enclose(`<!-- a -- b -->` + good),
		"open CDATA":           enclose(`<t:Told><![CDATA[ </t:Told>`),
		"end of CDATA alone":   enclose(strings.Replace(good, "Åse", "a]]>b", 1)),
		"wrong type":           enclose(`<t:Told><t:Count>many 19850314</t:Count></t:Told>`),
	}
}

func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` a%d=""`, i)
	}
	return b.String()
}

// counted is an answer with a number in it.
type counted struct {
	XMLName xml.Name `xml:"http://register.example/told Told"`
	Count   int      `xml:"http://register.example/told Count"`
}

// covers: SEC-06
func TestBadMessagesAreRefusedWithoutTheirContent(t *testing.T) {
	t.Parallel()
	for name, message := range bad() {
		var a counted
		err := soap.Decode(strings.NewReader(message), limit, &a)
		if !errors.Is(err, soap.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, part := range []string{"Åse", "1985", "etc", "evil", "aring", "Told", "lol", "php"} {
			if strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error shows %s: %v", name, part, err)
			}
		}
	}
}

func TestDecodeLimits(t *testing.T) {
	t.Parallel()
	message := enclose(good)
	size := int64(len(message))
	var a answer
	if err := soap.Decode(strings.NewReader(message), size, &a); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if err := soap.Decode(strings.NewReader(message), size-1, &a); !errors.Is(err, soap.ErrTooLarge) {
		t.Errorf("above the limit: %v", err)
	}
	gone := errors.New("gone")
	if err := soap.Decode(iotest.ErrReader(gone), limit, &a); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
	// An endless message ends.
	if err := soap.Decode(io.MultiReader(strings.NewReader("<a>"), endless{}), limit, &a); !errors.Is(err, soap.ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return copy(b, "<a></a>"), nil }

// dated is an answer whose namespace is known at run time.
type dated struct {
	Name string `xml:"Name"`
	root xml.Name
}

func (d *dated) Root() xml.Name { return d.root }

func TestAnswersSayWhatTheyWant(t *testing.T) {
	t.Parallel()
	d := &dated{root: xml.Name{Space: told, Local: "Told"}}
	if err := soap.Decode(strings.NewReader(enclose(good)), limit, d); err != nil || d.Name != "Åse" {
		t.Errorf("%v %v", d, err)
	}
	d.root.Local = "Retold"
	if err := soap.Decode(strings.NewReader(enclose(good)), limit, d); !errors.Is(err, soap.ErrMalformed) {
		t.Errorf("%v", err)
	}
	var text string
	for _, a := range []any{nil, text, &text, answer{}, &struct{ Name string }{}} {
		if err := soap.Decode(strings.NewReader(enclose(good)), limit, a); err == nil {
			t.Errorf("%T: decoded into it", a)
		}
	}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	const nasty = "<a>&\"']]>\x00Å"
	raw, err := soap.Encode(question{Number: nasty})
	if err != nil {
		t.Fatal(err)
	}
	var back question
	if err := soap.Decode(strings.NewReader(string(raw)), limit, &back); err != nil || back.Number != "<a>&\"']]>\ufffdÅ" {
		t.Errorf("%q %v", back.Number, err)
	}
	for _, body := range []any{nil, make(chan int), (*question)(nil)} {
		if _, err := soap.Encode(body); err == nil {
			t.Errorf("%T: rendered", body)
		}
	}
}
