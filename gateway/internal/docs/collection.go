package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"samvirke.dev/gateway/internal/token"
)

// collection is every route as a request for editors that read .http files (JetBrains, VS Code's REST client, httpYac). The certificate is
// set up in the editor.
func collection(info Info, all []Route) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Samvirke: a request for every route. Set the client certificate of your system up in your editor for this host.\n@gateway = %s\n", info.URL)
	if info.Tokens {
		fmt.Fprintf(&b, "\n### A token bound to the certificate, for software that wants one\nPOST {{gateway}}%s\nContent-Type: application/x-www-form-urlencoded\n\ngrant_type=client_credentials\n", token.PathToken)
	}
	for _, r := range all {
		body := r.Example
		if body == "" {
			body = "{}"
		}
		fmt.Fprintf(&b, "\n### %s\nPOST {{gateway}}%s\nContent-Type: application/json\nIdempotency-Key: {{$uuid}}\n\n%s\n", r.Summary, r.Path, body)
	}
	return []byte(b.String())
}

func indented(raw []byte) string {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return string(raw)
	}
	return b.String()
}
