package agreement

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"buf.build/go/protovalidate"
	"buf.build/go/protoyaml"

	"google.golang.org/protobuf/proto"

	agreementv1 "samvirke.dev/proto/gen/go/samvirke/agreement/v1"
	"samvirke.dev/services/platform/authz"
)

// maxFile bounds an agreement file, in bytes.
const maxFile = 1 << 20

// Load reads every *.yaml file of the folder, one agreement a file. It reports every problem of every file at once; with
// any problem there is no set. A folder without agreements is an error: without policy nothing opens.
func Load(fsys fs.FS, methods authz.Methods) (*Set, error) {
	files, err := read(fsys)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errors.New("agreements: the folder holds no *.yaml file")
	}
	validator, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("agreements: %w", err)
	}
	var problems []error
	var list []*Agreement
	for _, f := range files {
		a, errs := parse(f, validator, methods)
		for _, err := range errs {
			problems = append(problems, fmt.Errorf("%s: %w", f.name, err))
		}
		if a != nil {
			list = append(list, a)
		}
	}
	set, errs := newSet(list)
	problems = append(problems, errs...)
	if len(problems) > 0 {
		return nil, fmt.Errorf("agreements: %w", errors.Join(problems...))
	}
	set.digest = digestFiles(files)
	return set, nil
}

type file struct {
	name string
	data []byte
}

func read(fsys fs.FS) ([]file, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("agreements: %w", err)
	}
	var files []file
	for _, entry := range entries {
		if path.Ext(entry.Name()) != ".yaml" || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		info, err := fs.Stat(fsys, entry.Name())
		if err != nil {
			return nil, fmt.Errorf("agreements: %w", err)
		}
		if info.IsDir() {
			continue
		}
		if info.Size() > maxFile {
			return nil, fmt.Errorf("agreements: %s is larger than %d bytes", entry.Name(), maxFile)
		}
		data, err := fs.ReadFile(fsys, entry.Name())
		if err != nil {
			return nil, fmt.Errorf("agreements: %w", err)
		}
		files = append(files, file{entry.Name(), data})
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return files, nil
}

func parse(f file, validator protovalidate.Validator, methods authz.Methods) (*Agreement, []error) {
	a := &agreementv1.Agreement{}
	options := protoyaml.UnmarshalOptions{Path: f.name, Validator: adapter{validator}}
	if err := options.Unmarshal(f.data, a); err != nil {
		return nil, []error{err}
	}
	compiled, problems := compile(a, methods)
	if len(problems) > 0 {
		return nil, problems
	}
	return compiled, nil
}

func digestFiles(files []file) [sha256.Size]byte {
	h := sha256.New()
	for _, f := range files {
		// A hash takes every write.
		_, _ = fmt.Fprintf(h, "%d %s %d ", len(f.name), f.name, len(f.data))
		_, _ = h.Write(f.data)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// adapter gives protoyaml the older form of the validator's method that it asks for.
type adapter struct{ protovalidate.Validator }

// Validate implements protoyaml.Validator.
func (a adapter) Validate(m proto.Message) error { return a.Validator.Validate(m) }
