// Package wssec protects SOAP 1.1 envelopes by OASIS Web Services Security 1.0 as SKAT's services want it: the body, a time stamp and our
// certificate are signed with the key of an OCES certificate, and the answer must be signed by the register.
//
// Canonical XML is goxmldsig's (exclusive, W3C xml-exc-c14n), signatures are the standard library's. goxmldsig's own signing and
// validating are not used: they know one reference and SAML's place for the certificate, where WS-Security has several references
// and a token in the header.
//
// What Open hands on is the canonical form of the signed body, byte by byte what the digest was taken of, in an envelope of our own. So
// nothing that is not signed can be read, whatever stands beside it or under the same id (signature wrapping).
//
// Sources: the policy in the WSDL of IndkomstOplysningPersonHent (asymmetric binding, X.509 token always sent, time stamp, tokens
// protected, signed body); exchanges with SKAT's demo system that others have published. The policy's suite Basic256 means
// SHA-1, which is what the demo system was seen to sign with; SHA-256 is our default.
package wssec

import (
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"samvirke.dev/services/platform/clock"
)

// Namespaces and names of WS-Security.
const (
	nsSecurity = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	nsUtility  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	nsSoap     = "http://schemas.xmlsoap.org/soap/envelope/"
	nsDsig     = dsig.Namespace
	tokenType  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3" //nolint:gosec // a name
	base64Type = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
	exclusive  = string(dsig.CanonicalXML10ExclusiveAlgorithmId)
	stampForm  = "2006-01-02T15:04:05.000Z"
)

// Defaults of Deps.
const (
	DefaultLifetime = 5 * time.Minute
	DefaultSkew     = 2 * time.Minute
)

// Deps are what the protection needs. Certificate, Register and Clock are required.
type Deps struct {
	// Certificate returns our certificate with its RSA key, which may live in a key store. It is asked for each message.
	Certificate func() (*tls.Certificate, error)
	// Register are the certificates that the register signs with; two while it changes them.
	Register []*x509.Certificate
	// Hash is crypto.SHA256 (default) or, for a register that keeps to the suite Basic256, crypto.SHA1. Answers with a weaker
	// one are refused.
	Hash  crypto.Hash
	Clock clock.Clock
	// Lifetime is how long a request may be acted on; Skew how far the register's clock may be from ours. 0 for the defaults.
	Lifetime, Skew time.Duration
}

// Security seals and opens envelopes; it implements soap.Security. It is safe for concurrent use.
type Security struct {
	d Deps
}

// minimum is the least size of an RSA modulus, in bits.
const minimum = 2048

// New returns the protection, or an error that names everything that is missing or too weak.
func New(d Deps) (*Security, error) {
	if d.Hash == 0 {
		d.Hash = crypto.SHA256
	}
	if d.Lifetime == 0 {
		d.Lifetime = DefaultLifetime
	}
	if d.Skew == 0 {
		d.Skew = DefaultSkew
	}
	var bad []error
	need := func(ok bool, what string) {
		if !ok {
			bad = append(bad, errors.New("wssec: "+what))
		}
	}
	need(d.Certificate != nil, "no certificate to sign with")
	need(d.Clock != nil, "no clock")
	need(d.Hash == crypto.SHA256 || d.Hash == crypto.SHA1, "hash: want SHA-256 or SHA-1")
	need(d.Lifetime > 0 && d.Skew > 0, "lifetime or skew below zero")
	need(len(d.Register) > 0, "no certificate of the register")
	for _, c := range d.Register {
		if _, err := rsaOf(c); err != nil {
			bad = append(bad, fmt.Errorf("wssec: certificate of the register: %w", err))
		}
	}
	if err := errors.Join(bad...); err != nil {
		return nil, err
	}
	return &Security{d: d}, nil
}

// rsaOf returns a certificate's RSA key, if it is long enough.
func rsaOf(c *x509.Certificate) (*rsa.PublicKey, error) {
	if c == nil {
		return nil, errors.New("missing")
	}
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < minimum {
		return nil, errors.New("want an RSA key of at least 2048 bits")
	}
	return key, nil
}

// algorithm is a hash with its names in a signature.
type algorithm struct {
	hash              crypto.Hash
	digest, signature string
}

// algorithms are those that are spoken, the weakest first.
func algorithms() []algorithm {
	return []algorithm{
		{crypto.SHA1, "http://www.w3.org/2000/09/xmldsig#sha1", dsig.RSASHA1SignatureMethod},
		{crypto.SHA256, "http://www.w3.org/2001/04/xmlenc#sha256", dsig.RSASHA256SignatureMethod},
		{crypto.SHA512, "http://www.w3.org/2001/04/xmlenc#sha512", dsig.RSASHA512SignatureMethod},
	}
}

// accepted are the algorithms not weaker than ours.
func (s *Security) accepted() []algorithm {
	all := algorithms()
	for i, a := range all {
		if a.hash == s.d.Hash {
			return all[i:]
		}
	}
	return nil
}

// canonical returns an element in exclusive canonical form, which takes in the namespaces that are declared around it.
func canonical(el *etree.Element, prefixes string) ([]byte, error) {
	c := el.Copy()
	for p := el.Parent(); p != nil; p = p.Parent() {
		for _, a := range p.Attr {
			isDeclaration := a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns"
			if isDeclaration && c.SelectAttr(a.FullKey()) == nil {
				c.CreateAttr(a.FullKey(), a.Value)
			}
		}
	}
	out, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(prefixes).Canonicalize(c)
	if err != nil {
		return nil, errors.New("wssec: no canonical form") // the library's text may repeat a name
	}
	return out, nil
}

func sum(hash crypto.Hash, data []byte) []byte {
	h := hash.New()
	h.Write(data)
	return h.Sum(nil)
}
