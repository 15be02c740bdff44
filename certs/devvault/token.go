package devvault

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"samvirke.dev/certs/internal/clock"
)

// token is a client token with its limits.
type token struct {
	id, accessor, parent, display, path string
	policies                            []string
	meta                                map[string]string
	issued, expires                     time.Time
	// life is what a renewal gives, max the longest life from issue on, period the life of a token without max.
	life, max, period time.Duration
	renewable         bool
	uses              int
	limited           bool
}

func (t *token) isRoot() bool { return slices.Contains(t.policies, "root") }

func (t *token) ttl() time.Duration {
	if t.expires.IsZero() {
		return 0
	}
	return max(t.expires.Sub(clock.Now()), 0)
}

// tokenStore serves auth/token/.
type tokenStore struct {
	core     *core
	byID     map[string]*token
	accessor map[string]string
}

func newTokenStore(c *core) *tokenStore {
	s := &tokenStore{core: c, byID: map[string]*token{}, accessor: map[string]string{}}
	s.add(&token{policies: []string{"root"}, display: "root", path: "auth/token/root"})
	return s
}

func (s *tokenStore) root() *token {
	for _, t := range s.byID {
		if t.isRoot() {
			return t
		}
	}
	return nil
}

// add gives the token its id and accessor and keeps it.
func (s *tokenStore) add(t *token) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	draw := func(n int) string {
		b := randomBytes(n)
		for i := range b {
			b[i] = letters[int(b[i])%len(letters)]
		}
		return string(b)
	}
	t.id, t.accessor, t.issued = "hvs."+draw(28), draw(24), clock.Now()
	if t.life > 0 {
		t.expires = t.issued.Add(t.life)
	}
	s.byID[t.id] = t
	s.accessor[t.accessor] = t.id
}

// find is the live token of an id; one whose time is up is gone, with its children.
func (s *tokenStore) find(id string) *token {
	t, ok := s.byID[id]
	if !ok {
		return nil
	}
	if !t.expires.IsZero() && !clock.Now().Before(t.expires) {
		s.revoke(id)
		return nil
	}
	return t
}

// use is find for a request: it counts against the token's uses.
func (s *tokenStore) use(id string) *token {
	t := s.find(id)
	if t == nil || !t.limited {
		return t
	}
	if t.uses--; t.uses <= 0 {
		s.revoke(id)
	}
	return t
}

func (s *tokenStore) revoke(id string) {
	t, ok := s.byID[id]
	if !ok {
		return
	}
	delete(s.byID, id)
	delete(s.accessor, t.accessor)
	for child, c := range s.byID {
		if c.parent == id {
			s.revoke(child)
		}
	}
}

func (s *tokenStore) open(operation, string) bool { return false }

func (s *tokenStore) exists(string) (known, exists bool) { return false, false }

func (s *tokenStore) handle(req *request) (*response, error) {
	write := req.op == opUpdate || req.op == opCreate
	switch {
	case req.path == "lookup-self" && req.op == opRead:
		return &response{data: s.describe(req.token)}, nil
	case req.path == "lookup" && write:
		t := s.find(req.body.text("token"))
		if t == nil {
			return nil, fail(http.StatusForbidden, "bad token")
		}
		return &response{data: s.describe(t)}, nil
	case req.path == "renew-self" && write:
		return s.renew(req)
	case req.path == "revoke-self" && write:
		s.revoke(req.token.id)
		return nil, nil
	case req.path == "revoke" && write:
		if s.find(req.body.text("token")) == nil {
			return nil, fail(http.StatusBadRequest, "token to revoke not found")
		}
		s.revoke(req.body.text("token"))
		return nil, nil
	case req.path == "revoke-accessor" && write:
		id, ok := s.accessor[req.body.text("accessor")]
		if !ok {
			return nil, fail(http.StatusBadRequest, "invalid accessor")
		}
		s.revoke(id)
		return nil, nil
	case req.path == "create" && write:
		return s.create(req)
	default:
		return nil, errUnknownPath()
	}
}

func (s *tokenStore) describe(t *token) map[string]any {
	data := map[string]any{
		"id": t.id, "accessor": t.accessor, "policies": t.policies, "path": t.path, "meta": t.meta, "display_name": t.display,
		"num_uses": t.uses, "orphan": t.parent == "", "creation_time": t.issued.Unix(), "creation_ttl": seconds(t.life),
		"ttl": seconds(t.ttl()), "explicit_max_ttl": 0, "entity_id": "", "type": "service", "renewable": t.renewable, "expire_time": nil,
	}
	if !t.expires.IsZero() {
		data["expire_time"] = t.expires.Format(time.RFC3339Nano)
		data["issue_time"] = t.issued.Format(time.RFC3339Nano)
	}
	if t.period > 0 {
		data["period"] = seconds(t.period)
	}
	return data
}

