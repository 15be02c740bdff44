package gateway_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"samvirke.dev/gateway"
	"samvirke.dev/gateway/internal/docs"
	"samvirke.dev/gateway/internal/problem"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/suitetest"
)

func day(year int, month time.Month, d int) time.Time {
	return time.Date(year, month, d, 0, 0, 0, 0, time.UTC)
}

// canary stands in every text of a hostile body; no answer may repeat it.
const canary = "Zq7canaryZq7"

// hostile makes bodies from the schemas of the OpenAPI document: right in their outline, wrong in ways that its seed chooses.
type hostile struct {
	*rand.Rand

	schemas map[string]any
}

// newHostile reads the document and returns the schema of each route's body.
func newHostile(t testing.TB) (h *hostile, routes map[string]any) {
	t.Helper()
	raw, err := docs.OpenAPI(every())
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]struct {
			Post struct {
				Body struct {
					Content map[string]struct {
						Schema any `json:"schema"`
					} `json:"content"`
				} `json:"requestBody"`
			} `json:"post"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	routes = map[string]any{}
	for path, item := range doc.Paths {
		routes[path] = item.Post.Body.Content["application/json"].Schema
	}
	return &hostile{schemas: doc.Components.Schemas}, routes
}

// bits are what attackers put into JSON.
func bits() []string {
	return []string{
		`{"a":`, `"__proto__":{},`, `1e999`, `-0`, `null`, `"\u0000"`, `"\ud800"`, "\x00", "\xff\xfe", `"@type":"type.googleapis.com/google.protobuf.Any",`,
		`9223372036854775808`, `"<script>alert(1)</script>"`, `' OR 1=1 --`, `${jndi:ldap://x}`, `../../etc/passwd`, strings.Repeat("9", 400),
		`"context":{"context":{"context":{}}},`, `[]`, `true`, "\u202e", `"requestId":"`, `"1000-13-32T25:61:61Z"`, `"-999999999999s"`, `"NaN"`, `"////"`,
	}
}

// write appends a value of a schema, or now and then one that is none.
func (h *hostile) write(b []byte, schema any, depth int) []byte {
	node, _ := schema.(map[string]any)
	if ref, ok := node["$ref"].(string); ok {
		return h.write(b, h.schemas[strings.TrimPrefix(ref, "#/components/schemas/")], depth)
	}
	if h.IntN(40) == 0 || depth > 6 {
		return append(b, bits()[h.IntN(len(bits()))]...)
	}
	if values, ok := node["enum"].([]any); ok && len(values) > 0 {
		return fmt.Appendf(b, "%q", values[h.IntN(len(values))])
	}
	switch node["type"] {
	case "object":
		return h.object(b, node, depth)
	case "array":
		b = append(b, '[')
		for i := range h.IntN(4) {
			if i > 0 {
				b = append(b, ',')
			}
			b = h.write(b, node["items"], depth+1)
		}
		return append(b, ']')
	case "integer", "number":
		return strconv.AppendInt(b, h.Int64N(1<<40)-1<<39, 10)
	case "boolean":
		return strconv.AppendBool(b, h.IntN(2) == 0)
	default:
		return h.text(b)
	}
}

func (h *hostile) text(b []byte) []byte {
	switch h.IntN(8) {
	case 0:
		return fmt.Appendf(b, "%q", strings.Repeat(canary, 1+h.IntN(400)))
	case 1:
		return append(b, `"2026-01-02T03:04:05Z"`...)
	case 2:
		return append(b, `"DK:10000009"`...)
	default:
		return append(b, `"`+canary+`"`...)
	}
}

func (h *hostile) object(b []byte, node map[string]any, depth int) []byte {
	properties, _ := node["properties"].(map[string]any)
	b = append(b, '{')
	first := true
	add := func(name string) {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(fmt.Appendf(b, "%q", name), ':')
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if h.IntN(6) == 0 {
			continue
		}
		add(name)
		b = h.write(b, properties[name], depth+1)
		if h.IntN(60) == 0 { // twice
			add(name)
			b = h.write(b, properties[name], depth+1)
		}
	}
	if h.IntN(60) == 0 {
		add(canary)
		b = append(b, `{"`+canary+`":1}`...)
	}
	return append(b, '}')
}

