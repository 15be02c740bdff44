package chassis_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"samvirke.dev/services/platform/chassis"
)

// freeAddr is an address on which nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	return l.Addr().String()
}

// httpGet asks as a kubelet does, on a connection of its own.
func httpGet(t *testing.T, url string) (status int, err error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// A probe learns whether traffic can pass, and nothing else.
func TestProbes(t *testing.T) {
	t.Parallel()
	serving := false
	routes := chassis.ProbeRoutes(func(context.Context) bool { return serving })
	look := func(method, path string, want int) {
		t.Helper()
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
		if w.Code != want || want < 400 && w.Body.Len() > 0 {
			t.Errorf("%s %s: %d %s, want %d", method, path, w.Code, w.Body, want)
		}
	}
	look(http.MethodGet, "/livez", http.StatusNoContent)
	look(http.MethodGet, "/readyz", http.StatusServiceUnavailable)
	serving = true
	look(http.MethodGet, "/readyz", http.StatusNoContent)
	look(http.MethodPost, "/readyz", http.StatusMethodNotAllowed)
	look(http.MethodGet, "/", http.StatusNotFound)
	look(http.MethodGet, "/debug/pprof/", http.StatusNotFound)
}
