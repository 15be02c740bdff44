package registers_test

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/deploy/registers"
	"samvirke.dev/deploy/registers/spar"
)

// Without a certificate of the right authority nobody gets as far as HTTP.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	b := start(t)
	foreign := certtest.New(t, "elsewhere.test")
	for name, cert := range map[string]*tls.Certificate{
		"no certificate": nil, "foreign authority": foreign.Issue(foreign.Service("identity")),
		"expired": b.ca.Issue(b.ca.Service("identity"), certtest.Expired()), "not yet valid": b.ca.Issue(b.ca.Service("identity"), certtest.NotYetValid()),
	} {
		for _, url := range []string{b.sim.SPARURL(), b.sim.SF1520URL(), b.sim.SubscriptionURL()} {
			stranger := bench{client: client(t, b.ca, cert)}
			if r, err := stranger.try(t, url, spar.Action, envelope("")); err == nil {
				t.Errorf("%s: answered with %d", name, r.status)
			}
		}
	}
	if n := b.sim.SPARCounts().Requests + b.sim.SF1520Counts().Requests; n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	b := start(t)
	conn, err := tls.Dial("tcp", b.sim.SPARAddr(), &tls.Config{
		RootCAs: b.ca.Roots(), Certificates: []tls.Certificate{*b.ca.Issue(b.ca.Service("identity"))}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
	})
	if err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 was spoken")
	}
}

// A permission of SPAR can be bound to the owner of the certificate.
func TestOwnerOfTheCertificate(t *testing.T) {
	t.Parallel()
	b := start(t, func(c *registers.Config) {
		c.Assignments = []spar.Assignment{{ID: 637, Recipient: registers.Customer, Customer: registers.Customer, Owner: "spiffe://register.test/svc/identity"}}
	})
	q := question{number: "198111309285"}
	own := b.ca.Service("identity").String()
	b.client = client(t, b.ca, b.ca.Issue(b.ca.Service("identity"), certtest.URIs("spiffe://register.test/svc/identity")))
	if got := b.spar(t, q); text(got, "Fornamn") != "Sonja" {
		t.Errorf("the owner (%s) got %v", own, got)
	}
	b.client = client(t, b.ca, b.ca.Issue(b.ca.Service("income")))
	if got := b.spar(t, q); text(got, "Undantag/Kod") != "OGILTIG_INPARAMETER" {
		t.Errorf("another got %v", got)
	}
}

func TestLoadTLS(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t, "register.test")
	files := ca.Files(ca.Service("register"))
	conf, err := registers.LoadTLS(files.Cert, files.Key, files.CA)
	if err != nil || conf.ClientAuth != tls.RequireAndVerifyClientCert || conf.MinVersion != tls.VersionTLS12 || conf.ClientCAs == nil {
		t.Errorf("%v, %v", conf, err)
	}
	junk := filepath.Join(t.TempDir(), "junk.pem")
	if err := os.WriteFile(junk, pem.EncodeToMemory(&pem.Block{Type: "JUNK", Bytes: []byte("x")}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string][3]string{
		"nothing": {}, "no key": {files.Cert, "", files.CA}, "no authority": {files.Cert, files.Key, ""}, "junk": {junk, files.Key, files.CA},
		"junk for authority": {files.Cert, files.Key, junk}, "no such file": {files.Cert, files.Key, junk + "x"},
	} {
		if _, err := registers.LoadTLS(f[0], f[1], f[2]); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// What is no SOAP call over HTTP is refused as HTTP refuses it.
func TestHTTP(t *testing.T) {
	t.Parallel()
	b := start(t)
	sound := envelope(question{number: "198111309285"}.xml())
	for name, c := range map[string]struct {
		method, path, kind, body string
		status                   int
	}{
		"as it should be":   {http.MethodPost, spar.Path, `text/xml; charset="UTF-8"`, sound, 200},
		"without a charset": {http.MethodPost, spar.OtherPath, "text/xml", sound, 200},
		"GET":               {http.MethodGet, spar.Path, "text/xml", "", 405},
		"SOAP 1.2":          {http.MethodPost, spar.Path, "application/soap+xml", sound, 415},
		"latin":             {http.MethodPost, spar.Path, "text/xml; charset=iso-8859-1", sound, 415},
		"another path":      {http.MethodPost, "/2023.1/", "text/xml", sound, 404},
		"a longer path":     {http.MethodPost, spar.Path + "x", "text/xml", sound, 404},
		"too large":         {http.MethodPost, spar.Path, "text/xml", sound + strings.Repeat(" ", 70<<10), 413},
		"SOAP 1.2 envelope": {http.MethodPost, spar.Path, "text/xml", strings.Replace(sound, "schemas.xmlsoap.org/soap/envelope/", "www.w3.org/2003/05/soap-envelope", 1), 500},
		"a DTD":             {http.MethodPost, spar.Path, "text/xml", `<!DOCTYPE x [<!ENTITY a "b">]>` + strings.TrimPrefix(sound, `<?xml version="1.0" encoding="UTF-8"?>`), 500},
		"not understood":    {http.MethodPost, spar.Path, "text/xml", strings.Replace(sound, "<e:Body>", `<e:Header><x e:mustUnderstand="1"/></e:Header><e:Body>`, 1), 500},
		"not necessary":     {http.MethodPost, spar.Path, "text/xml", strings.Replace(sound, "<e:Body>", `<e:Header><x e:mustUnderstand="0"/></e:Header><e:Body>`, 1), 200},
		"deep":              {http.MethodPost, spar.Path, "text/xml", strings.Repeat("<x>", 40) + strings.Repeat("</x>", 40), 500},
		"many":              {http.MethodPost, spar.Path, "text/xml", "<x>" + strings.Repeat("<x/>", 300) + "</x>", 500},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, "https://"+b.sim.SPARAddr()+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", c.kind)
		req.Header.Set("SOAPAction", spar.Action) // some stacks leave out the quotes
		resp, err := b.client.Do(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		raw, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != c.status || err != nil {
			t.Errorf("%s: status %d, want %d (%v)\n%s", name, resp.StatusCode, c.status, err, raw)
		}
		if isFault := bytes.Contains(raw, []byte("soap:Fault")); isFault != (c.status == 500) {
			t.Errorf("%s: a fault is %v", name, isFault)
		}
	}
}
