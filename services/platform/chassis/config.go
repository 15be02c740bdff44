// Package chassis is what every service of Samvirke stands on: it builds telemetry, Vault client, certificates, database, keys,
// audit and the server from one configuration, in order, and undoes it all if a step fails.
package chassis

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"samvirke.dev/certs/workload"
	"samvirke.dev/services/platform/config"
	"samvirke.dev/services/platform/maintenance"
	"samvirke.dev/services/platform/sqlkit"
)

// Environments. Outside production only synthetic and published test persons are accepted (SEC-09).
const (
	Production = "production"
	Test       = "test"
)

// Config is the part of a service's configuration that all services share.
type Config struct {
	Environment string        `yaml:"environment" class:"public" doc:"production or test; no default, because it decides whose numbers are accepted"`
	Instance    string        `yaml:"instance" class:"public" doc:"name of this instance in audit records and traces; the host name when empty"`
	TrustDomain string        `yaml:"trust_domain" class:"public" doc:"SPIFFE trust domain of our own services"`
	Listen      string        `yaml:"listen" class:"public" doc:"address and port of the gRPC listener; port 0 takes a free one"`
	Probes      string        `yaml:"probes" class:"public" doc:"address and port where an orchestrator asks, over plain HTTP, whether the process lives (/livez) and whether traffic can pass (/readyz), and learns nothing else; empty for none"`
	Reflection  bool          `yaml:"reflection" class:"public" doc:"let verified callers read the schemas from the server"`
	Database    sqlkit.Config `yaml:"database" class:"public" doc:"the service's own database"`
	Vault       Vault         `yaml:"vault" class:"public" doc:"the key holder"`
	PKI         PKI           `yaml:"pki" class:"public" doc:"where our certificates come from"`
	Transit     Transit       `yaml:"transit" class:"public" doc:"where our keys are wrapped"`
	Keys        Keys          `yaml:"keys" class:"public" doc:"how long unwrapped keys are used"`
	Agreements  Agreements    `yaml:"agreements" class:"public" doc:"what organisations may ask for"`
	Accept      Accept        `yaml:"accept" class:"public" doc:"whose certificates are accepted"`
	Shipping    Shipping      `yaml:"shipping" class:"public" doc:"where audit records go"`
	Telemetry   Telemetry     `yaml:"telemetry" class:"public" doc:"logs, traces and metrics"`
	Memory      Memory        `yaml:"memory" class:"public" doc:"how the garbage collector trades memory for speed"`
	Maintenance []string      `yaml:"maintenance" class:"public" doc:"planned windows in which RPCs answer UNAVAILABLE with the time to wait: FROM/UNTIL SERVICE/METHOD, such as 2026-09-26T22:00:00+02:00/2026-09-27T03:00:00+02:00 samvirke.transfer.v1.TransferService/*"`
	Debug       Debug         `yaml:"debug" class:"public" doc:"for developers"`
}

// Vault says where Vault is and how to log in.
type Vault struct {
	Address      string `yaml:"address" class:"internal" doc:"https URL"`
	CAFile       string `yaml:"ca_file" class:"internal" doc:"PEM file with the anchors of Vault's own certificate"`
	RoleIDFile   string `yaml:"role_id_file" class:"internal" doc:"file with the AppRole's role id"`
	SecretIDFile string `yaml:"secret_id_file" class:"internal" doc:"file with the AppRole's secret id"`
	Namespace    string `yaml:"namespace" class:"internal" doc:"namespace of Vault Enterprise; empty for none"`
}

// PKI says which mounts of Vault issue and which are trusted.
type PKI struct {
	Mount       string        `yaml:"mount" class:"public" doc:"mount that signs our leaf"`
	Role        string        `yaml:"role" class:"public" doc:"role that signs our leaf; the service's name when empty"`
	Names       []string      `yaml:"names" class:"public" doc:"host names and addresses that our certificate bears, for clients of HTTPS, which check them; the role must allow them"`
	TTL         time.Duration `yaml:"ttl" class:"public" doc:"life of our leaf; renewed at two thirds"`
	TrustMounts []string      `yaml:"trust_mounts" class:"public" doc:"mounts whose leaves may call, with their revocation lists"`
	Refresh     time.Duration `yaml:"refresh" class:"public" doc:"how often anchors and revocation lists are fetched"`
	Grace       time.Duration `yaml:"grace" class:"public" doc:"how long a revocation list is believed after its time while Vault is away"`
}

// Transit says where keys are wrapped.
type Transit struct {
	Mount string `yaml:"mount" class:"public" doc:"mount of the transit engine"`
}

// Keys says how long unwrapped keys live.
type Keys struct {
	MaxAge       time.Duration `yaml:"max_age" class:"public" doc:"without Vault for so long everything that needs a key is refused"`
	RefreshEvery time.Duration `yaml:"refresh_every" class:"public" doc:"how often keys are unwrapped anew"`
}

// Agreements says where the agreements lie.
type Agreements struct {
	Dir    string        `yaml:"dir" class:"internal" doc:"folder of YAML files, one agreement each"`
	Reload time.Duration `yaml:"reload" class:"public" doc:"how often the files are looked at"`
}

// Shipping says where audit records go. Without an address they wait in the service's own database, so that nothing is lost, and no receipt
// can be had.
type Shipping struct {
	Address string `yaml:"address" class:"internal" doc:"host:port of the audit service; empty leaves the records in the service's own database"`
}

