package devvault

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// params is a request body. Vault takes most values in more than one JSON type; so do the readers below.
type params map[string]any

func (p params) has(name string) bool {
	v, ok := p[name]
	return ok && v != nil
}

// only refuses fields outside the given names: a restriction that this server would silently drop is worse than an error.
func (p params) only(what string, names ...string) error {
	for k := range p {
		if !slices.Contains(names, k) {
			return errNotOffered("field " + strconv.Quote(k) + " of " + what)
		}
	}
	return nil
}

func (p params) text(name string) string {
	switch v := p[name].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	default:
		return ""
	}
}

func (p params) textOr(name, fallback string) string {
	if !p.has(name) {
		return fallback
	}
	return p.text(name)
}

func (p params) flag(name string, fallback bool) (bool, error) {
	switch v := p[name].(type) {
	case nil:
		return fallback, nil
	case bool:
		return v, nil
	case string:
		b, err := strconv.ParseBool(v)
		if err != nil {
			return false, badField(name)
		}
		return b, nil
	default:
		return false, badField(name)
	}
}

func (p params) number(name string, fallback int) (int, error) {
	if !p.has(name) {
		return fallback, nil
	}
	n, err := strconv.Atoi(p.text(name))
	if err != nil {
		return 0, badField(name)
	}
	return n, nil
}

// list reads an array or a comma-separated string.
func (p params) list(name string) []string {
	out := []string{}
	switch v := p[name].(type) {
	case string:
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	case []any:
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

func (p params) listOr(name string, fallback []string) []string {
	if !p.has(name) {
		return fallback
	}
	return p.list(name)
}

// duration reads seconds as a number or a string, or a string with a unit.
func (p params) duration(name string, fallback time.Duration) (time.Duration, error) {
	if !p.has(name) {
		return fallback, nil
	}
	d, ok := parseDuration(p.text(name))
	if !ok {
		return 0, badField(name)
	}
	return d, nil
}

func parseDuration(s string) (time.Duration, bool) {
	if s == "" {
		return 0, true
	}
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return time.Duration(n) * time.Second, n >= 0
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 32)
		return time.Duration(n) * 24 * time.Hour, err == nil && n >= 0
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0
}

func badField(name string) error {
	return fail(http.StatusBadRequest, "Field validation failed: error converting input for field %q", name)
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
