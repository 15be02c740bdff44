package wssec

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// Limits of a signature.
const (
	maxReferences = 16
	maxIDs        = 1024
)

// Open checks that the register signed the body of an answer, and returns it alone; see soap.Security and the package comment.
func (s *Security) Open(envelope []byte) ([]byte, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(envelope); err != nil || doc.Root() == nil {
		return nil, errors.New("wssec: no XML")
	}
	root := doc.Root()
	header, body := child(root, nsSoap, "Header"), child(root, nsSoap, "Body")
	if root.Tag != "Envelope" || root.NamespaceURI() != nsSoap || header == nil || body == nil {
		return nil, errors.New("wssec: no envelope with a header and a body")
	}
	security := child(header, nsSecurity, "Security")
	if security == nil {
		return nil, errors.New("wssec: not signed")
	}
	signature, stamp := child(security, nsDsig, "Signature"), child(security, nsUtility, "Timestamp")
	if signature == nil || stamp == nil {
		return nil, errors.New("wssec: want one signature and one time stamp")
	}
	signed, err := s.verify(root, signature)
	switch {
	case err != nil:
		return nil, err
	case signed[body] == nil || signed[stamp] == nil:
		return nil, errors.New("wssec: body or time stamp is not signed")
	}
	if err := s.inTime(stamp); err != nil {
		return nil, err
	}
	const head, tail = `<s:Envelope xmlns:s="` + nsSoap + `">`, `</s:Envelope>`
	form := signed[body]
	out := make([]byte, 0, len(head)+len(form)+len(tail))
	return append(append(append(out, head...), form...), tail...), nil
}

// verify returns the canonical form of every element that the signature covers.
func (s *Security) verify(root, signature *etree.Element) (map[*etree.Element][]byte, error) {
	info, value := child(signature, nsDsig, "SignedInfo"), child(signature, nsDsig, "SignatureValue")
	if info == nil || value == nil {
		return nil, errors.New("wssec: a signature without content")
	}
	method, c14n := child(info, nsDsig, "SignatureMethod"), child(info, nsDsig, "CanonicalizationMethod")
	if method == nil || c14n == nil || c14n.SelectAttrValue("Algorithm", "") != exclusive {
		return nil, errors.New("wssec: a signature of another kind")
	}
	form, err := canonical(info, inclusive(c14n))
	if err != nil {
		return nil, err
	}
	raw, err := decode64(value.Text())
	if err != nil {
		return nil, err
	}
	if err := s.bySomeKey(method.SelectAttrValue("Algorithm", ""), form, raw); err != nil {
		return nil, err
	}
	ids, err := idsOf(root)
	if err != nil {
		return nil, err
	}
	signed := map[*etree.Element][]byte{}
	for _, c := range info.ChildElements() {
		if c.Tag != "Reference" || c.NamespaceURI() != nsDsig {
			continue
		}
		if len(signed) == maxReferences {
			return nil, errors.New("wssec: too many references")
		}
		el := ids[strings.TrimPrefix(c.SelectAttrValue("URI", ""), "#")]
		if el == nil {
			return nil, errors.New("wssec: a reference to nothing")
		}
		if signed[el], err = s.reference(c, el); err != nil {
			return nil, err
		}
	}
	return signed, nil
}

// bySomeKey checks a signature by the register's keys.
func (s *Security) bySomeKey(method string, form, value []byte) error {
	for _, a := range s.accepted() {
		if a.signature != method {
			continue
		}
		now := s.d.Clock.Now()
		for _, c := range s.d.Register {
			key, err := rsaOf(c)
			if err != nil || now.Before(c.NotBefore) || now.After(c.NotAfter) {
				continue
			}
			if rsa.VerifyPKCS1v15(key, a.hash, sum(a.hash, form), value) == nil {
				return nil
			}
		}
		return errors.New("wssec: not signed by the register")
	}
	return errors.New("wssec: signed by an algorithm that is not accepted")
}

// reference checks the digest of one element and returns the form that it was taken of.
func (s *Security) reference(ref, el *etree.Element) ([]byte, error) {
	transforms := child(ref, nsDsig, "Transforms")
	if transforms == nil || len(transforms.ChildElements()) != 1 {
		return nil, errors.New("wssec: want one transform")
	}
	transform := transforms.ChildElements()[0]
	method, value := child(ref, nsDsig, "DigestMethod"), child(ref, nsDsig, "DigestValue")
	if transform.SelectAttrValue("Algorithm", "") != exclusive || method == nil || value == nil {
		return nil, errors.New("wssec: a reference of another kind")
	}
	var hash crypto.Hash
	for _, a := range s.accepted() {
		if a.digest == method.SelectAttrValue("Algorithm", "") {
			hash = a.hash
		}
	}
	if hash == 0 {
		return nil, errors.New("wssec: a digest by an algorithm that is not accepted")
	}
	form, err := canonical(el, inclusive(transform))
	if err != nil {
		return nil, err
	}
	want, err := decode64(value.Text())
	if err != nil {
		return nil, err
	}
	if string(sum(hash, form)) != string(want) {
		return nil, errors.New("wssec: changed after it was signed")
	}
	return form, nil
}

// inclusive returns the prefixes that are treated as in inclusive canonical XML, `#default` included.
func inclusive(method *etree.Element) string {
	for _, c := range method.ChildElements() {
		if c.Tag == "InclusiveNamespaces" {
			return c.SelectAttrValue("PrefixList", "")
		}
	}
	return ""
}

// idsOf returns the elements by wsu:Id. An id that is given twice would leave open what was signed.
func idsOf(root *etree.Element) (map[string]*etree.Element, error) {
	ids := map[string]*etree.Element{}
	open := []*etree.Element{root}
	for len(open) > 0 {
		el := open[len(open)-1]
		open = append(open[:len(open)-1], el.ChildElements()...)
		for _, a := range el.Attr {
			if a.Key != "Id" || a.Space == "" || a.NamespaceURI() != nsUtility {
				continue
			}
			if ids[a.Value] != nil || len(ids) == maxIDs {
				return nil, errors.New("wssec: an id given twice, or too many")
			}
			ids[a.Value] = el
		}
	}
	return ids, nil
}

// inTime checks a time stamp.
func (s *Security) inTime(stamp *etree.Element) error {
	created, expires := child(stamp, nsUtility, "Created"), child(stamp, nsUtility, "Expires")
	if created == nil || expires == nil {
		return errors.New("wssec: half a time stamp")
	}
	from, err1 := time.Parse(time.RFC3339Nano, strings.TrimSpace(created.Text()))
	until, err2 := time.Parse(time.RFC3339Nano, strings.TrimSpace(expires.Text()))
	now := s.d.Clock.Now()
	if err1 != nil || err2 != nil || from.After(now.Add(s.d.Skew)) || until.Before(now.Add(-s.d.Skew)) {
		return errors.New("wssec: not signed for now")
	}
	return nil
}

func decode64(text string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, errors.New("wssec: not base64")
	}
	return raw, nil
}
