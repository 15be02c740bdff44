// Package proto carries what is generated from the schemas besides Go: the OpenAPI documents of the services that have REST routes. The
// Go packages lie under gen/go.
package proto

import "embed"

// OpenAPI holds one document a schema file that has REST routes, below gen/openapi.
//
//go:embed gen/openapi
var OpenAPI embed.FS
