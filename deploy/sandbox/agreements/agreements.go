// Package agreements holds the sandbox's agreements: what each of its organisations may ask for. They are examples of how an
// agreement is written, and the end-to-end tests run on them.
package agreements

import "embed"

// Files are the agreements, one a file.
//
//go:embed *.yaml
var Files embed.FS
