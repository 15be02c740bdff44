// Package identity is the identity look-up service: from a national number to a handle, and from a handle to the few facts
// that a purpose allows. This package is its composition root and nothing else.
package identity

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/jobs"
)

// Config is the configuration of the service; the keys that all services share stand at the top level.
type Config struct {
	chassis.Config `yaml:",inline"`

	TestPersons          []string `yaml:"test_persons" class:"internal" doc:"canonical numbers of published test persons: accepted outside production, refused in it"`
	TestPersonsFile      string   `yaml:"test_persons_file" class:"internal" doc:"file with one such number a line"`
	TimeZone             string   `yaml:"time_zone" class:"public" doc:"zone whose civil dates decide"`
	ProtectedAddressLaws []string `yaml:"protected_address_laws" class:"public" doc:"legal references on which an agency may have a protected Danish name and address"`
	Feed                 Feed     `yaml:"feed" class:"public" doc:"how funds are told about changes"`

	Registers Registers   `yaml:"registers"`
	Jobs      jobs.Config `yaml:"jobs"`
}

// Feed says how funds are told about changes of their members' addresses.
type Feed struct {
	Poll time.Duration `yaml:"poll" class:"public" doc:"how often an open stream looks for changes"`
	Keep time.Duration `yaml:"keep" class:"public" doc:"how long changes, and the tokens from which a stream goes on, are kept"`
}

// cacheKiB holds the upper pages of the person table's indexes, which every look-up needs; of the rest each look-up needs another part, so
// more of it would be memory without use.
const cacheKiB = 256

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	base := chassis.DefaultConfig()
	base.Database.CacheKiB = cacheKiB
	return Config{
		Config: base, TimeZone: "Europe/Copenhagen",
		Feed:      Feed{Poll: 500 * time.Millisecond, Keep: 90 * day},
		Registers: defaultRegisters(), Jobs: jobs.DefaultConfig(),
	}
}

// Validate reports every problem of the configuration at once, without any value.
func (c Config) Validate() error {
	problems := []error{c.Config.Validate()}
	if _, err := time.LoadLocation(c.TimeZone); err != nil || c.TimeZone == "" {
		problems = append(problems, errors.New("time_zone: want a zone of the IANA database, such as Europe/Copenhagen"))
	}
	if slices.Contains(c.ProtectedAddressLaws, "") {
		problems = append(problems, errors.New("protected_address_laws: an empty legal reference can't allow anything"))
	}
	return errors.Join(problems...)
}

// published returns the numbers of the list and the file.
func (c Config) published() ([]string, error) {
	out := c.TestPersons
	if c.TestPersonsFile == "" {
		return out, nil
	}
	f, err := os.Open(c.TestPersonsFile)
	if err != nil {
		return nil, fmt.Errorf("test_persons_file: %w", err)
	}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out, errors.Join(lines.Err(), f.Close())
}
