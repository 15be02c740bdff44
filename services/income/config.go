// Package income is the income-register matching service: a fund's benefit cards against the income register, month by month, and the
// decisions that follow. This package is its composition root and nothing else.
package income

import (
	"errors"
	"fmt"
	"os"
	"time"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/jobs"
)

// Config is the configuration of the service; the keys that all services share stand at the top level.
type Config struct {
	chassis.Config `yaml:",inline"`

	Jobs        jobs.Config `yaml:"jobs" class:"public" doc:"how jobs are run"`
	TestPersons []string    `yaml:"test_persons" class:"internal" doc:"canonical numbers of published test persons: accepted outside production, refused in it"`
	TimeZone    string      `yaml:"time_zone" class:"public" doc:"zone whose civil dates decide"`
	RulesDir    string      `yaml:"rules_dir" class:"internal" doc:"folder with the sets of the rules' values, one *.json a version; those that the program carries when empty"`
	Automation  Automation  `yaml:"automation" class:"public" doc:"what may be decided without a person"`
	SE          SE          `yaml:"se" class:"public" doc:"Swedish rules"`
	Complaint   Complaint   `yaml:"complaint" class:"public" doc:"who decides complaints"`
	Run         Run         `yaml:"run" class:"public" doc:"how a month of all members is matched"`
	EIndkomst   EIndkomst   `yaml:"eindkomst"`
}

// Automation says what may be decided without a person (domain rule B.6).
type Automation struct {
	Areas []string `yaml:"areas" class:"public" doc:"rules whose decisions may be automatic: 46, 56a, 56b, se"`
}

// SE are the Swedish rules.
type SE struct {
	IncomeCondition bool   `yaml:"income_condition" class:"public" doc:"decide the Swedish income condition (domain rule B.12)"`
	AGI             string `yaml:"agi" class:"internal" doc:"folder in which the tax agency's declarations (AGI) arrive: below it one folder a fund, such as SE-8020000017, with *.xml files, each renamed to that when it is whole; empty for none"`
}

// Complaint says who decides complaints.
type Complaint struct {
	OtherPerson bool `yaml:"other_person" class:"public" doc:"another person than the one who decided before must decide a complaint"`
}

// Run says how a month of all members is matched.
type Run struct {
	Chunk   int           `yaml:"chunk" class:"public" doc:"members that are decided in one transaction"`
	Workers int           `yaml:"workers" class:"public" doc:"chunks of a run that each replica works on at the same time"`
	Lease   time.Duration `yaml:"lease" class:"public" doc:"how long a chunk is left to the worker that took it; after a crash it goes on when this has passed"`
	Resume  time.Duration `yaml:"resume" class:"public" doc:"how often it is looked for runs that nobody works on"`
	Ask     int           `yaml:"ask" class:"public" doc:"questions to the register at the same time, for each chunk"`
	Watch   time.Duration `yaml:"watch" class:"public" doc:"how often a watched run is looked at"`
	Daily   time.Duration `yaml:"daily" class:"public" doc:"how often it is looked for notices whose answer period has ended and for months to try again"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	c := Config{
		Config: chassis.DefaultConfig(), Jobs: jobs.DefaultConfig(), TimeZone: "Europe/Copenhagen",
		Automation: Automation{Areas: []string{"46", "56a", "56b"}}, Complaint: Complaint{OtherPerson: true}, EIndkomst: DefaultEIndkomst(),
		Run: Run{
			Chunk: 1000, Workers: 3, Lease: time.Minute, Resume: 15 * time.Second, Ask: 50, Watch: 500 * time.Millisecond, Daily: time.Hour,
		},
	}
	c.Jobs.Workers = 8
	c.Database.CacheKiB = 2048 // what a chunk changes
	c.Memory.Limit = 96 << 20  // chunks under way are held whole; a tighter limit would have the collector run all the time
	return c
}

// Validate reports every problem of the configuration at once, without any value.
func (c Config) Validate() error {
	problems := []error{c.Config.Validate(), c.Jobs.Validate()}
	if _, err := time.LoadLocation(c.TimeZone); err != nil || c.TimeZone == "" {
		problems = append(problems, errors.New("time_zone: want a zone of the IANA database, such as Europe/Copenhagen"))
	}
	if _, err := c.areas(); err != nil {
		problems = append(problems, err)
	}
	if c.SE.AGI != "" && !c.SE.IncomeCondition {
		problems = append(problems, errors.New("se.agi: is of no use while se.income_condition is off"))
	}
	r := c.Run
	if r.Chunk < 1 || r.Chunk > 20_000 || r.Workers < 1 || r.Workers > c.Jobs.Workers || r.Ask < 1 {
		problems = append(problems, errors.New("run: want chunk 1 to 20000, workers 1 to jobs.workers, ask at least 1"))
	}
	if r.Lease < time.Second || r.Resume < time.Second || r.Watch <= 0 || r.Daily < time.Second {
		problems = append(problems, errors.New("run: want lease, resume and daily of at least 1s, and watch of more than 0"))
	}
	return errors.Join(problems...)
}

// areas are the kinds of decision that may be automatic.
func (c Config) areas() (out []core.Kind, err error) {
	known := map[string]core.Kind{"46": core.Matching, "56a": core.WaitingDay, "56b": core.Shortening, "se": core.IncomeCondition}
	for _, a := range c.Automation.Areas {
		kind, ok := known[a]
		if !ok {
			return nil, errors.New("automation.areas: want 46, 56a, 56b or se")
		}
		out = append(out, kind)
	}
	return out, nil
}

// sets are the rules' values.
func (c Config) sets() (rule.Sets, error) {
	if c.RulesDir == "" {
		return rule.Builtin()
	}
	sets, err := rule.Load(os.DirFS(c.RulesDir))
	if err != nil {
		return nil, fmt.Errorf("rules_dir: %w", err)
	}
	return sets, nil
}
