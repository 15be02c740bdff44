// Package docs is what a partner's developer reads: one OpenAPI document of all routes with every error and examples, a page to try them,
// a five-minute start, the list of errors, and a collection of requests for editors that send them. All of it is made from the schemas and
// the error vocabulary at start, so it can't say anything else than the gateway does.
package docs

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"samvirke.dev/gateway/internal/problem"
	"samvirke.dev/gateway/internal/token"
	samvirke "samvirke.dev/proto"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
)

//go:embed examples
var examples embed.FS

// object is a JSON object. The documents are edited as such: a library's model of OpenAPI would lose what it does not know.
type object = map[string]any

// Info says which routes the document describes and where they are called.
type Info struct {
	URL      string   // of the gateway, without a slash at the end
	Services []string // those that are behind it, such as insurance; others' routes are left out
	Tokens   bool     // whether bearer tokens are issued
}

// OpenAPI returns the document (version 3.1) for the routes of the services.
func OpenAPI(info Info) ([]byte, error) {
	doc, err := document(info)
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(doc, "", " ")
}

func document(info Info) (object, error) {
	paths, schemas := object{}, object{}
	for _, service := range info.Services {
		if err := collect(service, paths, schemas); err != nil {
			return nil, err
		}
	}
	prune(paths, schemas)
	schemas["Problem"] = problemSchema()
	for _, item := range paths {
		for _, op := range item.(object) { //nolint:forcetypeassert // our own documents
			if err := enrich(op.(object)); err != nil { //nolint:forcetypeassert // likewise
				return nil, err
			}
		}
	}
	security, schemes := []any{object{"mutualTLS": []any{}}}, object{
		"mutualTLS": object{"type": "mutualTLS", "description": "TLS 1.3 with the client certificate issued for this system."},
	}
	if info.Tokens {
		schemes["token"] = object{
			"type": "oauth2", "description": "Certificate-bound access tokens (RFC 8705), for software that wants a bearer token. The certificate is needed all the same.",
			"flows": object{"clientCredentials": object{"tokenUrl": info.URL + token.PathToken, "scopes": scopes(paths)}},
		}
		security = append(security, object{"token": []any{}})
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Samvirke", "version": "1.0.0",
			"description": "Exchange of personal data between unemployment funds, agencies and partner insurers. Every call names a purpose, a legal basis and a case, and leaves an audit record whose id stands in the header `Samvirke-Event-Id`.",
		},
		"servers": []any{object{"url": info.URL}}, "security": security, "paths": paths,
		"components": object{"schemas": schemas, "securitySchemes": schemes, "headers": headers(), "responses": responses()},
	}, nil
}

// collect adds the routes and schemas of a service's documents.
func collect(service string, paths, schemas object) error {
	return fs.WalkDir(samvirke.OpenAPI, "gen/openapi/samvirke/"+service, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".json" {
			return ignoreMissing(err)
		}
		raw, err := samvirke.OpenAPI.ReadFile(name)
		if err != nil {
			return err
		}
		var doc struct {
			Paths      object `json:"paths"`
			Components struct {
				Schemas object `json:"schemas"`
			} `json:"components"`
		}
		if err := json.Unmarshal(raw, &doc); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		maps.Copy(paths, doc.Paths)
		maps.Copy(schemas, doc.Components.Schemas)
		return nil
	})
}

func ignoreMissing(err error) error {
	if pathErr, ok := err.(*fs.PathError); ok && strings.Contains(pathErr.Err.Error(), "not exist") { //nolint:errorlint // of the walk itself
		return nil // a service without REST routes
	}
	return err
}

// prune takes away what only the replaced error responses used.
func prune(_, schemas object) {
	for name := range schemas {
		if strings.HasPrefix(name, "google.rpc.") {
			delete(schemas, name)
		}
	}
}

// enrich gives an operation its errors, headers and examples.
func enrich(op object) error {
	got, _ := op["responses"].(object)
	delete(got, "default")
	for status := range reasonsByStatus() {
		got[strconv.Itoa(status)] = object{"$ref": "#/components/responses/" + strconv.Itoa(status)}
	}
	if ok, is := got["200"].(object); is {
		ok["headers"] = object{
			"Samvirke-Event-Id": object{"$ref": "#/components/headers/EventId"},
			"RateLimit":         object{"$ref": "#/components/headers/RateLimit"}, "RateLimit-Policy": object{"$ref": "#/components/headers/RateLimitPolicy"},
		}
	}
	op["parameters"] = []any{object{
		"name": "Idempotency-Key", "in": "header", "required": false, "schema": object{"type": "string", "pattern": "^[A-Za-z0-9_-]{16,64}$"},
		"description": "A key of your own for this change, such as a UUID: with the same key and body it is done once, whatever is repeated. The same as `requestId` in the body.",
	}}
	return exemplify(op)
}

// example is a file of examples for an operation.
type example struct {
	Summary  string          `json:"summary"`
	Request  json.RawMessage `json:"request"`
	Response json.RawMessage `json:"response"`
}

