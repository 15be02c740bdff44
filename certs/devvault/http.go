package devvault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxBody is Vault's default limit on a request.
const maxBody = 32 << 20

type operation string

const (
	opRead   operation = "read"
	opList   operation = "list"
	opCreate operation = "create"
	opUpdate operation = "update"
	opDelete operation = "delete"
)

// request is what a backend sees.
type request struct {
	op operation
	// full is the path after /v1/, path the same within the mount that serves it.
	full, path string
	body       params
	query      map[string][]string
	token      *token
}

// response is what a backend answers; nil data and auth become 204 for writes.
type response struct {
	status   int
	data     map[string]any
	auth     map[string]any
	warnings []string
	// plain is a body without Vault's envelope: health, seal status, PEM files.
	plain     []byte
	plainType string
	// flat puts data also at the top level, as the sys endpoints do.
	flat bool
}

// failure is an error in Vault's shape.
type failure struct {
	status int
	errors []string
}

// Error joins the messages.
func (f *failure) Error() string {
	return fmt.Sprintf("%d: %s", f.status, strings.Join(f.errors, "; "))
}

func fail(status int, format string, args ...any) error {
	return &failure{status: status, errors: []string{fmt.Sprintf(format, args...)}}
}

// failList is the way in which Vault prints an error that went through its list type.
func failList(status int, messages ...string) error {
	n := "1 error"
	if len(messages) > 1 {
		n = fmt.Sprintf("%d errors", len(messages))
	}
	return fail(status, "%s occurred:\n\t* %s\n\n", n, strings.Join(messages, "\n\t* "))
}

func errDenied() error      { return failList(http.StatusForbidden, "permission denied") }
func errBadToken() error    { return failList(http.StatusForbidden, "permission denied", "invalid token") }
func errNotFound() error    { return &failure{status: http.StatusNotFound, errors: []string{}} }
func errUnsupported() error { return failList(http.StatusMethodNotAllowed, "unsupported operation") }
func errUnknownPath() error { return failList(http.StatusNotFound, "unsupported path") }
func errSealed() error      { return fail(http.StatusServiceUnavailable, "Vault is sealed") }
func errNoRoute(p string) error {
	return fail(http.StatusNotFound, "no handler for route %q. route entry not found.", p)
}

// errNotOffered marks what a real Vault can do and this server can't, so that nobody takes silence for success.
func errNotOffered(what string) error {
	return fail(http.StatusBadRequest, "devvault does not offer %s", what)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if s.delay(r.Context()) != nil {
		return
	}
	resp, err := s.answer(w, r)
	if err != nil {
		s.log.DebugContext(r.Context(), "request refused", "method", r.Method, "path", r.URL.Path, "error", err)
		writeFailure(w, err)
		return
	}
	writeResponse(w, r, resp)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) (*response, error) {
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	if !ok {
		return nil, errNotFound()
	}
	req := &request{full: path, query: r.URL.Query()}
	var err error
	if req.op, err = operationOf(r); err != nil {
		return nil, err
	}
	if req.op == opUpdate {
		if req.body, err = readBody(w, r); err != nil {
			return nil, err
		}
	}
	if req.op == opList {
		req.full = strings.TrimSuffix(req.full, "/")
	}
	return s.core.handle(req, tokenOf(r))
}

func operationOf(r *http.Request) (operation, error) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if r.URL.Query().Get("list") == "true" {
			return opList, nil
		}
		return opRead, nil
	case "LIST":
		return opList, nil
	case http.MethodPost, http.MethodPut:
		return opUpdate, nil
	case http.MethodDelete:
		return opDelete, nil
	default:
		return "", fail(http.StatusMethodNotAllowed, "unsupported method")
	}
}

func tokenOf(r *http.Request) string {
	if t := r.Header.Get("X-Vault-Token"); t != "" {
		return t
	}
	t, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return t
}

func readBody(w http.ResponseWriter, r *http.Request) (params, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, fail(http.StatusRequestEntityTooLarge, "http: request body too large")
	case err != nil:
		return nil, fail(http.StatusBadRequest, "failed to read the request")
	case len(raw) == 0:
		return params{}, nil
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	var p params
	if err := dec.Decode(&p); err != nil {
		return nil, fail(http.StatusBadRequest, "failed to parse JSON input")
	}
	if p == nil {
		p = params{}
	}
	return p, nil
}

func writeFailure(w http.ResponseWriter, err error) {
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{status: http.StatusInternalServerError, errors: []string{"internal error"}}
	}
	writeJSON(w, f.status, map[string]any{"errors": f.errors})
}

func writeResponse(w http.ResponseWriter, r *http.Request, resp *response) {
	switch {
	case resp == nil:
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
		return
	case resp.plain != nil:
		w.Header().Set("Content-Type", resp.plainType)
		w.WriteHeader(max(resp.status, http.StatusOK))
		if r.Method != http.MethodHead {
			_, _ = w.Write(resp.plain) //nolint:gosec // JSON and PEM, under their own content types; the client may have gone; nobody is left to tell
		}
		return
	}
	body := map[string]any{
		"request_id": newUUID(), "lease_id": "", "renewable": false, "lease_duration": 0,
		"data": resp.data, "wrap_info": nil, "warnings": resp.warnings, "auth": resp.auth,
	}
	if resp.data == nil {
		body["data"] = nil
	}
	if resp.auth == nil {
		body["auth"] = nil
	}
	if resp.flat {
		for k, v := range resp.data {
			body[k] = v
		}
	}
	writeJSON(w, max(resp.status, http.StatusOK), body)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) //nolint:errchkjson // the client may have gone; nobody is left to tell
}

func plainJSON(status int, body any) *response {
	raw, err := json.Marshal(body)
	if err != nil {
		raw = []byte("{}")
	}
	return &response{status: status, plain: raw, plainType: "application/json"}
}
