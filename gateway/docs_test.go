package gateway_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"samvirke.dev/gateway"
	"samvirke.dev/gateway/internal/docs"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/suitetest"
)

// every is a document of all services.
func every() docs.Info {
	return docs.Info{URL: "https://rest.samvirke.example", Services: gateway.Services(), Tokens: true}
}

// The document's references lead somewhere, every operation has every class of errors, and every reason of the vocabulary is described.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	raw, err := docs.OpenAPI(every())
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	refs(t, doc, doc)
	paths, _ := doc["paths"].(map[string]any)
	for path, item := range paths {
		for method, op := range item.(map[string]any) { //nolint:forcetypeassert // a wrong document fails the test
			o, _ := op.(map[string]any)
			responses, _ := o["responses"].(map[string]any)
			for _, status := range []string{"200", "400", "401", "403", "404", "409", "429", "500", "503"} {
				if responses[status] == nil {
					t.Errorf("%s %s lacks %s", method, path, status)
				}
			}
			if summary, _ := o["summary"].(string); summary == "" {
				t.Errorf("%s %s has no summary", method, path)
			}
		}
	}
	for number, name := range commonv1.Reason_name {
		if short := strings.TrimPrefix(name, "REASON_"); number != 0 && !strings.Contains(string(raw), "`"+short+"`") {
			t.Errorf("%s is not described", short)
		}
	}
}

// refs checks that each $ref names something in the document.
func refs(t *testing.T, doc map[string]any, node any) {
	t.Helper()
	switch n := node.(type) {
	case map[string]any:
		if ref, ok := n["$ref"].(string); ok {
			var at any = doc
			for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
				m, _ := at.(map[string]any)
				at = m[part]
			}
			if at == nil {
				t.Errorf("%s leads nowhere", ref)
			}
		}
		for _, v := range n {
			refs(t, doc, v)
		}
	case []any:
		for _, v := range n {
			refs(t, doc, v)
		}
	}
}

// Every example is what the route takes and gives: it reads strictly and keeps the schema's rules.
func TestExamples(t *testing.T) {
	t.Parallel()
	validator, err := protovalidate.New()
	if err != nil {
		t.Fatal(err)
	}
	all, err := docs.Examples()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no examples")
	}
	for _, e := range all {
		desc, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(e.RPC, "/", ".")))
		if err != nil {
			t.Errorf("%s: %v", e.RPC, err)
			continue
		}
		method, ok := desc.(protoreflect.MethodDescriptor)
		if !ok {
			t.Errorf("%s is no RPC", e.RPC)
			continue
		}
		for what, side := range map[string]struct {
			raw  json.RawMessage
			name protoreflect.FullName
		}{"request": {e.Request, method.Input().FullName()}, "response": {e.Response, method.Output().FullName()}} {
			kind, err := protoregistry.GlobalTypes.FindMessageByName(side.name)
			if err != nil {
				t.Fatal(err)
			}
			m := kind.New().Interface()
			if err := protojson.Unmarshal(side.raw, m); err != nil {
				t.Errorf("%s of %s: %v", what, e.RPC, err)
				continue
			}
			if proto.Size(m) == 0 {
				t.Errorf("%s of %s is empty", what, e.RPC)
			}
			if err := validator.Validate(m); what == "request" && err != nil {
				t.Errorf("%s of %s: %v", what, e.RPC, err)
			}
		}
	}
}

// The pages are there on both doors, say where everything is, load nothing from elsewhere and let no foreign script run.
func TestPages(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *gateway.Config, _ *suitetest.Options) { c.URL = "https://rest.samvirke.example" })
	for _, door := range []struct {
		client *http.Client
		url    string
	}{{w.client(fund), w.url}, {w.clientWith(nil), w.public}} {
		for path, want := range map[string]string{
			"/docs/": "Five minutes", "/docs/errors": "QUOTA_EXCEEDED", "/docs/try/": "swagger-ui", "/docs/style.css": "font", "/openapi.json": `"openapi": "3.1.0"`,
			"/docs/samvirke.http": "POST {{gateway}}/v1/identities:verify", "/docs/try/swagger-ui.css": "swagger",
		} {
			got := w.get(door.client, door.url+path)
			if got.StatusCode != http.StatusOK || !strings.Contains(string(got.body), want) {
				t.Errorf("%s: %d", path, got.StatusCode)
			}
			html := strings.HasPrefix(got.Header.Get("Content-Type"), "text/html")
			if policy := got.Header.Get("Content-Security-Policy"); html && (!strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "script-src 'self' 'unsafe-inline'")) {
				t.Errorf("%s: policy %q", path, policy)
			}
			for _, foreign := range []string{`src="http`, `href="http`, `src="//`, `href="//`} {
				if html && strings.Contains(string(got.body), foreign) {
					t.Errorf("%s loads something from elsewhere: %s", path, foreign)
				}
			}
		}
	}
	if got := w.get(w.clientWith(nil), w.public+"/docs/nothing"); got.StatusCode != http.StatusNotFound {
		t.Errorf("a page that is not there: %d", got.StatusCode)
	}
	if got := w.post(w.client(fund), "/docs/", "{}"); got.StatusCode != http.StatusNotFound {
		t.Errorf("a page is no route: %d", got.StatusCode)
	}
}

// A version that will end says so on every answer.
func TestRetiredVersion(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *gateway.Config, _ *suitetest.Options) {
		c.Retired = []gateway.Retired{{Prefix: "/v1/", Deprecated: day(2026, 1, 1), Sunset: day(2027, 1, 1), Link: "https://rest.samvirke.example/docs/"}}
	})
	for _, body := range []string{verifyJSON, "{}"} {
		got := w.post(w.client(fund), verifyPath, body)
		if got.Header.Get("Deprecation") != "@1767225600" || got.Header.Get("Sunset") != "Fri, 01 Jan 2027 00:00:00 GMT" || !strings.Contains(got.Header.Get("Link"), `rel="deprecation"`) {
			t.Errorf("%d %v", got.StatusCode, got.Header)
		}
	}
	if got := w.post(w.client(fund), "/v2/identities:verify", verifyJSON); got.Header.Get("Deprecation") != "" {
		t.Error("another version is said to end too")
	}
}
