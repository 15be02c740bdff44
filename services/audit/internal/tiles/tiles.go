// Package tiles serves the logs to anybody, as C2SP tlog-tiles says: below /<shard>/ lie checkpoint, tile/… and tile/entries/…; below / lies
// key, the public keys. Nothing here is about persons: leaves are salted hashes.
package tiles

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"strings"

	"samvirke.dev/services/audit/internal/proofs"
)

// resource is everything that is served: a log's checkpoint, its hash tiles and its entry bundles, whole or partial.
var resource = regexp.MustCompile(`^/([0-9]{6})/(checkpoint|tile/(?:[0-5]?[0-9]|6[0-3]|entries)/(?:x[0-9]{3}/)*[0-9]{3}(\.p/[0-9]{1,3})?)$`) //nolint:gochecknoglobals // a constant

// Handler serves the logs below dir, in folders by shard.
func Handler(dir string, keys func() proofs.Keys) http.Handler {
	files := os.DirFS(dir)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "read only", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.URL.Path == "/key" {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			for _, k := range keys() {
				_, _ = w.Write([]byte(k.String() + "\n")) // who has gone misses nothing
			}
			return
		}
		found := resource.FindStringSubmatch(r.URL.Path)
		if found == nil {
			http.NotFound(w, r)
			return
		}
		serve(w, r, files, found[1]+"/"+found[2], found[2] == "checkpoint", found[3] != "")
	})
}

// serve answers with a file. Full tiles never change, partial ones are replaced by fuller ones, a checkpoint by the next.
func serve(w http.ResponseWriter, r *http.Request, files fs.FS, path string, checkpoint, partial bool) {
	body, err := fs.ReadFile(files, path)
	if partial && errors.Is(err, fs.ErrNotExist) { // the full tile may have taken its place, and serves as well
		body, err = fs.ReadFile(files, path[:strings.LastIndex(path, ".p/")])
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		http.NotFound(w, r)
		return
	case err != nil:
		http.Error(w, "the log can't be read", http.StatusInternalServerError)
		return
	}
	if checkpoint {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
	} else {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(body) //nolint:gosec // a checkpoint or tile as it lies there, never HTML; who has gone misses nothing
}
