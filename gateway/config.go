package gateway

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"samvirke.dev/certs/workload"
	"samvirke.dev/gateway/internal/edge"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/config"
)

// Config is the configuration of the gateway.
type Config struct {
	Instance    string            `yaml:"instance" class:"public" doc:"name of this instance in traces; the host name when empty"`
	TrustDomain string            `yaml:"trust_domain" class:"public" doc:"SPIFFE trust domain of our own services"`
	Listen      string            `yaml:"listen" class:"public" doc:"address and port of the REST listener, which demands client certificates; port 0 takes a free one"`
	Public      Public            `yaml:"public" class:"public" doc:"documentation and health for those without a certificate"`
	URL         string            `yaml:"url" class:"public" doc:"https URL under which partners reach the REST listener, without a slash at the end; it stands in the documentation and in tokens"`
	Services    map[string]string `yaml:"services" class:"public" doc:"addresses (host:port) of the services by name, such as insurance; routes of others answer 404"`
	Required    []string          `yaml:"required" class:"public" doc:"services without which the gateway is not ready, whatever else works; without any it is ready when one serves at least"`
	Vault       chassis.Vault     `yaml:"vault" class:"public" doc:"the key holder"`
	PKI         chassis.PKI       `yaml:"pki" class:"public" doc:"where our certificate comes from and whose callers are accepted"`
	Accept      Accept            `yaml:"accept" class:"public" doc:"whose certificates are accepted"`
	Token       Token             `yaml:"token" class:"public" doc:"access tokens bound to the client certificate (RFC 8705)"`
	Limits      Limits            `yaml:"limits" class:"public" doc:"what one request and one organisation may take"`
	Retired     []Retired         `yaml:"retired" class:"public" doc:"versions of the API that will end"`
	Telemetry   chassis.Telemetry `yaml:"telemetry" class:"public" doc:"logs, traces and metrics"`
	Memory      chassis.Memory    `yaml:"memory" class:"public" doc:"how the garbage collector trades memory for speed"`
	Debug       chassis.Debug     `yaml:"debug" class:"public" doc:"for developers"`
}

// Public is a listener without client certificates: it serves documentation and health, and nothing about anybody.
type Public struct {
	Listen string `yaml:"listen" class:"public" doc:"address and port, TLS without client certificates; empty for none"`
}

// Accept says whose certificates are accepted.
type Accept struct {
	TrustDomains []string `yaml:"trust_domains" class:"public" doc:"SPIFFE trust domains of callers; our own when empty"`
}

// Token says how access tokens are made.
type Token struct {
	Transit string        `yaml:"transit" class:"public" doc:"mount of the transit engine"`
	Key     string        `yaml:"key" class:"public" doc:"signing key (ed25519) in it; empty: no tokens are issued or taken"`
	TTL     time.Duration `yaml:"ttl" class:"public" doc:"life of a token"`
}

// Limits bound requests.
type Limits struct {
	Body        config.Size   `yaml:"body" class:"public" doc:"largest body of a request"`
	Header      config.Size   `yaml:"header" class:"public" doc:"largest headers of a request"`
	InFlight    int           `yaml:"in_flight" class:"public" doc:"calls under way of one organisation; more get 429"`
	HeaderTime  time.Duration `yaml:"header_time" class:"public" doc:"how long the headers of a request may take to arrive"`
	RequestTime time.Duration `yaml:"request_time" class:"public" doc:"how long a whole request may take to arrive"`
	IdleTime    time.Duration `yaml:"idle_time" class:"public" doc:"how long a connection may stand idle"`
	CallTime    time.Duration `yaml:"call_time" class:"public" doc:"how long a service may take to answer"`
}

