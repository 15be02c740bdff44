package personview

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Every field of every response of every service, as records name it, is told to the person in words of each language, or is no personal
// data. A service whose schema this program does not hold fails too: its fields would be told by their names.
func TestEveryFieldOfEveryResponseHasWords(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`(?m)^package ([a-z0-9.]+);|^service ([A-Za-z]+) `)
	services, fields := 0, 0
	err := filepath.WalkDir("../../../../proto/samvirke", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".proto") {
			return err
		}
		raw, err := os.ReadFile(path)
		var of string
		for _, m := range form.FindAllSubmatch(raw, -1) {
			if len(m[1]) > 0 {
				of = string(m[1])
				continue
			}
			services++
			found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(of + "." + string(m[2])))
			if err != nil {
				t.Errorf("%s: service %s.%s: add its schema to schemas.go", path, of, m[2])
				continue
			}
			fields += inWords(t, found)
		}
		return err
	})
	if err != nil || services < 10 || fields < 100 {
		t.Fatalf("%d services, %d fields: %v", services, fields, err)
	}
}

func inWords(t *testing.T, service protoreflect.Descriptor) (fields int) {
	t.Helper()
	sd, ok := service.(protoreflect.ServiceDescriptor)
	if !ok {
		t.Fatalf("%s is no service", service.FullName())
	}
	for i := range sd.Methods().Len() {
		rpc := string(sd.FullName()) + "/" + string(sd.Methods().Get(i).Name())
		paths(sd.Methods().Get(i).Output(), "", 6, func(path string) {
			fields++
			rule, ok := ruleOf(rpc, path)
			if !ok {
				t.Errorf("%s: %s has no rule beside it", rpc, path)
				return
			}
			if _, personal := dataText(rpc, path, English); !personal {
				return
			}
			if _, ok := terms()[rule.GetDpv()]; !ok {
				t.Errorf("%s: %s is told by its name: want a DPV term with words", rpc, path)
			}
		})
	}
	return fields
}

// paths calls fn for every field at any depth.
func paths(m protoreflect.MessageDescriptor, before string, depth int, fn func(string)) {
	if depth == 0 || !strings.HasPrefix(string(m.FullName()), "samvirke.") {
		return
	}
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		fn(before + string(f.Name()))
		if sub := f.Message(); sub != nil {
			paths(sub, before+string(f.Name())+".", depth-1, fn)
		}
	}
}
