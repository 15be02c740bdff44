package tiles_test

import (
	"crypto/ed25519"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/tiles"
)

func TestHandler(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, text := range map[string]string{
		"202611/checkpoint": "the checkpoint", "202611/tile/0/000": "full", "202611/tile/0/001.p/7": "partial", "202611/tile/entries/x001/234": "bundle",
		"202611/.state/treeState": "private", "secret": "private",
	} {
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key := proofs.Key{Origin: "samvirke.example/ledger", Public: make(ed25519.PublicKey, ed25519.PublicKeySize)}
	server := httptest.NewServer(tiles.Handler(dir, func() proofs.Keys { return proofs.Keys{key} }))
	defer server.Close()
	for path, want := range map[string]string{
		"/202611/checkpoint": "the checkpoint", "/202611/tile/0/000": "full", "/202611/tile/0/001.p/7": "partial", "/202611/tile/entries/x001/234": "bundle",
		"/202611/tile/0/000.p/200": "full", // the tile was completed meanwhile
		"/key":                     key.String() + "\n",
		"/202611/.state/treeState": "", "/secret": "", "/202611/../secret": "", "/202611/tile/0/000/..%2f..%2f.state/treeState": "", "/202612/checkpoint": "",
		"/202611/tile/99/000": "", "/202611/": "", "/": "", "/202611/tile/0/002": "",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if want == "" && resp.StatusCode != http.StatusNotFound || want != "" && string(body) != want {
			t.Errorf("%s: %s %q, want %q", path, resp.Status, body, want)
		}
		if immutable := strings.Contains(resp.Header.Get("Cache-Control"), "immutable"); immutable != (want != "" && strings.Contains(path, "/tile/")) {
			t.Errorf("%s: Cache-Control %q", path, resp.Header.Get("Cache-Control"))
		}
	}
	resp, err := server.Client().Post(server.URL+"/202611/checkpoint", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST is answered with %s", resp.Status)
	}
}