// Retired is a version of the API that will end.
type Retired struct {
	Prefix     string    `yaml:"prefix" class:"public" doc:"begin of its paths, such as /v1/"`
	Deprecated time.Time `yaml:"deprecated" class:"public" doc:"since when it should not be used any more"`
	Sunset     time.Time `yaml:"sunset" class:"public" doc:"when it ends"`
	Link       string    `yaml:"link" class:"public" doc:"what replaces it"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	shared := chassis.DefaultConfig()
	pki := shared.PKI
	pki.TrustMounts = []string{"pki-org", "pki-partner"}
	return Config{
		PKI: pki, Telemetry: shared.Telemetry, Memory: chassis.Memory{Limit: 56 << 20, GCPercent: 400},
		Token: Token{Transit: "transit", TTL: 10 * time.Minute},
		Limits: Limits{
			Body: 256 << 10, Header: 16 << 10, InFlight: 256, HeaderTime: 5 * time.Second, RequestTime: 15 * time.Second,
			IdleTime: 2 * time.Minute, CallTime: 10 * time.Second,
		},
	}
}

// Validate reports every problem at once, without any value.
func (c Config) Validate() error {
	var problems []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	_, err := workload.Service(c.TrustDomain, name)
	want(err == nil, "trust_domain: want a SPIFFE trust domain")
	_, _, err = net.SplitHostPort(c.Listen)
	want(err == nil, "listen: want address:port")
	if c.Public.Listen != "" {
		_, _, err = net.SplitHostPort(c.Public.Listen)
		want(err == nil, "public.listen: want address:port, or nothing")
	}
	want(strings.HasPrefix(c.URL, "https://") && !strings.HasSuffix(c.URL, "/"), "url: want an https URL without a slash at the end")
	want(len(c.Services) > 0, "services: want the address of one at least")
	for svc, addr := range c.Services {
		_, known := routes()[svc]
		_, _, err := net.SplitHostPort(addr)
		want(known, "services.%s: no such service with routes", svc)
		want(err == nil, "services.%s: want host:port", svc)
	}
	for _, svc := range c.Required {
		want(c.Services[svc] != "", "required: want services that have an address")
	}
	want(len(c.PKI.Names) > 0, "pki.names: want the host names or addresses under which clients reach us")
	want(strings.HasPrefix(c.Vault.Address, "https://"), "vault.address: want an https URL")
	want(c.Vault.CAFile != "", "vault.ca_file: want the anchors of Vault's certificate")
	want(c.Vault.RoleIDFile != "" && c.Vault.SecretIDFile != "", "vault.role_id_file, vault.secret_id_file: want the files of an AppRole")
	want(c.PKI.TTL >= time.Second, "pki.ttl: want at least 1s")
	want(len(c.PKI.TrustMounts) > 0, "pki.trust_mounts: want one at least; without, nobody may call")
	want(c.Token.Key == "" || c.Token.TTL >= time.Minute && c.Token.TTL <= time.Hour, "token.ttl: want 1m to 1h")
	l := c.Limits
	want(l.Body >= 1<<10 && l.Header >= 1<<10 && l.InFlight > 0, "limits.body, limits.header, limits.in_flight: want at least 1KiB, 1KiB and 1")
	want(min(l.HeaderTime, l.RequestTime, l.IdleTime, l.CallTime) > 0, "limits: times must be above 0")
	for i, r := range c.Retired {
		want(strings.HasPrefix(r.Prefix, "/") && strings.HasSuffix(r.Prefix, "/"), "retired[%d].prefix: want a path that begins and ends with a slash", i)
		want(!r.Deprecated.IsZero() && (r.Sunset.IsZero() || r.Sunset.After(r.Deprecated)), "retired[%d]: want the time of deprecation, and a later sunset", i)
	}
	want(c.Memory.Limit >= 16<<20 && c.Memory.GCPercent >= 10, "memory: want a limit of at least 16MiB and gc_percent of at least 10")
	return errors.Join(problems...)
}

func (c Config) trustDomains() []string {
	if len(c.Accept.TrustDomains) > 0 {
		return c.Accept.TrustDomains
	}
	return []string{c.TrustDomain}
}

func (c Config) retirements() []edge.Retirement {
	out := make([]edge.Retirement, 0, len(c.Retired))
	for _, r := range c.Retired {
		out = append(out, edge.Retirement(r))
	}
	return out
}
