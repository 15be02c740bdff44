package soap_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"testing"

	"samvirke.dev/services/platform/soap"
)

// anything is an answer that keeps a whole message.
type anything struct {
	tree Node
}

func (*anything) Root() xml.Name { return xml.Name{Space: told, Local: "Told"} }

func (a *anything) UnmarshalXML(dec *xml.Decoder, start xml.StartElement) error {
	return dec.DecodeElement(&a.tree, &start)
}

// Node is any element.
type Node struct {
	XMLName xml.Name   `xml:""`
	Attrs   []xml.Attr `xml:",any,attr"`
	Text    string     `xml:",chardata"`
	Nodes   []Node     `xml:",any"`
}

// same compares two trees, where white space between elements does not count.
func same(a, b *Node) bool {
	if a.XMLName != b.XMLName || len(a.Attrs) != len(b.Attrs) || len(a.Nodes) != len(b.Nodes) {
		return false
	}
	for i := range a.Attrs {
		if a.Attrs[i] != b.Attrs[i] {
			return false
		}
	}
	for i := range a.Nodes {
		if !same(&a.Nodes[i], &b.Nodes[i]) {
			return false
		}
	}
	if len(a.Nodes) > 0 {
		a.Text, b.Text = squeeze(a.Text), squeeze(b.Text)
	}
	return a.Text == b.Text
}

func squeeze(s string) string {
	return string(bytes.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, []byte(s)))
}

// FuzzScan compares the scanner with that of encoding/xml: what ours accepts, the other accepts with the same outcome.
func FuzzScan(f *testing.F) {
	f.Add([]byte(enclose(good)))
	f.Add([]byte("\ufeff" + enclose(`<t:Told a="1" b='&lt;'>x<!-- c --> <y/> <![CDATA[<]]>&#10;</t:Told>`)))
	f.Add([]byte(enclose("<t:Told><t:Å xmlns:u=''/> \r\n<t:x> </t:x></t:Told>")))
	for _, message := range bad() {
		f.Add([]byte(message))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		ours := &anything{}
		if err := soap.Decode(bytes.NewReader(raw), limit, ours); err != nil {
			if _, ok := errors.AsType[*soap.Fault](err); !ok && !errors.Is(err, soap.ErrMalformed) && !errors.Is(err, soap.ErrTooLarge) {
				t.Errorf("neither read nor refused: %v", err)
			}
			return
		}
		if bytes.Contains(raw, []byte("8859")) {
			return // the other knows no such character set
		}
		var theirs struct {
			Body struct {
				Told Node `xml:"http://register.example/told Told"`
			} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
		}
		if err := xml.Unmarshal(raw, &theirs); err != nil {
			t.Fatalf("encoding/xml refuses it: %v", err)
		}
		if !same(&ours.tree, &theirs.Body.Told) {
			t.Errorf("read as\n%+v\nand as\n%+v", ours.tree, theirs.Body.Told)
		}
	})
}
