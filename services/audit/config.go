// Package audit is the audit service: it receives the records of every service, keeps them sealed, makes the ledger of them and proves what
// stands in it. This package is its composition root and nothing else.
package audit

import (
	"errors"
	"net"
	"path/filepath"
	"regexp"
	"time"

	"samvirke.dev/services/platform/chassis"
)

// Config is the configuration of the service; the keys that all services share stand at the top level.
type Config struct {
	chassis.Config `yaml:",inline"`

	Ledger      Ledger      `yaml:"ledger" class:"public" doc:"the transparency logs"`
	Tiles       Tiles       `yaml:"tiles" class:"public" doc:"where anybody may read the logs"`
	Checkpoints Checkpoints `yaml:"checkpoints" class:"public" doc:"the second store of checkpoints, without which a cut-off end goes unseen"`
	Console     Console     `yaml:"console" class:"public" doc:"the web console"`
	Usage       Uses        `yaml:"usage" class:"public" doc:"the person's view: who used my data"`
	Keep        Keep        `yaml:"keep" class:"public" doc:"how long records are kept (domain rule RET-13)"`
}

// Ledger says where the logs lie and who signs.
type Ledger struct {
	Dir    string `yaml:"dir" class:"internal" doc:"folder of the logs' tiles; they can be made again from the database"`
	Origin string `yaml:"origin" class:"public" doc:"name of the ledger in its checkpoints and public key, such as samvirke.example/ledger; never changed"`
	Key    string `yaml:"key" class:"public" doc:"name of the Ed25519 key in the transit engine that signs checkpoints"`
}

// Tiles says where the logs are served.
type Tiles struct {
	Listen string `yaml:"listen" class:"public" doc:"address and port of the HTTPS listener that serves checkpoints and tiles as C2SP says; none when empty"`
}

// Checkpoints says where checkpoints are kept a second time.
type Checkpoints struct {
	Dir   string        `yaml:"dir" class:"internal" doc:"folder, on storage that others control, to which new checkpoints are copied"`
	Every time.Duration `yaml:"every" class:"public" doc:"how often a new checkpoint is copied"`
}

// Keep says how long records are kept.
type Keep struct {
	Months         int           `yaml:"months" class:"public" doc:"months after which a record is erased"`
	RegisterMonths int           `yaml:"register_months" class:"public" doc:"months after which also records that document data from a public register go, and their whole log with them"`
	Every          time.Duration `yaml:"every" class:"public" doc:"how often is looked for records whose time is over"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	base := chassis.DefaultConfig()
	// It writes more than it reads, into a dozen indexes, and holds what many services ship at once.
	base.Database.CacheKiB, base.Memory.Limit = 32<<10, 96<<20
	return Config{
		Config: base, Ledger: Ledger{Key: LedgerKey}, Checkpoints: Checkpoints{Every: time.Minute},
		Keep: Keep{Months: 60, RegisterMonths: 96, Every: time.Hour},
	}
}

// LedgerKey is the usual name of the key that signs checkpoints.
const LedgerKey = "audit-ledger"

// Validate reports every problem of the configuration at once, without any value.
func (c Config) Validate() error {
	problems := []error{c.Config.Validate(), c.Console.validate(c.Environment), c.Usage.validate()}
	want := func(ok bool, message string) {
		if !ok {
			problems = append(problems, errors.New(message))
		}
	}
	want(filepath.IsAbs(c.Ledger.Dir), "ledger.dir: want an absolute path")
	want(regexp.MustCompile(`^[a-z0-9.-]+(/[a-z0-9.-]+)+$`).MatchString(c.Ledger.Origin), "ledger.origin: want a host name and a path, such as samvirke.example/ledger")
	want(regexp.MustCompile(`^[a-z][a-zA-Z0-9_.-]{0,126}$`).MatchString(c.Ledger.Key), "ledger.key: want the name of a transit key")
	if c.Tiles.Listen != "" {
		_, _, err := net.SplitHostPort(c.Tiles.Listen)
		want(err == nil, "tiles.listen: want address:port or nothing")
	}
	want(filepath.IsAbs(c.Checkpoints.Dir), "checkpoints.dir: want an absolute path; without a second store nobody can tell that the end of the ledger was cut off")
	want(filepath.Clean(c.Checkpoints.Dir) != filepath.Clean(c.Ledger.Dir), "checkpoints.dir: must not be ledger.dir")
	want(c.Checkpoints.Every >= time.Second, "checkpoints.every: want at least 1s")
	want(c.Keep.Months >= 1 && c.Keep.RegisterMonths >= c.Keep.Months, "keep: want at least 1 month, and register_months not below months")
	want(c.Keep.Every >= time.Minute, "keep.every: want at least 1m")
	return errors.Join(problems...)
}
