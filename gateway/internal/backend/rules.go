package backend

import (
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// serviceConfig is gRPC's service config of a connection: calls are spread over all addresses that the name resolves to, and each has a
// deadline, but for streams, which last as long as their callers.
func serviceConfig(service string, deadline time.Duration) (string, error) {
	type m = map[string]any
	methods := []m{{"name": []m{{}}, "timeout": fmt.Sprintf("%.9fs", deadline.Seconds())}}
	protoregistry.GlobalFiles.RangeFilesByPackage(protoreflect.FullName("samvirke."+service+".v1"), func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				if md := s.Methods().Get(j); md.IsStreamingClient() || md.IsStreamingServer() {
					methods = append(methods, m{"name": []m{{"service": s.FullName(), "method": md.Name()}}})
				}
			}
		}
		return true
	})
	raw, err := json.Marshal(m{"loadBalancingConfig": []m{{"round_robin": m{}}}, "methodConfig": methods})
	return string(raw), err
}
