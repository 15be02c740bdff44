package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "samvirke.dev/proto/gen/go/samvirke/audit/v1" // the schemas register themselves
	_ "samvirke.dev/proto/gen/go/samvirke/income/v1"
	_ "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	_ "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	"samvirke.dev/services/platform/authz"
)

var update = flag.Bool("update", false, "rewrite the README's table") //nolint:gochecknoglobals // a flag

// rules is the table of every RPC: which roles may call it at all, what it does, and its REST route, as the rule beside it says.
func rules(t *testing.T) string {
	t.Helper()
	var lines []string
	protoregistry.GlobalFiles.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(fd.Package()), "samvirke.") {
			return true
		}
		for i := range fd.Services().Len() {
			methods := fd.Services().Get(i).Methods()
			for j := range methods.Len() {
				lines = append(lines, rule(t, methods.Get(j)))
			}
		}
		return true
	})
	slices.Sort(lines)
	return "| RPC | who may call it at all | what it does | REST |\n|---|---|---|---|\n" + strings.Join(lines, "\n") + "\n"
}

func rule(t *testing.T, md protoreflect.MethodDescriptor) string {
	t.Helper()
	r, err := authz.RuleOf(md)
	if err != nil {
		t.Fatal(err)
	}
	roles := make([]string, 0, len(r.GetCallers()))
	for _, role := range r.GetCallers() {
		roles = append(roles, strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(role.String(), "ROLE_")), "_", " "))
	}
	what := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(r.GetOperation().String(), "OPERATION_")), "_", " ")
	if r.GetChange() {
		what += ", a change"
	}
	route := ""
	if http, ok := proto.GetExtension(md.Options(), annotations.E_Http).(*annotations.HttpRule); ok && http.GetPost() != "" {
		route = "`POST " + http.GetPost() + "`"
	}
	service := strings.Split(string(md.Parent().FullName()), ".")
	return fmt.Sprintf("| `%s` %s.%s | %s | %s | %s |", service[1], md.Parent().Name(), md.Name(), strings.Join(roles, ", "), what, route)
}

// The README's table is what the schemas say. That each caller of each kind is treated so is proved by the permission matrix of every
// service (testdata/permissions.golden).
//
// covers: SEC-05
func TestReadmePermissions(t *testing.T) {
	t.Parallel()
	const file, begin, end = "../../README.md", "<!-- permissions -->\n", "<!-- /permissions -->"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(raw), begin)
	have, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("the README has no block between %q and %q", begin, end)
	}
	want := rules(t)
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have != want {
		t.Error("the README's table is stale: run go test ./deploy/e2e -run Permissions -update")
	}
}
