package soap_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"

	"samvirke.dev/services/platform/soap"
)

// wide has as many elements as a register's usual answer about a person.
type wide struct {
	XMLName xml.Name  `xml:"http://register.example/told Told"`
	Rows    []wideRow `xml:"Row"`
}

type wideRow struct {
	From, Until, Street, City, PostalCode string
}

func wideAnswer() string {
	row := `<t:Row><t:From>2019-12-02</t:From><t:Until>9999-12-31</t:Until><t:Street>Provgatan 14</t:Street>
		<t:City>PROVSTAD</t:City><t:PostalCode>11146</t:PostalCode></t:Row>`
	return enclose(`<t:Told>` + strings.Repeat(row, 8) + `</t:Told>`)
}

// BenchmarkCall compares a call with a bare HTTPS client that posts and reads the same bytes over the same kind of connection.
// The goal is half of its calls/s.
func BenchmarkCall(b *testing.B) {
	r := startRegister(b, tells(http.StatusOK, "text/xml; charset=utf-8", wideAnswer()))
	b.Run("bare", func(b *testing.B) {
		envelope, err := soap.Encode(question{Number: "1"})
		if err != nil {
			b.Fatal(err)
		}
		conf := r.clientTLS()
		conf.NextProtos = []string{"http/1.1"}
		bare := &http.Client{Transport: &http.Transport{TLSClientConfig: conf, MaxIdleConnsPerHost: 32, DisableCompression: true}}
		defer bare.CloseIdleConnections()
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				resp, err := post(b, bare, r.URL, envelope)
				if err != nil || !bytes.Contains(resp, []byte("Told")) {
					b.Error(err)
				}
			}
		})
	})
	b.Run("soap", func(b *testing.B) {
		c := r.client(b)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				var a wide
				if err := c.Call(b.Context(), action, question{Number: "1"}, &a); err != nil || len(a.Rows) != 8 {
					b.Error(err)
				}
			}
		})
	})
}

func post(b *testing.B, c *http.Client, url string, envelope []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader(envelope))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(resp.Body)
}

// BenchmarkDecode is the reading alone.
func BenchmarkDecode(b *testing.B) {
	raw := []byte(wideAnswer())
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		var a wide
		if err := soap.Decode(bytes.NewReader(raw), soap.DefaultMaxAnswer, &a); err != nil {
			b.Fatal(err)
		}
	}
}
