#!/usr/bin/env bash
# Runs every fuzz target of the workspace for the time given, one after the other.
set -euo pipefail
cd "$(dirname "$0")/../.."
for module in proto certs services gateway deploy; do
  while IFS=: read -r file name; do
    echo "$module/$(dirname "$file") $name"
    (cd "$module" && go test -run '^$' -fuzz "^$name\$" -fuzztime "$1" "./$(dirname "$file")")
  done < <(cd "$module" && grep -rhoE --include='*_test.go' -H '^func Fuzz[A-Za-z0-9]+' . | sed -E 's/:func /:/; s#^\./##')
done
