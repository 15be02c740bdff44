package registers_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Every admin request of the README works as it stands there.
func TestReadme(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.clk.Advance(24 * time.Hour)
	b.upload(t, salary("7004631298", "90000008", "A-1", 5250, 945_000))
	requests := regexp.MustCompile(`(?m)^curl -sH 'Content-Type: application/json' \$ADMIN(/v1/\S+) -d '(.*)'$`).FindAllStringSubmatch(string(read(t, "README.md")), -1)
	if text := string(read(t, "README.md")); len(requests) < 13 || strings.Count(text, "curl ") != len(requests) {
		t.Errorf("%d requests", len(requests))
	}
	for _, r := range requests {
		if status, got := b.admin(t, r[1], r[2]); status != http.StatusOK {
			t.Errorf("%s: %d %s", r[1], status, got)
		}
	}
}
