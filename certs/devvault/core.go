package devvault

import (
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"samvirke.dev/certs/internal/clock"
)

// version is what this server calls itself on the health page.
const version = "devvault"

// maxLease is Vault's default for the longest life of anything: 32 days.
const maxLease = 768 * time.Hour

// backend serves the paths below one mount. All calls are made under the core's lock.
type backend interface {
	handle(req *request) (*response, error)
	// open reports whether a path is served without a token.
	open(op operation, path string) bool
	// exists tells a create from an update where Vault does.
	exists(path string) (known, exists bool)
}

// mount is a backend at a path, which ends in a slash.
type mount struct {
	backend      backend
	kind         string
	accessor     string
	description  string
	defaultLease time.Duration
	maxLease     time.Duration
}

// core is all state of a server behind one lock: it serves tests and sandboxes, where simple beats fast.
type core struct {
	unsealKey string

	mu       sync.Mutex
	sealed   bool
	mounts   map[string]*mount
	policies map[string]*policy
	tokens   *tokenStore
}

func newCore(unsealKey string) *core {
	c := &core{unsealKey: unsealKey, mounts: map[string]*mount{}, policies: map[string]*policy{}}
	c.tokens = newTokenStore(c)
	c.policies["default"] = defaultPolicy()
	c.mounts["sys/"] = newMount(&sysBackend{core: c}, "system")
	c.mounts["auth/token/"] = newMount(c.tokens, "token")
	return c
}

func newMount(b backend, kind string) *mount {
	return &mount{backend: b, kind: kind, accessor: kind + "_" + newUUID()[:8], defaultLease: maxLease, maxLease: maxLease}
}

func (c *core) seal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sealed = true
}

func (c *core) unseal(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if subtle.ConstantTimeCompare([]byte(key), []byte(c.unsealKey)) != 1 {
		return false
	}
	c.sealed = false
	return true
}

// handle judges a request in Vault's order: seal, token, policy, and only then whether the path exists.
func (c *core) handle(req *request, tokenID string) (*response, error) {
	if resp, ok, err := c.beforeSeal(req); ok {
		return resp, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sealed {
		return nil, errSealed()
	}
	at, m := c.route(req.full)
	if m != nil {
		req.path = strings.TrimPrefix(req.full, at)
		if m.backend.open(req.op, req.path) {
			return m.backend.handle(req)
		}
	}
	if tokenID == "" {
		return nil, fail(http.StatusForbidden, "permission denied")
	}
	if req.token = c.tokens.use(tokenID); req.token == nil {
		return nil, errBadToken()
	}
	if m != nil && req.op == opUpdate {
		if known, exists := m.backend.exists(req.path); known && !exists {
			req.op = opCreate
		}
	}
	if !c.permitted(req) {
		return nil, errDenied()
	}
	if m == nil {
		return nil, errNoRoute(req.full)
	}
	return m.backend.handle(req)
}

// permitted asks the token's policies; endpoints that Vault guards by "sudo" want that capability as well.
func (c *core) permitted(req *request) bool {
	if req.token.isRoot() {
		return true
	}
	set := c.policySet(req.token)
	caps := set.capabilities(req.full, req.op == opList)
	if !slices.Contains(caps, string(req.op)) {
		return false
	}
	return !needsSudo(req.full) || slices.Contains(caps, "sudo")
}

func (c *core) policySet(t *token) policySet {
	var set policySet
	for _, name := range t.policies {
		if p, ok := c.policies[name]; ok {
			set = append(set, p)
		}
	}
	return set
}

func needsSudo(path string) bool {
	return path == "sys/seal" || strings.HasPrefix(path, "sys/auth/") || path == "auth/token/create-orphan"
}

func (c *core) route(full string) (string, *mount) {
	best := ""
	for at := range c.mounts {
		if len(at) > len(best) && (strings.HasPrefix(full, at) || full+"/" == at) {
			best = at
		}
	}
	if best == "" {
		return "", nil
	}
	return best, c.mounts[best]
}

// beforeSeal serves what Vault serves while sealed.
func (c *core) beforeSeal(req *request) (resp *response, served bool, err error) {
	switch {
	case req.full == "sys/health" && req.op == opRead:
		return c.health(req), true, nil
	case req.full == "sys/seal-status" && req.op == opRead:
		return plainJSON(http.StatusOK, c.sealStatus()), true, nil
	case req.full == "sys/init" && req.op == opRead:
		return plainJSON(http.StatusOK, map[string]any{"initialized": true}), true, nil //nolint:misspell // Vault's spelling
	case req.full == "sys/init" && req.op == opUpdate:
		return nil, true, fail(http.StatusBadRequest, "Vault is already initialized") //nolint:misspell // Vault's spelling
	case req.full == "sys/unseal" && req.op == opUpdate:
		key := req.body.text("key")
		if key == "" {
			return nil, true, fail(http.StatusBadRequest, "'key' must be specified in request body as JSON, or 'reset' set to true")
		}
		if !c.unseal(key) {
			return nil, true, fail(http.StatusBadRequest, "'key' must be a valid hex or base64 string")
		}
		return plainJSON(http.StatusOK, c.sealStatus()), true, nil
	default:
		return nil, false, nil
	}
}

func (c *core) isSealed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sealed
}

func (c *core) health(req *request) *response {
	sealed := c.isSealed()
	status := http.StatusOK
	if sealed {
		status = http.StatusServiceUnavailable
		if v := req.query["sealedcode"]; len(v) > 0 {
			p := params{"code": v[0]}
			if n, err := p.number("code", status); err == nil && n >= 200 && n < 600 {
				status = n
			}
		}
	}
	return plainJSON(status, map[string]any{
		"initialized": true, "sealed": sealed, "standby": sealed, "performance_standby": false, "enterprise": false, //nolint:misspell // Vault's spelling
		"server_time_utc": clock.Now().Unix(), "version": version, "cluster_name": "devvault", "cluster_id": "",
	})
}

func (c *core) sealStatus() map[string]any {
	return map[string]any{
		"type": "shamir", "initialized": true, "sealed": c.isSealed(), "t": 1, "n": 1, "progress": 0, "nonce": "", //nolint:misspell // Vault's spelling
		"version": version, "storage_type": "inmem",
	}
}
