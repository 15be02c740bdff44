// Package signed is how the simulator of eIndkomst protects messages: WS-Security with the body and a time stamp signed, as SKAT's policy
// says. A caller may sign with any certificate of an authority that is let in. Canonical XML is goxmldsig's; all else is the simulator's
// own, and none of it the adapter's.
package signed

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" //nolint:gosec // SKAT's own suite is Basic256, which means SHA-1; callers may use it
	_ "crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"samvirke.dev/services/platform/clock"
)

// Names of WS-Security.
const (
	envelopeNS = "http://schemas.xmlsoap.org/soap/envelope/"
	securityNS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	utilityNS  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	tokenType  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3" //nolint:gosec // a name
	encoding   = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
	c14n       = "http://www.w3.org/2001/10/xml-exc-c14n#"
	lifetime   = 5 * time.Minute
	skew       = 5 * time.Minute
	timeForm   = "2006-01-02T15:04:05.000Z"
)

// Signer protects messages; it implements soap.Security. It is safe for concurrent use.
type Signer struct {
	pair    tls.Certificate
	callers *x509.CertPool
	clk     clock.Clock
}

// New returns a signer with the register's RSA certificate and the authorities that callers' certificates come from.
func New(pair tls.Certificate, callers *x509.CertPool, clk clock.Clock) (*Signer, error) {
	key, ok := pair.PrivateKey.(*rsa.PrivateKey)
	if !ok || key.N.BitLen() < 2048 || len(pair.Certificate) == 0 || callers == nil || clk == nil {
		return nil, errors.New("signed: want an RSA certificate of 2048 bits, callers' authorities and a clock")
	}
	return &Signer{pair: pair, callers: callers, clk: clk}, nil
}

type method struct {
	hash              crypto.Hash
	signature, digest string
}

