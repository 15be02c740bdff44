package wssec_test

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"samvirke.dev/services/income/internal/register/eindkomst/wssec"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/soap"
)

func TestSealedAnswerIsOpened(t *testing.T) {
	t.Parallel()
	for name, bend := range map[string][]func(*wssec.Deps){"SHA-256": nil, "SHA-1": {sha1Too}} {
		opened, err := security(t, ours(), theirs(), bend...).Open(answer(t, bend...))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got message
		if err := soap.Decode(bytes.NewReader(opened), 1<<20, &struct {
			XMLName xml.Name `xml:"http://register.example/ Told"`
			*message
		}{message: &got}); err != nil || got.Name != "Åse" || got.Other != "æ & <ø>" {
			t.Errorf("%s: read %+v, %v", name, got, err)
		}
		if bytes.Contains(opened, []byte("Timestamp")) {
			t.Errorf("%s: more than the body", name)
		}
	}
	// A register that has moved on is no worse for us.
	if _, err := security(t, ours(), theirs(), sha1Too).Open(answer(t)); err != nil {
		t.Error(err)
	}
}

// What SKAT's policy demands is signed: body, time stamp and token, all as another implementation understands it.
func TestXMLSecReadsOurs(t *testing.T) {
	t.Parallel()
	cert := pemFile(t, "CERTIFICATE", ours().Leaf.Raw)
	for name, bend := range map[string][]func(*wssec.Deps){"SHA-256": nil, "SHA-1": {sha1Too}} {
		sealed, err := security(t, ours(), theirs(), bend...).Seal(envelope(t, "Bo"))
		if err != nil {
			t.Fatal(err)
		}
		out, err := xmlsec(t, "--verify", "--pubkey-cert-pem", cert, file(t, "sealed.xml", sealed))
		if err != nil || !bytes.Contains(out, []byte("SignedInfo References (ok/all): 3/3")) {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		changed := bytes.Replace(sealed, []byte(">Bo<"), []byte(">Ib<"), 1)
		if out, err := xmlsec(t, "--verify", "--pubkey-cert-pem", cert, file(t, "changed.xml", changed)); err == nil {
			t.Errorf("%s: a changed body passes: %s", name, out)
		}
	}
}

// template is an answer as SKAT's demo system writes it, before it is signed: namespaces declared far up, prefixes of its own, white
// space in the signature, a token that nothing covers.
const template = `<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:d="http://register.example/">
<soapenv:Header>
<wsse:Security xmlns:wsse="` + extension + `" soapenv:mustUnderstand="1"><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
<ds:SignedInfo>
<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>
<ds:SignatureMethod Algorithm="SIGNATURE"/>
<ds:Reference URI="#id-1">
<ds:Transforms>
<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">INCLUSIVE</ds:Transform>
</ds:Transforms>
<ds:DigestMethod Algorithm="DIGEST"/>
<ds:DigestValue/>
</ds:Reference>
<ds:Reference URI="#id-2">
<ds:Transforms>
<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>
</ds:Transforms>
<ds:DigestMethod Algorithm="DIGEST"/>
<ds:DigestValue/>
</ds:Reference>
</ds:SignedInfo>
<ds:SignatureValue/>
</ds:Signature><wsu:Timestamp xmlns:wsu="` + utility + `" wsu:Id="id-2"><wsu:Created>2026-04-11T08:00:00.601Z</wsu:Created><wsu:Expires>2026-04-11T08:05:00Z</wsu:Expires></wsu:Timestamp></wsse:Security></soapenv:Header><soapenv:Body xmlns:wsu="` + utility + `" wsu:Id="id-1"><ns1:Told xmlns="http://unused.example/" xmlns:ns1="http://register.example/" b='2' ns1:a="&quot;1&#xA;"><d:Name>Åse &gt; Bo</d:Name><!-- a remark --><Other xmlns="http://other.example/">  <x xmlns=""/>&#xD;</Other></ns1:Told></soapenv:Body></soapenv:Envelope>`

func TestWeReadXMLSecs(t *testing.T) {
	t.Parallel()
	key, err := x509.MarshalPKCS8PrivateKey(theirs().PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	keyFile := pemFile(t, "PRIVATE KEY", key)
	const inclusive = `<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="xsd soapenv"/>`
	for name, c := range map[string]struct {
		signature, digest, inclusive string
		bend                         []func(*wssec.Deps)
	}{
		"SHA-1":                {"http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2000/09/xmldsig#sha1", "", []func(*wssec.Deps){sha1Too}},
		"SHA-256":              {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256", "", nil},
		"SHA-512":              {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", "http://www.w3.org/2001/04/xmlenc#sha512", "", nil},
		"inclusive namespaces": {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256", inclusive, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := strings.NewReplacer("SIGNATURE", c.signature, "DIGEST", c.digest, "INCLUSIVE", c.inclusive).Replace(template)
			out := filepath.Join(t.TempDir(), "signed.xml")
			if said, err := xmlsec(t, "--sign", "--privkey-pem", keyFile, "--output", out, file(t, "template.xml", []byte(in))); err != nil {
				t.Fatalf("%v: %s", err, said)
			}
			signed, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			opened, err := security(t, ours(), theirs(), c.bend...).Open(signed)
			if err != nil || !bytes.Contains(opened, []byte("Åse &gt; Bo")) || bytes.Contains(opened, []byte("remark")) {
				t.Errorf("%v: %s", err, opened)
			}
		})
	}
}

// Whatever is changed, moved, doubled or taken away, nothing is opened.
func TestAttacks(t *testing.T) {
	t.Parallel()
	good := string(answer(t))
	body := good[strings.Index(good, "<soap:Body"):strings.Index(good, "</soap:Envelope>")]
	bodyID := between(body, `wsu:Id="`, `"`)
	stamp := between(good, "<wsu:Timestamp", "</wsu:Timestamp>")
	signature := "<ds:Signature" + between(good, "<ds:Signature", "</ds:Signature>") + "</ds:Signature>"
	replace := func(old, by string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("nothing to replace: %s", old)
		}
		return strings.Replace(good, old, by, 1)
	}
	evil := strings.ReplaceAll(strings.Replace(body, bodyID, "evil", 1), "Åse", "Eve")
	for name, bad := range map[string]string{
		"changed":                replace("Åse", "Eve"),
		"another body":           replace(body, strings.Replace(evil, `wsu:Id="evil"`, "", 1)),
		"wrapped":                strings.Replace(replace(body, evil), "</wsse:Security>", "</wsse:Security><wrap>"+body+"</wrap>", 1),
		"same id twice":          strings.Replace(replace(body, strings.Replace(evil, "evil", bodyID, 1)), "</wsse:Security>", "</wsse:Security><wrap>"+body+"</wrap>", 1),
		"two bodies":             replace(body, body+evil),
		"not signed":             replace(signature, ""),
		"two signatures":         replace(signature, signature+signature),
		"no time stamp":          replace("<wsu:Timestamp"+stamp+"</wsu:Timestamp>", ""),
		"time stamp changed":     replace("2026-04-11T08:05", "2027-04-11T08:05"),
		"no header":              string(envelope(t, "Eve")),
		"no references":          replace("<ds:SignedInfo>"+between(good, "<ds:SignedInfo>", "</ds:SignedInfo>")+"</ds:SignedInfo>", "<ds:SignedInfo/>"),
		"another algorithm":      replace("xmldsig-more#rsa-sha256", "xmldsig-more#hmac-sha256"),
		"another canonical form": replace(`CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"`, `CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"`),
		"value is no base64":     replace("<ds:SignatureValue>", "<ds:SignatureValue>*"),
		"no XML":                 "nothing",
		"empty":                  "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if opened, err := security(t, ours(), theirs()).Open([]byte(bad)); err == nil {
				t.Errorf("opened: %s", opened)
			}
		})
	}
	if _, err := security(t, ours(), theirs()).Open([]byte(good)); err != nil {
		t.Fatal(err)
	}
}

