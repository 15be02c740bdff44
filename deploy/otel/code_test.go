package otel_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// metricsOfCode reads which metrics the code makes, and returns their names as Prometheus sees them.
func metricsOfCode(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, root := range []string{"../../services", "../../certs", "../../gateway"} {
		packages := map[string][]*ast.File{}
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			packages[filepath.Dir(path)] = append(packages[filepath.Dir(path)], f)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, files := range packages {
			constants := constantsOf(files)
			for _, f := range files {
				ast.Inspect(f, func(n ast.Node) bool {
					if call, ok := n.(*ast.CallExpr); ok {
						out = append(out, series(call, constants)...)
					}
					return true
				})
			}
		}
	}
	return out
}

// constantsOf returns the texts of the package's constants.
func constantsOf(files []*ast.File) map[string]string {
	out := map[string]string{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok {
				for i := range min(len(v.Names), len(v.Values)) {
					if s, ok := text(v.Values[i], nil); ok {
						out[v.Names[i].Name] = s
					}
				}
			}
			return true
		})
	}
	return out
}

func text(e ast.Expr, constants map[string]string) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.Ident:
		s, ok := constants[e.Name]
		return s, ok
	}
	return "", false
}

// series returns the names under which Prometheus keeps the instrument that a call makes, by OpenTelemetry's rules for suffixes.
func series(call *ast.CallExpr, constants map[string]string) []string {
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return nil
	}
	kind := strings.NewReplacer("Int64", "", "Float64", "", "Observable", "").Replace(fun.Sel.Name)
	switch {
	case kind == fun.Sel.Name: // not one of the meter's methods
		return nil
	case kind != "Counter" && kind != "UpDownCounter" && kind != "Histogram" && kind != "Gauge":
		return nil
	}
	name, ok := text(call.Args[0], constants)
	if !ok {
		return nil
	}
	name = strings.ReplaceAll(name, ".", "_")
	switch unit := unitOf(call, constants); {
	case unit == "s":
		name += "_seconds"
	case unit == "By":
		name += "_bytes"
	case unit == "" || strings.HasPrefix(unit, "{"): // nothing is appended
	default:
		return nil // a unit whose suffix this test doesn't know: its metric counts as missing
	}
	switch kind {
	case "Counter":
		return []string{name + "_total"}
	case "Histogram":
		return []string{name + "_bucket", name + "_count", name + "_sum"}
	default:
		return []string{name}
	}
}

func unitOf(call *ast.CallExpr, constants map[string]string) string {
	for _, arg := range call.Args {
		option, ok := arg.(*ast.CallExpr)
		if !ok || len(option.Args) != 1 {
			continue
		}
		if fun, ok := option.Fun.(*ast.SelectorExpr); ok && fun.Sel.Name == "WithUnit" {
			s, _ := text(option.Args[0], constants)
			return s
		}
	}
	return ""
}
