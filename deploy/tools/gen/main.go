// Command gen writes the .proto files that our schemas import, from the descriptors that the pinned Go modules carry, so
// that neither a schema registry nor copied schema text is needed.
//
// Usage: gen OUTPUT-FOLDER
package main

import (
	"fmt"
	"os"
	"path/filepath"

	validatepb "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"github.com/jhump/protoreflect/v2/protoprint"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen OUTPUT-FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// write prints every imported file below dir, replacing what was there.
func write(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	printer := protoprint.Printer{}
	for _, file := range []protoreflect.FileDescriptor{
		annotations.File_google_api_annotations_proto,
		annotations.File_google_api_http_proto,
		validatepb.File_buf_validate_validate_proto,
	} {
		text, err := printer.PrintProtoToString(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file.Path(), err)
		}
		path := filepath.Join(dir, filepath.FromSlash(file.Path()))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
