package stack

import (
	"time"

	"samvirke.dev/certs/bootstrap"
)

// Program is one service of the suite: what it is built from, and what an operator must have ready for it.
type Program struct {
	// Name is the service's name: in its SPIFFE id, its AppRole, its signing role, the prefix of its keys and its file names.
	Name string
	// As is the program as which it is known to Vault and to others, by its name: for a second installation, with an address, a database and
	// a configuration of its own. Empty is Name.
	As string
	// Package is the program's import path.
	Package string
	// Classes are the classes of data for which it has a key-encryption key <name>-<class> of its own, beside those of every
	// service (audit, response).
	Classes []string
	// Keys are transit keys beyond those, such as one for each controller. What it may do with <name>-* keys is encrypt and decrypt.
	Keys []bootstrap.Key
	// Grants are uses of keys beyond that, such as signing.
	Grants []bootstrap.Grant
	// REST says that it is called over HTTP and has no data of its own.
	REST bool
	// DNSNames are host names that its certificate bears, for clients that check them.
	DNSNames []string
	// Settings is its own part of the configuration; s has the addresses of the others. It is merged over the shared part: a map
	// in it adds to the map there.
	Settings func(s *Stack) map[string]any
	// Callees are the programs that it calls in a controller's name (accept.services there); Edges those that let it call in anybody's
	// (accept.edges).
	Callees, Edges []string
}

// platformClasses are the classes of keys that every service has.
func platformClasses() []string { return []string{"audit", "response"} }

// keys are the transit keys that must be there before the program starts: a service may not create any.
func (p Program) keys() []bootstrap.Key {
	var out []bootstrap.Key
	classes := append(platformClasses(), p.Classes...)
	if p.REST {
		classes = p.Classes
	}
	for _, class := range classes {
		out = append(out, bootstrap.Key{Name: p.Name + "-" + class})
	}
	return append(out, p.Keys...)
}

// service is what Vault must know of it.
func (p Program) service() bootstrap.Service {
	own := bootstrap.Grant{Key: p.Name + "-*", Uses: []bootstrap.Use{bootstrap.Encrypt, bootstrap.Decrypt}}
	return bootstrap.Service{
		Name: p.Name, DNSNames: p.DNSNames, AllowIPs: len(p.DNSNames) > 0, Grants: append([]bootstrap.Grant{own}, p.Grants...),
	}
}

// settings is the whole configuration of a program. JSON is YAML too, and needs no escaping of ours.
func (s *Stack) settings(p Program, roleIDFile, secretIDFile, caFile string) map[string]any {
	type m = map[string]any
	conf := m{
		"environment": "test", "instance": p.Name + "-1", "trust_domain": TrustDomain, "listen": s.addrs[p.Name],
		"database": m{"url": s.database(p.Name), "password_file": s.cfg.DatabasePasswordFile},
		"vault": m{
			"address": s.cfg.Vault.Address, "ca_file": caFile, "role_id_file": roleIDFile, "secret_id_file": secretIDFile,
		},
		"pki": m{
			"mount": bootstrap.ServiceMount, "role": or(p.As, p.Name), "ttl": or(s.cfg.CertTTL, 12*time.Hour).String(),
			"trust_mounts": []string{bootstrap.OrgMount, bootstrap.PartnerMount}, "names": append([]string{}, p.DNSNames...),
		},
		"transit":    m{"mount": bootstrap.TransitMount},
		"agreements": m{"dir": s.AgreementDir()},
		"accept":     m{"trust_domains": []string{TrustDomain}, "services": s.callersOf(p.Name), "edges": s.edgesOf(p.Name)},
		"telemetry":  m{"endpoint": s.cfg.Telemetry, "sample_ratio": 1.0, "log_level": "info"},
		"reflection": s.cfg.Reflection, "shipping": s.shipping(p.Name),
	}
	if p.Settings != nil {
		merge(conf, p.Settings(s))
	}
	return conf
}

func (s *Stack) callersOf(name string) []string {
	return s.named(func(p Program) []string { return p.Callees }, name)
}

func (s *Stack) edgesOf(name string) []string {
	return s.named(func(p Program) []string { return p.Edges }, name)
}

// named lists the programs whose list holds the name.
func (s *Stack) named(list func(Program) []string, name string) []string {
	out := []string{} // an empty list in the file, and no null
	for _, p := range s.cfg.Programs {
		for _, n := range list(p) {
			if n == name {
				out = append(out, p.Name)
			}
		}
	}
	return out
}

// merge puts what is in more over into, map by map. A nil value takes the key away, for a program that knows no such setting.
func merge(into, more map[string]any) {
	for k, v := range more {
		if v == nil {
			delete(into, k)
			continue
		}
		below, isMap := v.(map[string]any)
		have, wasMap := into[k].(map[string]any)
		if isMap && wasMap {
			merge(have, below)
		} else {
			into[k] = v
		}
	}
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
