# The verbs of this project. Continuous integration calls the same ones.
BIN := $(CURDIR)/.bin
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/samvirke
VAULT := $(CACHE)/vault-v1.21.2
MODULES := proto certs services gateway deploy
export PATH := $(BIN):$(PATH)

.PHONY: gen lint test e2e bench run verify tools vault fuzz

# tools builds the pinned tools; each is a module of its own, because they want other versions than we do.
tools: $(BIN)/buf $(BIN)/golangci-lint $(BIN)/protoc-gen-go

$(BIN)/buf: deploy/tools/buf/go.mod
	cd deploy/tools/buf && GOWORK=off GOBIN=$(BIN) go install tool

$(BIN)/golangci-lint: deploy/tools/lint/go.mod
	cd deploy/tools/lint && GOWORK=off GOBIN=$(BIN) go install tool

$(BIN)/protoc-gen-go: deploy/tools/gen/go.mod deploy/tools/gen/main.go
	cd deploy/tools/gen && GOWORK=off GOBIN=$(BIN) go install . tool

# vault builds a real Vault server for tests, once, and prints where it is.
vault: $(VAULT)
	@echo $(VAULT)

$(VAULT):
	@mkdir -p $(CACHE)
	@cd deploy/tools/vault && GOWORK=off go build -tags minimal -trimpath -ldflags "-s -w" -o $@.new github.com/hashicorp/vault >&2 && mv $@.new $@

# gen regenerates everything that is generated.
gen: $(BIN)/buf $(BIN)/protoc-gen-go
	$(BIN)/gen .proto-imports
	$(BIN)/buf generate

lint: $(BIN)/buf $(BIN)/golangci-lint $(BIN)/protoc-gen-go
	@[ -d .proto-imports ] || $(BIN)/gen .proto-imports
	$(BIN)/buf lint
	@set -e; for m in $(MODULES); do echo "lint $$m"; (cd $$m && $(BIN)/golangci-lint run ./...); done

test:
	go test work

# e2e is the part of the tests that starts whole programs.
e2e:
	go test -count=1 ./deploy/...

# fuzz tries every fuzz target for a while: make fuzz FOR=1m
FOR ?= 20s
fuzz:
	deploy/tools/fuzz.sh $(FOR)

bench:
	go run ./deploy/bench

run:
	go run ./deploy/sandbox

# verify is what continuous integration asks of a change, less the real Vault.
verify: gen lint test
	@[ -z "$$(git status --porcelain)" ] || { git status --short; echo "the tree is not clean"; exit 1; }
