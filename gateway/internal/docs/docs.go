package docs

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/swaggest/swgui/v5emb"

	"samvirke.dev/gateway/internal/problem"
	"samvirke.dev/services/platform/errs"
)

//go:embed pages
var pages embed.FS

// Paths of the pages.
const (
	PathStart      = "/docs/"
	PathErrors     = "/docs/errors"
	PathTry        = "/docs/try/"
	PathCollection = "/docs/samvirke.http"
	PathStyle      = "/docs/style.css"
	PathOpenAPI    = "/openapi.json"
)

// Pages returns the handlers by path.
func Pages(info Info) (map[string]http.Handler, error) {
	doc, err := document(info)
	if err != nil {
		return nil, err
	}
	openAPI, err := OpenAPI(info)
	if err != nil {
		return nil, err
	}
	data := page{URL: info.URL, Tokens: info.Tokens, Routes: routes(doc), Errors: problems()}
	out := map[string]http.Handler{
		PathOpenAPI: fixed("application/json", openAPI), PathCollection: fixed("text/plain; charset=utf-8", collection(info, data.Routes)),
	}
	for at, file := range map[string]string{PathStart: "start.html", PathErrors: "errors.html"} {
		body, err := rendered(file, data)
		if err != nil {
			return nil, err
		}
		out[at] = exactly(at, guarded("default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'", fixed("text/html; charset=utf-8", body)))
	}
	style, err := pages.ReadFile("pages/style.css")
	if err != nil {
		return nil, err
	}
	out[PathStyle] = fixed("text/css; charset=utf-8", style)
	out[PathTry] = try()
	return out, nil
}

// page is what the templates show.
type page struct {
	URL    string
	Tokens bool
	Routes []Route
	Errors []problem.Problem
}

// Route is a route as a developer sees it.
type Route struct {
	Path, RPC, Summary string
	Example            string // body, as JSON; empty when there is none
}

func routes(doc object) []Route {
	paths, _ := doc["paths"].(object)
	var out []Route
	for _, at := range slices.Sorted(maps.Keys(paths)) {
		item, _ := paths[at].(object)
		op, ok := item["post"].(object)
		if !ok {
			continue
		}
		r := Route{Path: at}
		r.RPC, _ = rpcOf(op)
		summary, _ := op["summary"].(string)
		r.Summary = firstSentence(summary)
		body, _ := op["requestBody"].(object)
		content, _ := body["content"].(object)
		media, _ := content["application/json"].(object)
		if raw, ok := media["example"].(interface{ MarshalJSON() ([]byte, error) }); ok {
			if text, err := raw.MarshalJSON(); err == nil {
				r.Example = indented(text)
			}
		}
		out = append(out, r)
	}
	return out
}

// problems are all errors, by status and then by name.
func problems() []problem.Problem {
	var out []problem.Problem
	all := reasonsByStatus()
	for _, status := range slices.Sorted(maps.Keys(all)) {
		for _, r := range all[status] {
			out = append(out, problem.Of(errs.New(r)))
		}
	}
	return out
}

func rendered(file string, data page) ([]byte, error) {
	t, err := template.ParseFS(pages, "pages/"+file)
	if err != nil {
		return nil, fmt.Errorf("documentation: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, fmt.Errorf("documentation: %w", err)
	}
	return b.Bytes(), nil
}

func fixed(kind string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(body) // whoever does not listen any more is told nothing
	})
}

// exactly answers one path; http.ServeMux takes a path that ends in a slash for all below it.
func exactly(path string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			http.NotFound(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func guarded(policy string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		h.ServeHTTP(w, r)
	})
}

// inline finds scripts that stand in a page.
var inline = regexp.MustCompile(`(?s)<script>(.*?)</script>`) //nolint:gochecknoglobals // constant

// written keeps what a handler answers.
type written struct {
	bytes.Buffer
	header http.Header
}

// Header implements http.ResponseWriter.
func (w *written) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

// WriteHeader implements http.ResponseWriter.
func (*written) WriteHeader(int) {}

// try is the page on which routes can be tried. Its scripts and styles come from here; the two that stand in the page are admitted by their
// hash, so that nothing else that might get into it runs.
func try() http.Handler {
	ui := v5emb.New("Samvirke", PathOpenAPI, PathTry)
	var index written
	ui.ServeHTTP(&index, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: PathTry}})
	scripts := inline.FindAllSubmatch(index.Bytes(), -1)
	hashes := make([]string, 0, len(scripts))
	for _, script := range scripts {
		sum := sha256.Sum256(script[1])
		hashes = append(hashes, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	policy := "default-src 'none'; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; " +
		"script-src 'self' " + strings.Join(hashes, " ")
	return guarded(policy, ui)
}
