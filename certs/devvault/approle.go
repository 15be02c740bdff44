package devvault

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"samvirke.dev/certs/internal/clock"
)

// sweep is how long Vault may take to forget an expired secret id.
const sweep = time.Minute

// appRole serves auth/approle/.
type appRole struct {
	tokens *tokenStore
	at     string
	roles  map[string]*role
}

type role struct {
	name, id  string
	policies  []string
	ttl, max  time.Duration
	period    time.Duration
	tokenUses int
	noDefault bool
	secretTTL time.Duration
	uses      int
	bind      bool
	// secrets is by hash: not even this server keeps a secret id that it could print.
	secrets map[string]*secretID
}

type secretID struct {
	accessor        string
	created, expire time.Time
	ttl             time.Duration
	uses            int
	limited         bool
}

func newAppRole(tokens *tokenStore, at string) *appRole {
	return &appRole{tokens: tokens, at: at, roles: map[string]*role{}}
}

func (a *appRole) open(op operation, path string) bool { return path == "login" && op == opUpdate }

func (a *appRole) exists(path string) (known, exists bool) {
	name, ok := strings.CutPrefix(path, "role/")
	if !ok || strings.Contains(name, "/") {
		return false, false
	}
	_, exists = a.roles[strings.ToLower(name)]
	return true, exists
}

func (a *appRole) handle(req *request) (*response, error) {
	switch {
	case req.path == "login":
		return a.login(req)
	case req.path == "role" && req.op == opList:
		if len(a.roles) == 0 {
			return nil, errNotFound()
		}
		return &response{data: map[string]any{"keys": slices.Sorted(maps.Keys(a.roles))}}, nil
	}
	rest, ok := strings.CutPrefix(req.path, "role/")
	if !ok {
		return nil, errUnknownPath()
	}
	name, sub, _ := strings.Cut(rest, "/")
	name = strings.ToLower(name)
	if sub == "" {
		return a.role(req, name)
	}
	r, ok := a.roles[name]
	if !ok {
		if req.op == opRead || req.op == opList {
			return nil, errNotFound()
		}
		return nil, fail(http.StatusNotFound, "role %q does not exist", name)
	}
	switch {
	case sub == "role-id":
		return r.roleID(req)
	case sub == "secret-id":
		return r.secretIDs(req)
	case strings.HasPrefix(sub, "secret-id") && (req.op == opUpdate || req.op == opCreate):
		return r.secretAction(req, sub)
	default:
		return nil, errUnknownPath()
	}
}

func (a *appRole) role(req *request, name string) (*response, error) {
	r, ok := a.roles[name]
	switch req.op {
	case opRead:
		if !ok {
			return nil, errNotFound()
		}
		return &response{data: map[string]any{
			"bind_secret_id": r.bind, "token_policies": r.policies, "token_ttl": seconds(r.ttl), "token_max_ttl": seconds(r.max),
			"token_period": seconds(r.period), "token_num_uses": r.tokenUses, "secret_id_ttl": seconds(r.secretTTL),
			"secret_id_num_uses": r.uses, "token_no_default_policy": r.noDefault, "token_type": "default", "local_secret_ids": false,
		}}, nil
	case opDelete:
		delete(a.roles, name)
		return nil, nil
	case opCreate, opUpdate:
		if !ok {
			r = &role{name: name, id: newUUID(), bind: true, secrets: map[string]*secretID{}}
		}
		next := *r
		if err := next.change(req.body); err != nil {
			return nil, err
		}
		a.roles[name] = &next
		return nil, nil
	case opList:
		return nil, errUnsupported()
	default:
		return nil, errUnsupported()
	}
}

func (r *role) change(b params) error {
	err := b.only("an AppRole", "bind_secret_id", "token_policies", "token_ttl", "token_max_ttl", "token_period", "token_num_uses",
		"token_no_default_policy", "token_type", "secret_id_ttl", "secret_id_num_uses", "role_id")
	if err != nil {
		return err
	}
	r.policies = b.listOr("token_policies", r.policies)
	r.id = b.textOr("role_id", r.id)
	for name, into := range map[string]*time.Duration{
		"token_ttl": &r.ttl, "token_max_ttl": &r.max, "token_period": &r.period, "secret_id_ttl": &r.secretTTL,
	} {
		if *into, err = b.duration(name, *into); err != nil {
			return err
		}
	}
	for name, into := range map[string]*int{"token_num_uses": &r.tokenUses, "secret_id_num_uses": &r.uses} {
		if *into, err = b.number(name, *into); err != nil {
			return err
		}
	}
	if r.noDefault, err = b.flag("token_no_default_policy", r.noDefault); err != nil {
		return err
	}
	if r.bind, err = b.flag("bind_secret_id", r.bind); err != nil {
		return err
	}
	if !r.bind {
		return errNotOffered("roles without a secret id")
	}
	if r.max > 0 && r.ttl > r.max {
		return fail(http.StatusBadRequest, "'token_ttl' cannot be greater than 'token_max_ttl'")
	}
	if t := b.text("token_type"); t != "" && t != "service" && t != "default" {
		return errNotOffered("token type " + t)
	}
	return nil
}