// Accept says whose certificates are accepted.
type Accept struct {
	TrustDomains []string `yaml:"trust_domains" class:"public" doc:"SPIFFE trust domains of callers; our own when empty"`
	Edges        []string `yaml:"edges" class:"public" doc:"our own services that verify organisations themselves and may call in the name of any, such as the gateway; none when empty"`
	Services     []string `yaml:"services" class:"public" doc:"our own services that may call in the name of a controller, as its system that bears their name; none when empty"`
}

// Telemetry says where logs, traces and metrics go.
type Telemetry struct {
	Endpoint    string      `yaml:"endpoint" class:"internal" doc:"OTLP over gRPC, https or loopback http; empty exports nothing"`
	CAFile      string      `yaml:"ca_file" class:"internal" doc:"PEM file with the endpoint's anchors"`
	QueueDir    string      `yaml:"queue_dir" class:"internal" doc:"folder of this process alone, where spans and metrics wait while the endpoint is away; empty loses them"`
	QueueLimit  config.Size `yaml:"queue_limit" class:"public" doc:"bound of that folder; when it is full the oldest are given up"`
	SampleRatio float64     `yaml:"sample_ratio" class:"public" doc:"share of traces whose spans are exported, 0 to 1; audit is never sampled"`
	LogLevel    string      `yaml:"log_level" class:"public" doc:"debug, info, warn or error"`
}

// Memory says how much memory the process may use for speed. GOGC and GOMEMLIMIT, where set, win.
type Memory struct {
	Limit     config.Size `yaml:"limit" class:"public" doc:"near this much memory of its own the collector runs more often; databases' caches come on top"`
	GCPercent int         `yaml:"gc_percent" class:"public" doc:"how much may be allocated between two runs of the collector, in percent of what is live"`
}

// Debug is for developers.
type Debug struct {
	PprofFile string `yaml:"pprof_file" class:"internal" doc:"write a CPU profile of the whole run to this file"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Database:   sqlkit.DefaultConfig(""),
		PKI:        PKI{Mount: "pki-svc", TTL: 12 * time.Hour, TrustMounts: []string{"pki-org"}, Refresh: time.Minute, Grace: 6 * time.Hour},
		Transit:    Transit{Mount: "transit"},
		Keys:       Keys{MaxAge: time.Hour, RefreshEvery: 5 * time.Minute},
		Agreements: Agreements{Reload: 2 * time.Second},
		Memory:     Memory{Limit: 30 << 20, GCPercent: 400},
		Telemetry:  Telemetry{SampleRatio: 1, LogLevel: "info", QueueLimit: 64 << 20},
	}
}

// Validate reports every problem of the shared keys at once; the sections that have a Validate of their own are asked apart.
func (c Config) Validate() error {
	var problems []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	want(c.Environment == Production || c.Environment == Test, "environment: want %s or %s", Production, Test)
	_, err := workload.Service(c.TrustDomain, "probe")
	want(err == nil, "trust_domain: want a SPIFFE trust domain")
	_, _, err = net.SplitHostPort(c.Listen)
	want(err == nil, "listen: want address:port")
	if c.Probes != "" {
		_, _, err = net.SplitHostPort(c.Probes)
		want(err == nil, "probes: want address:port or nothing")
	}
	want(strings.HasPrefix(c.Vault.Address, "https://"), "vault.address: want an https URL")
	want(c.Vault.CAFile != "", "vault.ca_file: want the anchors of Vault's certificate")
	want(c.Vault.RoleIDFile != "" && c.Vault.SecretIDFile != "", "vault.role_id_file, vault.secret_id_file: want the files of an AppRole")
	want(c.Agreements.Dir != "", "agreements.dir: want a folder; without agreements nothing is allowed")
	want(c.Agreements.Reload >= 10*time.Millisecond, "agreements.reload: want at least 10ms")
	if c.Shipping.Address != "" {
		_, _, err := net.SplitHostPort(c.Shipping.Address)
		want(err == nil, "shipping.address: want host:port or nothing")
	}
	want(c.Keys.MaxAge > c.Keys.RefreshEvery && c.Keys.RefreshEvery > 0, "keys.max_age: want more than keys.refresh_every, which must be above 0")
	want(c.Telemetry.SampleRatio >= 0 && c.Telemetry.SampleRatio <= 1, "telemetry.sample_ratio: want 0 to 1")
	want(c.Telemetry.QueueLimit >= 64<<10, "telemetry.queue_limit: want at least 64KiB")
	want(new(slog.LevelVar).UnmarshalText([]byte(c.Telemetry.LogLevel)) == nil, "telemetry.log_level: want debug, info, warn or error")
	want(c.Memory.Limit >= 16<<20 && c.Memory.GCPercent >= 10, "memory: want a limit of at least 16MiB and gc_percent of at least 10")
	want(c.PKI.TTL >= time.Second, "pki.ttl: want at least 1s")
	want(c.PKI.Refresh >= 0, "pki.refresh: must not be negative")
	want(c.PKI.Grace >= 0, "pki.grace: must not be negative")
	if _, err := maintenance.Parse(c.Maintenance); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// instance returns the configured name or the host's.
func (c Config) instance() (string, error) {
	if c.Instance != "" {
		return c.Instance, nil
	}
	return os.Hostname()
}

// trustDomains returns those accepted.
func (c Config) trustDomains() []string {
	if len(c.Accept.TrustDomains) > 0 {
		return c.Accept.TrustDomains
	}
	return []string{c.TrustDomain}
}