func between(s, after, before string) string {
	_, s, _ = strings.Cut(s, after)
	s, _, _ = strings.Cut(s, before)
	return s
}

func TestWhoAndWhen(t *testing.T) {
	t.Parallel()
	good, weak := answer(t), answer(t, sha1Too)
	at := func(moved time.Duration) func(*wssec.Deps) {
		return func(d *wssec.Deps) { d.Clock = clock.NewFake(now().Add(moved)) }
	}
	open := func(signer *tls.Certificate, raw []byte, bend ...func(*wssec.Deps)) error {
		_, err := security(t, ours(), signer, bend...).Open(raw)
		return err
	}
	for name, c := range map[string]struct {
		err  error
		good bool
	}{
		"another signer":          {open(foreign(), good), false},
		"one of two certificates": {open(foreign(), good, func(d *wssec.Deps) { d.Register = append(d.Register, theirs().Leaf) }), true},
		"SHA-1 is too weak":       {open(theirs(), weak), false},
		"a little early":          {open(theirs(), good, at(-90*time.Second)), true},
		"early":                   {open(theirs(), good, at(-3*time.Minute)), false},
		"late within its life":    {open(theirs(), good, at(6*time.Minute)), true},
		"late":                    {open(theirs(), good, at(8*time.Minute)), false},
		"certificate over":        {open(theirs(), good, at(25*time.Hour), func(d *wssec.Deps) { d.Skew = 48 * time.Hour }), false},
	} {
		if (c.err == nil) != c.good {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

func TestNothingIsSignedWithoutAProperKey(t *testing.T) {
	t.Parallel()
	short := pair(1024)
	for name, source := range map[string]func() (*tls.Certificate, error){
		"none":    func() (*tls.Certificate, error) { return nil, nil }, //nolint:nilnil // what is tested
		"error":   func() (*tls.Certificate, error) { return nil, errors.New("away") },
		"short":   func() (*tls.Certificate, error) { return short, nil },
		"no key":  func() (*tls.Certificate, error) { return &tls.Certificate{Certificate: ours().Certificate}, nil },
		"no leaf": func() (*tls.Certificate, error) { return &tls.Certificate{Certificate: [][]byte{{1}}}, nil },
		"key that can't sign": func() (*tls.Certificate, error) {
			return &tls.Certificate{Certificate: ours().Certificate, PrivateKey: struct{ crypto.Decrypter }{}}, nil
		},
	} {
		s := security(t, ours(), theirs(), func(d *wssec.Deps) { d.Certificate = source })
		if _, err := s.Seal(envelope(t, "x")); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	later := security(t, ours(), theirs(), func(d *wssec.Deps) { d.Clock = clock.NewFake(now().Add(25 * time.Hour)) })
	if _, err := later.Seal(envelope(t, "x")); err == nil {
		t.Error("signed with a certificate that is over")
	}
	for _, raw := range []string{"", "<x/>", string(answer(t))} {
		if _, err := security(t, ours(), theirs()).Seal([]byte(raw)); err == nil {
			t.Errorf("sealed %q", raw)
		}
	}
}

func TestDepsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := wssec.New(wssec.Deps{Hash: crypto.MD5, Lifetime: -1, Register: []*x509.Certificate{nil}})
	for _, want := range []string{"no certificate to sign", "no clock", "hash", "lifetime", "certificate of the register"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q: %v", want, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(answer(f))
	f.Add([]byte(template))
	f.Add([]byte(strings.Replace(string(answer(f)), "Åse", "Eve", 1)))
	s := security(f, ours(), theirs())
	f.Fuzz(func(t *testing.T, raw []byte) {
		opened, err := s.Open(raw)
		if err == nil && !bytes.Contains(opened, []byte("Åse")) {
			t.Errorf("opened what the register never signed: %s", opened)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	s, raw := security(b, ours(), theirs()), envelope(b, "x")
	for b.Loop() {
		if _, err := s.Seal(raw); err != nil {
			b.Fatal(err)
		}
	}
}
