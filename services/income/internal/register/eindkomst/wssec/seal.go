package wssec

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/beevik/etree"
	"github.com/google/uuid"
)

// Seal signs the body of an envelope and puts the signature into its header; see soap.Security.
func (s *Security) Seal(envelope []byte) ([]byte, error) {
	signer, leaf, err := s.key()
	if err != nil {
		return nil, err
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(envelope); err != nil || doc.Root() == nil {
		return nil, errors.New("wssec: no envelope to sign")
	}
	root := doc.Root()
	body := child(root, nsSoap, "Body")
	if body == nil || child(root, nsSoap, "Header") != nil {
		return nil, errors.New("wssec: want an envelope with a body and no header")
	}
	root.CreateAttr("xmlns:wsse", nsSecurity)
	root.CreateAttr("xmlns:wsu", nsUtility)
	root.CreateAttr("xmlns:ds", nsDsig)
	header := etree.NewElement(root.Space + ":Header")
	root.InsertChildAt(body.Index(), header)
	security := header.CreateElement("wsse:Security")
	security.CreateAttr(root.Space+":mustUnderstand", "1")

	stamp := security.CreateElement("wsu:Timestamp")
	now := s.d.Clock.Now().UTC()
	stamp.CreateElement("wsu:Created").SetText(now.Format(stampForm))
	stamp.CreateElement("wsu:Expires").SetText(now.Add(s.d.Lifetime).Format(stampForm))

	token := security.CreateElement("wsse:BinarySecurityToken")
	token.CreateAttr("EncodingType", base64Type)
	token.CreateAttr("ValueType", tokenType)
	token.SetText(base64.StdEncoding.EncodeToString(leaf.Raw))

	if err := s.sign(security, token, signer, stamp, body, token); err != nil {
		return nil, err
	}
	return doc.WriteToBytes()
}

// key returns what to sign with.
func (s *Security) key() (crypto.Signer, *x509.Certificate, error) {
	pair, err := s.d.Certificate()
	if err != nil || pair == nil || len(pair.Certificate) == 0 {
		return nil, nil, errors.Join(errors.New("wssec: no certificate to sign with"), err)
	}
	leaf := pair.Leaf
	if leaf == nil {
		if leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return nil, nil, fmt.Errorf("wssec: certificate: %w", err)
		}
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, nil, errors.New("wssec: the key can't sign")
	}
	if _, err := rsaOf(leaf); err != nil {
		return nil, nil, fmt.Errorf("wssec: our certificate: %w", err)
	}
	if now := s.d.Clock.Now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return nil, nil, errors.New("wssec: our certificate is not valid now")
	}
	return signer, leaf, nil
}

// sign adds a signature over the parts, which get ids.
func (s *Security) sign(security, token *etree.Element, signer crypto.Signer, parts ...*etree.Element) error {
	with := s.accepted()[0]
	signature := security.CreateElement("ds:Signature")
	info := signature.CreateElement("ds:SignedInfo")
	info.CreateElement("ds:CanonicalizationMethod").CreateAttr("Algorithm", exclusive)
	info.CreateElement("ds:SignatureMethod").CreateAttr("Algorithm", with.signature)
	ids := make([]string, len(parts))
	for i, part := range parts {
		// An id begins with a letter, and a UUID need not.
		ids[i] = "id-" + uuid.NewString()
		part.CreateAttr("wsu:Id", ids[i])
	}
	for i, part := range parts {
		form, err := canonical(part, "")
		if err != nil {
			return err
		}
		ref := info.CreateElement("ds:Reference")
		ref.CreateAttr("URI", "#"+ids[i])
		ref.CreateElement("ds:Transforms").CreateElement("ds:Transform").CreateAttr("Algorithm", exclusive)
		ref.CreateElement("ds:DigestMethod").CreateAttr("Algorithm", with.digest)
		ref.CreateElement("ds:DigestValue").SetText(base64.StdEncoding.EncodeToString(sum(with.hash, form)))
	}
	form, err := canonical(info, "")
	if err != nil {
		return err
	}
	value, err := signer.Sign(rand.Reader, sum(with.hash, form), with.hash)
	if err != nil {
		return fmt.Errorf("wssec: sign: %w", err)
	}
	signature.CreateElement("ds:SignatureValue").SetText(base64.StdEncoding.EncodeToString(value))
	reference := signature.CreateElement("ds:KeyInfo").CreateElement("wsse:SecurityTokenReference").CreateElement("wsse:Reference")
	reference.CreateAttr("URI", "#"+token.SelectAttrValue("wsu:Id", ""))
	reference.CreateAttr("ValueType", tokenType)
	return nil
}

// child returns the only child of that name, or nil for none and for several.
func child(el *etree.Element, space, local string) *etree.Element {
	var found *etree.Element
	for _, c := range el.ChildElements() {
		if c.Tag == local && c.NamespaceURI() == space {
			if found != nil {
				return nil
			}
			found = c
		}
	}
	return found
}
