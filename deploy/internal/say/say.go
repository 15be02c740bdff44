// Package say writes what only people read.
package say

import (
	"fmt"
	"io"
)

// F writes a formatted text. Trouble is not reported: there is nowhere left to say it, and no work should end for it.
func F(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}