// body is one hostile body for a route.
func (h *hostile) body(schema any) string {
	b := h.write(nil, schema, 0)
	if h.IntN(3) == 0 {
		return string(b) // only what the schema does not say is wrong in it
	}
	for range 1 + h.IntN(4) {
		if len(b) == 0 {
			break
		}
		at := h.IntN(len(b))
		switch h.IntN(7) {
		case 0:
			b[at] = byte(h.IntN(256))
		case 1:
			b = slices.Delete(b, at, at+1)
		case 2:
			b = slices.Insert(b, at, []byte(bits()[h.IntN(len(bits()))])...)
		case 3:
			b = b[:at]
		case 4:
			b = append(b, b[at:]...)
		case 5:
			b = append([]byte(strings.Repeat("[", h.IntN(5000))), b...)
		default:
			b = append([]byte(strings.Repeat(`{"context":`, h.IntN(2000))), b...)
		}
	}
	return string(b)
}

// checked are the promises about every answer.
func checked(status int, header http.Header, answer []byte) error {
	switch {
	case status >= http.StatusInternalServerError:
		return fmt.Errorf("answered %d", status)
	case strings.Contains(string(answer), canary):
		return errors.New("repeated")
	case status >= http.StatusBadRequest:
		var p problem.Problem
		if err := json.Unmarshal(answer, &p); err != nil || p.Reason == "" || header.Get("Content-Type") != problem.ContentType {
			return fmt.Errorf("no problem document: %w", err)
		}
	case header.Get("Cache-Control") != "no-store":
		return errors.New("may be cached")
	}
	return nil
}

// Every route of the document gets hostile bodies, made of its schema and of what attackers use, straight at the handler of the REST listener;
// each fiftieth comes over TLS. A call that is let through reaches the real chain of its service. Nothing is ever answered with a fault of ours,
// and nothing is repeated. SAMVIRKE_TEST_HOSTILE is how many bodies each route gets.
//
// covers: SEC-06
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	each := 40
	if n, err := strconv.Atoi(os.Getenv("SAMVIRKE_TEST_HOSTILE")); err == nil {
		each = n
	}
	w := startWhole(t, func(c *gateway.Config, o *suitetest.Options) {
		c.Telemetry.LogLevel = "error"
	})
	org := roles()[vocabularyv1.Role_ROLE_FUND]
	client, cert := w.client(org), w.CA.Issue(w.system(org))
	state := &tls.ConnectionState{HandshakeComplete: true, Version: tls.VersionTLS13, PeerCertificates: []*x509.Certificate{cert.Leaf}, VerifiedChains: [][]*x509.Certificate{{cert.Leaf}}}
	shared, routes := newHostile(t)
	if len(routes) != len(everyRoute()) {
		t.Fatalf("%d routes documented, %d in the schemas", len(routes), len(everyRoute()))
	}
	for path, schema := range routes {
		t.Run(strings.ReplaceAll(path, "/", "_"), func(t *testing.T) {
			t.Parallel()
			h := &hostile{Rand: rand.New(rand.NewPCG(1, uint64(len(path)))), schemas: shared.schemas} // repeatable
			for i := range each {
				body := h.body(schema)
				var err error
				if i%50 == 0 {
					got := w.post(client, path, body)
					err = checked(got.StatusCode, got.Header, got.body)
				} else {
					r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
					r.TLS = state
					r.Header.Set("Content-Type", "application/json")
					got := httptest.NewRecorder()
					w.api.ServeHTTP(got, r)
					err = checked(got.Code, got.Header(), got.Body.Bytes())
				}
				if err != nil {
					t.Fatalf("%v, for %.2000q", err, body)
				}
			}
		})
	}
	t.Cleanup(func() {
		if strings.Contains(w.logs.String(), canary) {
			t.Error("the log repeats a request")
		}
	})
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