func (r *role) roleID(req *request) (*response, error) {
	switch req.op {
	case opRead:
		return &response{data: map[string]any{"role_id": r.id}}, nil
	case opUpdate, opCreate:
		if r.id = req.body.text("role_id"); r.id == "" {
			return nil, fail(http.StatusBadRequest, "missing role_id")
		}
		return nil, nil
	case opDelete, opList:
		return nil, errUnsupported()
	default:
		return nil, errUnsupported()
	}
}

func (r *role) secretIDs(req *request) (*response, error) {
	switch req.op {
	case opList:
		if len(r.secrets) == 0 {
			return nil, errNotFound()
		}
		var keys []string
		for _, s := range r.secrets {
			keys = append(keys, s.accessor)
		}
		slices.Sort(keys)
		return &response{data: map[string]any{"keys": keys}}, nil
	case opUpdate, opCreate:
		return r.mint(req.body)
	case opRead, opDelete:
		return nil, errUnsupported()
	default:
		return nil, errUnsupported()
	}
}

func (r *role) mint(b params) (*response, error) {
	if err := b.only("a secret id", "metadata", "ttl", "num_uses"); err != nil {
		return nil, err
	}
	s := &secretID{accessor: newUUID(), created: clock.Now()}
	var err error
	if s.ttl, err = b.duration("ttl", r.secretTTL); err != nil {
		return nil, err
	}
	if s.uses, err = b.number("num_uses", r.uses); err != nil {
		return nil, err
	}
	if r.uses > 0 && (s.uses == 0 || s.uses > r.uses) {
		return nil, fail(http.StatusBadRequest, "num_uses cannot be higher than the role's secret_id_num_uses")
	}
	if r.secretTTL > 0 && (s.ttl == 0 || s.ttl > r.secretTTL) {
		return nil, fail(http.StatusBadRequest, "ttl cannot be longer than the role's secret_id_ttl")
	}
	s.limited = s.uses > 0
	if s.ttl > 0 {
		s.expire = s.created.Add(s.ttl)
	}
	id := newUUID()
	r.secrets[hashSecret(id)] = s
	return &response{data: map[string]any{
		"secret_id": id, "secret_id_accessor": s.accessor, "secret_id_ttl": seconds(s.ttl), "secret_id_num_uses": s.uses,
	}}, nil
}

func (r *role) secretAction(req *request, sub string) (*response, error) {
	byID := hashSecret(req.body.text("secret_id"))
	switch sub {
	case "secret-id/lookup":
		s := r.live(byID)
		if s == nil {
			return nil, nil
		}
		data := map[string]any{
			"secret_id_accessor": s.accessor, "secret_id_num_uses": s.uses, "secret_id_ttl": seconds(s.ttl),
			"creation_time": s.created.Format(time.RFC3339Nano), "expiration_time": s.expire.Format(time.RFC3339Nano),
		}
		return &response{data: data}, nil
	case "secret-id/destroy":
		delete(r.secrets, byID)
		return nil, nil
	case "secret-id-accessor/destroy":
		want := req.body.text("secret_id_accessor")
		for k, s := range r.secrets {
			if s.accessor == want {
				delete(r.secrets, k)
				return nil, nil
			}
		}
		return nil, fail(http.StatusForbidden, "failed to find accessor entry for secret_id_accessor: %q", want)
	default:
		return nil, errUnknownPath()
	}
}

func (r *role) live(hash string) *secretID {
	s, ok := r.secrets[hash]
	if !ok {
		return nil
	}
	// Vault sweeps once a minute, and until then an expired secret id is good. Being stricter would hide that.
	if !s.expire.IsZero() && clock.Now().After(s.expire.Add(sweep)) {
		delete(r.secrets, hash)
		return nil
	}
	return s
}

func (a *appRole) login(req *request) (*response, error) {
	roleID, secret := strings.TrimSpace(req.body.text("role_id")), strings.TrimSpace(req.body.text("secret_id"))
	if roleID == "" {
		return nil, fail(http.StatusBadRequest, "missing role_id")
	}
	var r *role
	for _, have := range a.roles {
		if have.id == roleID {
			r = have
		}
	}
	if r == nil {
		return nil, fail(http.StatusBadRequest, "invalid role or secret ID")
	}
	if secret == "" {
		return nil, fail(http.StatusBadRequest, "missing secret_id")
	}
	hash := hashSecret(secret)
	s := r.live(hash)
	if s == nil {
		return nil, fail(http.StatusBadRequest, "invalid role or secret ID")
	}
	if s.limited {
		if s.uses--; s.uses == 0 {
			delete(r.secrets, hash)
		}
	}
	t := &token{
		policies: tokenPolicies(r.policies, !r.noDefault), display: "approle", path: a.at + "login", meta: map[string]string{"role_name": r.name},
		life: r.ttl, max: r.max, period: r.period, renewable: true, uses: r.tokenUses, limited: r.tokenUses > 0,
	}
	if err := t.settle(); err != nil {
		return nil, err
	}
	a.tokens.add(t)
	return &response{auth: a.tokens.auth(t)}, nil
}

func hashSecret(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
