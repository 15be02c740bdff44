package token

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"samvirke.dev/certs/workload"
)

// Paths of the endpoints.
const (
	PathToken    = "/oauth2/token" //nolint:gosec // a path
	PathKeys     = "/oauth2/jwks"
	PathMetadata = "/.well-known/oauth-authorization-server"
)

// maxForm bounds a token request, in bytes.
const maxForm = 8 << 10

// Endpoint answers token requests (RFC 6749 section 4.4, client authentication by mutual TLS as RFC 8705 section 2.1) and tells how
// (RFC 8414).
type Endpoint struct {
	Issuer *Issuer
	// Scopes are what may be asked for: the services and RPCs that have REST routes.
	Scopes func() []string
	// Failed is told what went wrong on our side.
	Failed func(r *http.Request, err error)
}

// answer is RFC 6749 section 5.1.
type answer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
	Scope       string `json:"scope"`
}

// refusal is RFC 6749 section 5.2.
type refusal struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// Token answers POST /oauth2/token.
func (e *Endpoint) Token(w http.ResponseWriter, r *http.Request) {
	id, err := workload.FromState(*r.TLS)
	if err != nil {
		reply(w, http.StatusUnauthorized, refusal{"invalid_client", "Call with the client certificate issued for this system."})
		return
	}
	form, why := readForm(r)
	if why != "" {
		reply(w, http.StatusBadRequest, refusal{"invalid_request", why})
		return
	}
	switch {
	case form.Get("grant_type") != "client_credentials":
		reply(w, http.StatusBadRequest, refusal{"unsupported_grant_type", "Use grant_type=client_credentials."})
		return
	case form.Has("client_id") && form.Get("client_id") != id.String():
		reply(w, http.StatusUnauthorized, refusal{"invalid_client", "client_id must be the SPIFFE id of the client certificate, or be left out."})
		return
	}
	scope := strings.Fields(form.Get("scope"))
	for _, s := range scope {
		if !slices.Contains(e.Scopes(), s) {
			reply(w, http.StatusBadRequest, refusal{"invalid_scope", "A scope is package.Service or package.Service/Method; see scopes_supported at " + PathMetadata + "."})
			return
		}
	}
	if len(scope) == 0 {
		scope = services(e.Scopes())
	}
	raw, life, err := e.Issuer.Issue(r.Context(), id, r.TLS.VerifiedChains[0][0], scope)
	if err != nil {
		e.Failed(r, err)
		reply(w, http.StatusServiceUnavailable, refusal{"temporarily_unavailable", "Tokens can't be signed now; call with the certificate alone, or try again."})
		return
	}
	reply(w, http.StatusOK, answer{AccessToken: raw, TokenType: "Bearer", ExpiresIn: int64(life.Seconds()), Scope: strings.Join(scope, " ")})
}

// services keeps the scopes that stand for whole services.
func services(scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return strings.Contains(s, "/") })
}

// readForm reads a form of which no parameter stands twice (RFC 6749 section 3.2).
func readForm(r *http.Request) (form url.Values, why string) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || r.URL.RawQuery != "" {
		return nil, "Send the parameters as application/x-www-form-urlencoded in the body."
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err != nil || len(body) > maxForm {
		return nil, "The body is too large."
	}
	form, err = url.ParseQuery(string(body))
	if err != nil {
		return nil, "The body is no form."
	}
	for _, values := range form {
		if len(values) > 1 {
			return nil, "A parameter stands twice."
		}
	}
	return form, ""
}

// Keys answers GET /oauth2/jwks.
func (e *Endpoint) Keys(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, e.Issuer.Keys())
}

// metadata is RFC 8414, as far as it concerns us.
type metadata struct {
	Issuer        string   `json:"issuer"`
	TokenEndpoint string   `json:"token_endpoint"`
	JWKS          string   `json:"jwks_uri"`
	Grants        []string `json:"grant_types_supported"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	ResponseTypes []string `json:"response_types_supported"`
	Scopes        []string `json:"scopes_supported"`
	Bound         bool     `json:"tls_client_certificate_bound_access_tokens"`
}

// Metadata answers GET /.well-known/oauth-authorization-server.
func (e *Endpoint) Metadata(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, metadata{
		Issuer: e.Issuer.name, TokenEndpoint: e.Issuer.name + PathToken, JWKS: e.Issuer.name + PathKeys,
		Grants: []string{"client_credentials"}, AuthMethods: []string{"tls_client_auth"}, ResponseTypes: []string{"token"},
		Scopes: e.Scopes(), Bound: true,
	})
}

// Bearer returns the token of an Authorization header; ok is false for a header that is none. No header is ok and no token.
func Bearer(r *http.Request) (raw string, ok bool) {
	headers := r.Header.Values("Authorization")
	switch len(headers) {
	case 0:
		return "", true
	case 1:
		scheme, rest, found := strings.Cut(headers[0], " ")
		return rest, found && strings.EqualFold(scheme, "Bearer") && rest != ""
	default:
		return "", false
	}
}

func reply(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(raw) // whoever does not listen any more is told nothing
}
