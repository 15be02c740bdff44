# The verbs of this project. Continuous integration calls the same ones.
BIN := $(CURDIR)/.bin
export PATH := $(BIN):$(PATH)

.PHONY: gen lint test e2e bench run verify tools

tools: $(BIN)/buf $(BIN)/golangci-lint $(BIN)/protoc-gen-go

$(BIN)/buf: deploy/tools/buf/go.mod
	cd deploy/tools/buf && GOWORK=off GOBIN=$(BIN) go install tool

$(BIN)/golangci-lint: deploy/tools/lint/go.mod
	cd deploy/tools/lint && GOWORK=off GOBIN=$(BIN) go install tool

$(BIN)/protoc-gen-go: deploy/tools/gen/go.mod deploy/tools/gen/main.go
	cd deploy/tools/gen && GOWORK=off GOBIN=$(BIN) go install . tool

# gen regenerates everything that is generated.
gen: $(BIN)/buf $(BIN)/protoc-gen-go
	$(BIN)/gen .proto-imports
	buf generate