func exemplify(op object) error {
	id, _ := op["operationId"].(string)
	raw, err := examples.ReadFile("examples/" + id + ".json")
	if err != nil {
		return nil //nolint:nilerr // an operation without an example
	}
	var e example
	if err := json.Unmarshal(raw, &e); err != nil {
		return fmt.Errorf("example of %s: %w", id, err)
	}
	for at, value := range map[string]json.RawMessage{"requestBody": e.Request, "200": e.Response} {
		holder, _ := op[at].(object)
		if at == "200" {
			all, _ := op["responses"].(object)
			holder, _ = all["200"].(object)
		}
		content, _ := holder["content"].(object)
		if media, ok := content["application/json"].(object); ok {
			media["example"] = value
		}
	}
	return nil
}

// Scopes lists what a token can be asked for, sorted.
func Scopes(info Info) []string {
	paths := object{}
	for _, service := range info.Services {
		if err := collect(service, paths, object{}); err != nil {
			return nil // the documents were read at start
		}
	}
	return slices.Sorted(maps.Keys(scopes(paths)))
}

// scopes are what a token can be asked for: the services and their RPCs, with what they are for.
func scopes(paths object) object {
	out := object{}
	for _, item := range paths {
		for _, op := range item.(object) { //nolint:forcetypeassert // our own documents
			o, _ := op.(object)
			if rpc, ok := rpcOf(o); ok {
				summary, _ := o["summary"].(string)
				service, _, _ := strings.Cut(rpc, "/")
				out[rpc], out[service] = firstSentence(summary), "All routes of the service."
			}
		}
	}
	return out
}

// rpcOf is the RPC behind an operation, as package.Service/Method.
func rpcOf(op object) (string, bool) {
	id, _ := op["operationId"].(string)
	service, method, ok := strings.Cut(id, "_")
	if !ok {
		return "", false
	}
	full, ok := services()[service]
	return full + "/" + method, ok
}

func firstSentence(s string) string {
	s = strings.ReplaceAll(s, "\n", " ")
	if at := strings.Index(s, ". "); at > 0 {
		return s[:at+1]
	}
	return s
}

// reasonsByStatus lists the reasons of the vocabulary by the HTTP status with which they are told.
func reasonsByStatus() map[int][]errs.Reason {
	out := map[int][]errs.Reason{}
	for number := range commonv1.Reason_name {
		if reason := errs.Reason(number); number != 0 {
			status := errs.HTTPStatus(errs.Lookup(reason).Kind)
			out[status] = append(out[status], reason)
		}
	}
	for _, reasons := range out {
		slices.Sort(reasons)
	}
	return out
}

// responses describes each status with the reasons that it can have.
func responses() object {
	out := object{}
	for status, reasons := range reasonsByStatus() {
		lines := make([]string, 0, len(reasons))
		shown := object{}
		for _, r := range reasons {
			p := problem.Of(errs.New(r))
			lines = append(lines, fmt.Sprintf("* `%s`: %s %s", p.Reason, p.Title, p.Action))
			p.TraceID, p.EventID = "4bf92f3577b34da6a3ce929d0e0e4736", "0199a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b"
			shown[p.Reason] = object{"value": p}
		}
		out[strconv.Itoa(status)] = object{
			"description": strings.Join(lines, "\n"),
			"content":     object{problem.ContentType: object{"schema": object{"$ref": "#/components/schemas/Problem"}, "examples": shown}},
		}
	}
	return out
}

func headers() object {
	text := object{"type": "string"}
	return object{
		"EventId":         object{"description": "Id of the audit record of this call.", "schema": text},
		"RateLimit":       object{"description": "What is left of the agreement's quota (r) and the seconds until it is full again (t).", "schema": text},
		"RateLimitPolicy": object{"description": "The agreement's quota: calls (q) in seconds (w).", "schema": text},
	}
}

func problemSchema() object {
	text := func(what string) object { return object{"type": "string", "description": what} }
	return object{
		"type": "object", "description": "Problem details (RFC 9457). Nothing of the request is repeated in it.",
		"required": []any{"type", "title", "status", "reason"},
		"properties": object{
			"type": text("`urn:samvirke:reason:` and the reason."), "title": text("The same for every problem of the type."),
			"status": object{"type": "integer", "description": "HTTP status."}, "detail": text("What is special about this one."),
			"reason": text("Stable, for programs."),
			"reasons": object{
				"type": "array", "items": object{"type": "string"}, "description": "All reasons of a refusal, where there are several: the first is `reason`.",
			},
			"actor":  text("Who must act: `caller`, `controller`, `operator`, or `retry` for nobody."),
			"action": text("What they must do."), "traceId": text("Quote it when you ask for support."), "eventId": text("Id of the audit record."),
			"retryAfter": object{"type": "integer", "description": "Seconds to wait, as in the header Retry-After."},
			"violations": object{"type": "array", "items": object{"type": "object", "properties": object{
				"field": text("Path of the field."), "description": text("What is wanted there."),
			}}},
		},
	}
}
