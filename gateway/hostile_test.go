package gateway_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"samvirke.dev/gateway/internal/docs"
)

func day(year int, month time.Month, d int) time.Time {
	return time.Date(year, month, d, 0, 0, 0, 0, time.UTC)
}

// mutate makes a hostile body of a good one.
func mutate(r *rand.Rand, good string) string {
	b := []byte(good)
	for range 1 + r.IntN(6) {
		if len(b) == 0 {
			break
		}
		at := r.IntN(len(b))
		switch r.IntN(7) {
		case 0:
			b[at] = byte(r.IntN(256))
		case 1:
			b = append(b[:at], b[at+1:]...)
		case 2:
			b = append(b[:at], append([]byte(bits()[r.IntN(len(bits()))]), b[at:]...)...)
		case 3:
			b = b[:at]
		case 4:
			b = append(b, b[at:]...)
		case 5:
			b = []byte(strings.Repeat("[", r.IntN(5000)) + string(b))
		case 6:
			b = []byte(strings.Replace(string(b), `"`+string(b[at])+``, `"`+bits()[r.IntN(len(bits()))], 1))
		}
	}
	return string(b)
}

// bits are what attackers put into JSON.
func bits() []string {
	return []string{
		`{"a":`, `"__proto__":{},`, `1e999`, `-0`, `null`, `"\u0000"`, `"\ud800"`, "\x00", "\xff\xfe", `"@type":"type.googleapis.com/google.protobuf.Any",`,
		`9223372036854775808`, `"<script>alert(1)</script>"`, `' OR 1=1 --`, `${jndi:ldap://x}`, `../../etc/passwd`, strings.Repeat("9", 400), `"context":{"context":{"context":{}}},`, `[]`, `true`, "\u202e", `"requestId":"`,
	}
}

// Every route of the document gets hostile bodies, made of its schema's field names and of what attackers use. Nothing is ever answered
// with a fault of ours, and nothing is repeated.
//
// covers: SEC-06
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.client(fund)
	raw, err := docs.OpenAPI(every())
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]struct {
			Post struct {
				Body struct {
					Content map[string]struct {
						Schema struct {
							Properties map[string]any `json:"properties"`
						} `json:"schema"`
					} `json:"content"`
				} `json:"requestBody"`
			} `json:"post"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	const canary, each = "Zq7canaryZq7", 120
	for path, item := range doc.Paths {
		t.Run(strings.ReplaceAll(path, "/", "_"), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, uint64(len(path)))) // repeatable
			var fields []string
			for name := range item.Post.Body.Content["application/json"].Schema.Properties {
				fields = append(fields, fmt.Sprintf(`%q:%s`, name, []string{`"` + canary + `"`, `{}`, `[]`, `7`, `null`, `{"value":"` + canary + `"}`}[r.IntN(6)]))
			}
			good := `{` + whyJSON + `,` + strings.Join(fields, ",") + `}`
			for range each {
				body := mutate(r, good)
				got := w.post(c, path, body)
				if got.StatusCode >= 500 && got.StatusCode != http.StatusNotImplemented || got.StatusCode == http.StatusOK && path != verifyPath && path != resolvePath {
					t.Fatalf("%d for %q: %s", got.StatusCode, body, got.body)
				}
				if got.StatusCode >= 400 {
					got.problem(t)
				}
				if strings.Contains(string(got.body), canary) {
					t.Fatalf("repeated: %s", got.body)
				}
			}
		})
	}
}

// FuzzBody keeps the same promises for whatever the fuzzer thinks of.
func FuzzBody(f *testing.F) {
	w := start(f)
	c := w.client(fund)
	for _, seed := range append(bits(), verifyJSON, resolveJSON, `{}`, ``) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+verifyPath, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode >= 500 {
			t.Errorf("answered %d", resp.StatusCode)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	})
}
