package devvault

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// sysBackend serves sys/ once unsealed.
type sysBackend struct{ core *core }

func (b *sysBackend) open(operation, string) bool { return false }

func (b *sysBackend) exists(string) (known, exists bool) { return false, false }

func (b *sysBackend) handle(req *request) (*response, error) {
	head, rest, _ := strings.Cut(req.path, "/")
	switch {
	case req.path == "seal" && req.op == opUpdate:
		b.core.sealed = true
		return nil, nil
	case head == "mounts":
		return b.table(req, rest, "")
	case head == "auth":
		return b.table(req, rest, "auth/")
	case strings.HasPrefix(req.path, "policies/acl"):
		return b.policies(req, strings.Trim(strings.TrimPrefix(req.path, "policies/acl"), "/"))
	default:
		return nil, errUnknownPath()
	}
}

// table serves sys/mounts and sys/auth, which differ in the prefix of the path and in the kinds offered.
func (b *sysBackend) table(req *request, at, prefix string) (*response, error) {
	if tuned, ok := strings.CutSuffix(at, "/tune"); ok {
		return b.tune(req, prefix+tuned+"/")
	}
	if at == "" {
		if req.op != opRead {
			return nil, errUnsupported()
		}
		return b.listing(prefix), nil
	}
	full := prefix + strings.Trim(at, "/") + "/"
	switch req.op {
	case opRead:
		m, ok := b.core.mounts[full]
		if !ok {
			return nil, fail(http.StatusBadRequest, "No secret engine mount at %s", full)
		}
		return &response{data: describe(m), flat: true}, nil
	case opUpdate:
		return nil, b.mount(req, full, prefix == "auth/")
	case opDelete:
		if m, ok := b.core.mounts[full]; ok && m.kind != "system" && m.kind != "token" {
			delete(b.core.mounts, full)
		}
		return nil, nil
	case opCreate, opList:
		return nil, errUnsupported()
	default:
		return nil, errUnsupported()
	}
}

func (b *sysBackend) listing(prefix string) *response {
	data := map[string]any{}
	for at, m := range b.core.mounts {
		name, auth := strings.CutPrefix(at, "auth/")
		switch {
		case auth && prefix == "auth/":
			data[name] = describe(m)
		case !auth && prefix == "":
			data[at] = describe(m)
		}
	}
	return &response{data: data, flat: true}
}

func describe(m *mount) map[string]any {
	return map[string]any{
		"type": m.kind, "accessor": m.accessor, "description": m.description, "local": false, "seal_wrap": false,
		"options": nil, "config": leaseConfig(m),
	}
}

func leaseConfig(m *mount) map[string]any {
	return map[string]any{"default_lease_ttl": seconds(m.defaultLease), "max_lease_ttl": seconds(m.maxLease), "force_no_cache": false}
}

func (b *sysBackend) mount(req *request, full string, auth bool) error {
	if err := req.body.only("a mount", "type", "description", "config", "options", "local", "seal_wrap", "external_entropy_access", "plugin_name"); err != nil {
		return err
	}
	for at := range b.core.mounts {
		if at == full || strings.HasPrefix(at, full) || strings.HasPrefix(full, at) {
			return fail(http.StatusBadRequest, "path is already in use at %s", at)
		}
	}
	kind := req.body.text("type")
	m := newMount(nil, kind)
	m.description = req.body.text("description")
	switch {
	case kind == "approle" && auth:
		m.backend = newAppRole(b.core.tokens, full)
	case kind == "pki" && !auth:
		m.backend = newPKI(m)
	case kind == "transit" && !auth:
		m.backend = newTransit()
	default:
		return fail(http.StatusBadRequest, "plugin not found in the catalog: %s", kind)
	}
	cfg, _ := req.body["config"].(map[string]any)
	if err := applyTune(m, cfg); err != nil {
		return err
	}
	b.core.mounts[full] = m
	return nil
}

func (b *sysBackend) tune(req *request, full string) (*response, error) {
	m, ok := b.core.mounts[full]
	switch {
	case !ok:
		return nil, fail(http.StatusBadRequest, "cannot fetch sysview for path %q", full)
	case req.op == opRead:
		return &response{data: leaseConfig(m), flat: true}, nil
	case req.op == opUpdate:
		return nil, applyTune(m, req.body)
	default:
		return nil, errUnsupported()
	}
}

func applyTune(m *mount, cfg params) error {
	for k, v := range cfg {
		// The library's client sends every field of its structure; only the set ones mean something.
		if empty(v) || slices.Contains([]string{"default_lease_ttl", "max_lease_ttl", "description", "options"}, k) {
			continue
		}
		return errNotOffered(fmt.Sprintf("mount setting %q", k))
	}
	var err error
	if m.defaultLease, err = cfg.duration("default_lease_ttl", m.defaultLease); err != nil {
		return err
	}
	if m.maxLease, err = cfg.duration("max_lease_ttl", m.maxLease); err != nil {
		return err
	}
	if m.maxLease == 0 {
		m.maxLease = maxLease
	}
	if m.defaultLease == 0 || m.defaultLease > m.maxLease {
		m.defaultLease = min(maxLease, m.maxLease)
	}
	return nil
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	default:
		return false
	}
}

func (b *sysBackend) policies(req *request, name string) (*response, error) {
	name = strings.ToLower(name)
	switch {
	case name == "" && (req.op == opList || req.op == opRead):
		keys := append(slices.Sorted(maps.Keys(b.core.policies)), "root")
		return &response{data: map[string]any{"keys": keys}}, nil
	case name == "":
		return nil, errUnsupported()
	case req.op == opRead:
		p, ok := b.core.policies[name]
		if !ok {
			return nil, errNotFound()
		}
		return &response{data: map[string]any{"name": name, "policy": p.text}}, nil
	case req.op == opUpdate:
		if name == "root" {
			return nil, fail(http.StatusBadRequest, "cannot update %q policy", name)
		}
		p, err := parsePolicy(name, req.body.text("policy"))
		if err != nil {
			return nil, fail(http.StatusBadRequest, "%s", err)
		}
		b.core.policies[name] = p
		return nil, nil
	case req.op == opDelete:
		if name == "root" || name == "default" {
			return nil, fail(http.StatusBadRequest, "cannot delete %q policy", name)
		}
		delete(b.core.policies, name)
		return nil, nil
	default:
		return nil, errUnsupported()
	}
}

// leaseWithin clips a wished life to what a mount allows; zero takes the mount's default.
func leaseWithin(wish time.Duration, m *mount) (d time.Duration, clipped bool) {
	if wish == 0 {
		wish = m.defaultLease
	}
	return min(wish, m.maxLease), wish > m.maxLease
}
