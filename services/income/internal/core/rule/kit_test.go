package rule_test

import (
	"os"
	"testing"
)

func builtinText(t testing.TB) string {
	t.Helper()
	raw, err := os.ReadFile("sets/dk-2023-10.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