// auth is the block that a login, a creation and a renewal answer with.
func (s *tokenStore) auth(t *token) map[string]any {
	return map[string]any{
		"client_token": t.id, "accessor": t.accessor, "policies": t.policies, "token_policies": t.policies, "metadata": t.meta,
		"lease_duration": seconds(t.ttl().Round(time.Second)), "renewable": t.renewable, "entity_id": "", "token_type": "service",
		"orphan": t.parent == "", "mfa_requirement": nil, "num_uses": t.uses,
	}
}

func (s *tokenStore) renew(req *request) (*response, error) {
	t := req.token
	if t.expires.IsZero() {
		return nil, fail(http.StatusBadRequest, "invalid lease ID")
	}
	if !t.renewable {
		return nil, fail(http.StatusBadRequest, "lease is not renewable")
	}
	wish, err := req.body.duration("increment", 0)
	if err != nil {
		return nil, err
	}
	life := t.life
	if wish > 0 && t.period == 0 {
		life = wish
	}
	if t.period > 0 {
		life = t.period
	}
	now := clock.Now()
	end := now.Add(life)
	limit := t.max
	if limit == 0 {
		limit = maxLease
	}
	var warnings []string
	if last := t.issued.Add(limit); t.period == 0 && end.After(last) {
		end = last
		warnings = append(warnings, "TTL exceeded the effective max_ttl; TTL value is capped accordingly")
	}
	t.expires = end
	return &response{auth: s.auth(t), warnings: warnings}, nil
}

func (s *tokenStore) create(req *request) (*response, error) {
	b := req.body
	if err := b.only("a token", "policies", "ttl", "explicit_max_ttl", "period", "renewable", "num_uses", "display_name", "meta", "no_parent", "no_default_policy", "type"); err != nil {
		return nil, err
	}
	root := req.token.isRoot()
	orphan, err := b.flag("no_parent", false)
	if err != nil {
		return nil, err
	}
	if orphan && !root {
		return nil, fail(http.StatusBadRequest, "root or sudo privileges required to create orphan token")
	}
	t := &token{display: strings.TrimSuffix("token-"+b.text("display_name"), "-"), path: "auth/token/create", parent: req.token.id}
	if orphan {
		t.parent = ""
	}
	if t.policies, err = childPolicies(req, root); err != nil {
		return nil, err
	}
	if err := limits(t, b); err != nil {
		return nil, err
	}
	s.add(t)
	return &response{auth: s.auth(t)}, nil
}

func childPolicies(req *request, root bool) ([]string, error) {
	names := req.body.list("policies")
	if len(names) == 0 {
		return slices.Clone(req.token.policies), nil
	}
	without, err := req.body.flag("no_default_policy", false)
	if err != nil {
		return nil, err
	}
	if !root {
		for _, n := range names {
			if !slices.Contains(req.token.policies, n) {
				return nil, fail(http.StatusBadRequest, "child policies must be subset of parent")
			}
		}
	}
	return tokenPolicies(names, !without && !slices.Contains(names, "root")), nil
}

func tokenPolicies(names []string, withDefault bool) []string {
	out := slices.Clone(names)
	if withDefault {
		out = append(out, "default")
	}
	for i := range out {
		out[i] = strings.ToLower(out[i])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func limits(t *token, b params) error {
	var err error
	if t.life, err = b.duration("ttl", 0); err != nil {
		return err
	}
	if t.max, err = b.duration("explicit_max_ttl", 0); err != nil {
		return err
	}
	if t.period, err = b.duration("period", 0); err != nil {
		return err
	}
	if t.renewable, err = b.flag("renewable", true); err != nil {
		return err
	}
	if t.uses, err = b.number("num_uses", 0); err != nil {
		return err
	}
	t.limited = t.uses > 0
	if t.isRoot() && t.life == 0 {
		t.renewable = false
		return nil
	}
	return t.settle()
}

// settle turns the wished life into the granted one.
func (t *token) settle() error {
	switch {
	case t.period > 0:
		t.life = t.period
	case t.life == 0:
		t.life = maxLease
	}
	longest := maxLease
	if t.max > 0 {
		longest = min(t.max, maxLease)
	}
	t.life = min(t.life, longest)
	return nil
}
