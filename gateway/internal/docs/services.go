package docs

import (
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// services are the full names of the services of our schemas, by their short names, which are unique.
func services() map[string]string {
	out := map[string]string{}
	protoregistry.GlobalFiles.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		for i := range fd.Services().Len() {
			name := fd.Services().Get(i).FullName()
			if name.Parent().Parent().Parent() == "samvirke" {
				out[string(name.Name())] = string(name)
			}
		}
		return true
	})
	return out
}
