package docs

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Example is what a route takes and gives, for those who read and for tests.
type Example struct {
	RPC               string // package.Service/Method
	Request, Response json.RawMessage
}

// Examples returns all examples, by file name.
func Examples() ([]Example, error) {
	files, err := examples.ReadDir("examples")
	if err != nil {
		return nil, err
	}
	var out []Example
	for _, f := range files {
		id := strings.TrimSuffix(f.Name(), ".json")
		raw, err := examples.ReadFile("examples/" + f.Name())
		if err != nil {
			return nil, err
		}
		var e example
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, fmt.Errorf("example %s: %w", id, err)
		}
		rpc, ok := rpcOf(object{"operationId": id})
		if !ok {
			return nil, fmt.Errorf("example %s belongs to no RPC", id)
		}
		out = append(out, Example{RPC: rpc, Request: e.Request, Response: e.Response})
	}
	return out, nil
}
