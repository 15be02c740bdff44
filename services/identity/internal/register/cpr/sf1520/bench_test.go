package sf1520_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"
)

// BenchmarkLookup measures a look-up against a service in the same process, over mutual TLS on kept connections, and what a bare POST of the
// same bytes costs: the difference is ours.
func BenchmarkLookup(b *testing.B) {
	answer := envelope(testdata(b, "01-full"))
	var sent []byte
	s := start(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sent == nil {
			sent, _ = io.ReadAll(r.Body)
		} else {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		_, _ = w.Write(answer)
	}))
	r := register(b, deps(b, s.client(b)))
	if _, err := r.Lookup(b.Context(), inquiry(b)); err != nil {
		b.Fatal(err)
	}
	b.Run("lookup", func(b *testing.B) {
		in := inquiry(b)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.Lookup(b.Context(), in); err != nil {
				b.Fatal(err)
			}
		}
	})
	// One after the other, so that a busy machine hits both: the share of bare calls' speed that look-ups reach.
	b.Run("ratio", func(b *testing.B) {
		in := inquiry(b)
		bare := &http.Client{Transport: &http.Transport{TLSClientConfig: s.clientTLS()}}
		defer bare.CloseIdleConnections()
		post(b, bare, s.URL, sent)
		var ours, theirs time.Duration
		for b.Loop() {
			begun := time.Now()
			if _, err := r.Lookup(b.Context(), in); err != nil {
				b.Fatal(err)
			}
			between := time.Now()
			post(b, bare, s.URL, sent)
			ours, theirs = ours+between.Sub(begun), theirs+time.Since(between)
		}
		b.ReportMetric(float64(theirs)/float64(ours), "ratio")
	})
	b.Run("bare", func(b *testing.B) {
		bare := &http.Client{Transport: &http.Transport{TLSClientConfig: s.clientTLS()}}
		defer bare.CloseIdleConnections()
		b.ReportAllocs()
		for b.Loop() {
			post(b, bare, s.URL, sent)
		}
	})
	b.Run("decode", func(b *testing.B) {
		offline := register(b, deps(b, canned(answer)))
		in := inquiry(b)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := offline.Lookup(b.Context(), in); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func post(b *testing.B, client *http.Client, url string, body []byte) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		b.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		b.Fatal(err)
	}
}