func methods() []method {
	return []method{
		{crypto.SHA256, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256"},
		{crypto.SHA1, "http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2000/09/xmldsig#sha1"},
	}
}

// of finds a method by one of its names.
func of(name string) (crypto.Hash, bool) {
	for _, m := range methods() {
		if m.signature == name || m.digest == name {
			return m.hash, true
		}
	}
	return 0, false
}

// form is the canonical form of an element, with the namespaces that are declared around it.
func form(el *etree.Element) ([]byte, error) {
	alone := el.Copy()
	for around := el.Parent(); around != nil; around = around.Parent() {
		for _, a := range around.Attr {
			if (a.Space == "xmlns" || a.FullKey() == "xmlns") && alone.SelectAttr(a.FullKey()) == nil {
				alone.CreateAttr(a.FullKey(), a.Value)
			}
		}
	}
	return dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(alone)
}

func digest(hash crypto.Hash, data []byte) []byte {
	h := hash.New()
	h.Write(data)
	return h.Sum(nil)
}

// Seal implements soap.Security.
func (s *Signer) Seal(envelope []byte) ([]byte, error) {
	now := s.clk.Now().UTC()
	with := methods()[0]
	doc := etree.NewDocument()
	frame := `<S:Envelope xmlns:S="` + envelopeNS + `"><S:Header><wsse:Security xmlns:wsse="` + securityNS + `" S:mustUnderstand="1">` +
		`<wsse:BinarySecurityToken xmlns:wsu="` + utilityNS + `" EncodingType="` + encoding + `" ValueType="` + tokenType + `" wsu:Id="token">` +
		base64.StdEncoding.EncodeToString(s.pair.Certificate[0]) + `</wsse:BinarySecurityToken><ds:Signature xmlns:ds="` + dsig.Namespace + `"/>` +
		`<wsu:Timestamp xmlns:wsu="` + utilityNS + `" wsu:Id="stamp"><wsu:Created>` + now.Format(timeForm) + `</wsu:Created><wsu:Expires>` +
		now.Add(lifetime).Format(timeForm) + `</wsu:Expires></wsu:Timestamp></wsse:Security></S:Header><S:Body xmlns:wsu="` + utilityNS + `" wsu:Id="body"/></S:Envelope>`
	if err := doc.ReadFromString(frame); err != nil {
		return nil, fmt.Errorf("signed: %w", err)
	}
	inner := etree.NewDocument()
	if err := inner.ReadFromBytes(envelope); err != nil {
		return nil, fmt.Errorf("signed: %w", err)
	}
	content := inner.FindElement("/Envelope/Body/*")
	if content == nil {
		return nil, errors.New("signed: an empty body")
	}
	body := doc.FindElement("/S:Envelope/S:Body")
	for _, a := range inner.Root().Attr {
		if a.Space == "xmlns" && content.SelectAttr(a.FullKey()) == nil {
			content.CreateAttr(a.FullKey(), a.Value) // a fault's code is in the envelope's namespace
		}
	}
	body.AddChild(content)
	info := etree.NewElement("ds:SignedInfo")
	info.CreateElement("ds:CanonicalizationMethod").CreateAttr("Algorithm", c14n)
	info.CreateElement("ds:SignatureMethod").CreateAttr("Algorithm", with.signature)
	for id, el := range map[string]*etree.Element{"body": body, "stamp": doc.FindElement("//wsu:Timestamp")} {
		data, err := form(el)
		if err != nil {
			return nil, fmt.Errorf("signed: %w", err)
		}
		ref := info.CreateElement("ds:Reference")
		ref.CreateAttr("URI", "#"+id)
		ref.CreateElement("ds:Transforms").CreateElement("ds:Transform").CreateAttr("Algorithm", c14n)
		ref.CreateElement("ds:DigestMethod").CreateAttr("Algorithm", with.digest)
		ref.CreateElement("ds:DigestValue").SetText(base64.StdEncoding.EncodeToString(digest(with.hash, data)))
	}
	signature := doc.FindElement("//ds:Signature")
	signature.AddChild(info)
	data, err := form(info)
	if err != nil {
		return nil, fmt.Errorf("signed: %w", err)
	}
	value, err := rsa.SignPKCS1v15(rand.Reader, s.pair.PrivateKey.(*rsa.PrivateKey), with.hash, digest(with.hash, data)) //nolint:forcetypeassert // New saw to it
	if err != nil {
		return nil, fmt.Errorf("signed: %w", err)
	}
	signature.CreateElement("ds:SignatureValue").SetText(base64.StdEncoding.EncodeToString(value))
	at := signature.CreateElement("ds:KeyInfo").CreateElement("wsse:SecurityTokenReference").CreateElement("wsse:Reference")
	at.CreateAttr("URI", "#token")
	at.CreateAttr("ValueType", tokenType)
	return doc.WriteToBytes()
}

// Open implements soap.Security.
func (s *Signer) Open(envelope []byte) ([]byte, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(envelope); err != nil {
		return nil, errors.New("signed: no XML")
	}
	one := func(space, local string) *etree.Element {
		var found []*etree.Element
		for _, el := range doc.FindElements("//" + local) {
			if el.NamespaceURI() == space {
				found = append(found, el)
			}
		}
		if len(found) != 1 {
			return nil
		}
		return found[0]
	}
	token, stamp, body := one(securityNS, "BinarySecurityToken"), one(utilityNS, "Timestamp"), one(envelopeNS, "Body")
	info, value := one(dsig.Namespace, "SignedInfo"), one(dsig.Namespace, "SignatureValue")
	if token == nil || stamp == nil || body == nil || info == nil || value == nil || body.Parent() != doc.Root() {
		return nil, errors.New("signed: want one token, time stamp, body and signature")
	}
	if err := s.signature(token, info, value); err != nil {
		return nil, err
	}
	if err := s.time(stamp); err != nil {
		return nil, err
	}
	data, err := covered(info, token, stamp, body)
	if err != nil {
		return nil, err
	}
	return []byte(`<S:Envelope xmlns:S="` + envelopeNS + `">` + string(data) + `</S:Envelope>`), nil
}

// covered checks the digests of the signed parts and returns the canonical form of the body, the last of them.
func covered(info, token, stamp, body *etree.Element) ([]byte, error) {
	forms := map[*etree.Element][]byte{}
	for _, ref := range info.SelectElements("Reference") {
		for _, el := range []*etree.Element{token, stamp, body} {
			if id := idOf(el); id == "" || ref.SelectAttrValue("URI", "") != "#"+id {
				continue
			}
			data, err := form(el)
			hash, ok := of(attr(ref, "DigestMethod"))
			if err != nil || !ok || text(ref, "DigestValue") != base64.StdEncoding.EncodeToString(digest(hash, data)) {
				return nil, errors.New("signed: changed")
			}
			forms[el] = data
		}
	}
	if forms[body] == nil || forms[stamp] == nil {
		return nil, errors.New("signed: body or time stamp is not covered")
	}
	return forms[body], nil
}

// signature checks the caller's certificate and its signature.
func (s *Signer) signature(token, info, value *etree.Element) error {
	raw, err1 := base64.StdEncoding.DecodeString(squeeze(token.Text()))
	leaf, err2 := x509.ParseCertificate(raw)
	if err1 != nil || err2 != nil {
		return errors.New("signed: a token that is no certificate")
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: s.callers, CurrentTime: s.clk.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return errors.New("signed: a stranger's certificate")
	}
	key, ok := leaf.PublicKey.(*rsa.PublicKey)
	hash, known := of(attr(info, "SignatureMethod"))
	data, err := form(info)
	got, err3 := base64.StdEncoding.DecodeString(squeeze(value.Text()))
	if !ok || !known || err != nil || err3 != nil || rsa.VerifyPKCS1v15(key, hash, digest(hash, data), got) != nil {
		return errors.New("signed: the signature does not hold")
	}
	return nil
}

func (s *Signer) time(stamp *etree.Element) error {
	from, err1 := time.Parse(time.RFC3339Nano, text(stamp, "Created"))
	until, err2 := time.Parse(time.RFC3339Nano, text(stamp, "Expires"))
	if now := s.clk.Now(); err1 != nil || err2 != nil || from.After(now.Add(skew)) || until.Before(now.Add(-skew)) {
		return errors.New("signed: not for now")
	}
	return nil
}

func idOf(el *etree.Element) string {
	for _, a := range el.Attr {
		if a.Key == "Id" && a.NamespaceURI() == utilityNS {
			return a.Value
		}
	}
	return ""
}

func attr(el *etree.Element, child string) string {
	if c := el.SelectElement(child); c != nil {
		return c.SelectAttrValue("Algorithm", "")
	}
	return ""
}

func text(el *etree.Element, child string) string {
	if c := el.SelectElement(child); c != nil {
		return squeeze(c.Text())
	}
	return ""
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }
