// Package transfer is the service that moves members between unemployment funds, and keeps admission and deletion. This package is its
// composition root and nothing else.
package transfer

import (
	"errors"
	"fmt"
	"time"

	"samvirke.dev/certs/workload"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/jobs"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/rules"
)

// Config is the configuration of the service; the keys that all services share stand at the top level.
type Config struct {
	chassis.Config `yaml:",inline"`

	TimeZone   string         `yaml:"time_zone" class:"public" doc:"zone whose civil dates decide"`
	Funds      []Fund         `yaml:"funds" class:"internal" doc:"funds that are served here, with their own certificates"`
	Directory  []Organisation `yaml:"directory" class:"internal" doc:"organisations that may take part in transfers, those served here included"`
	Identity   Endpoint       `yaml:"identity" class:"internal" doc:"the identity service of the funds that are served here"`
	Issuers    []Issuer       `yaml:"issuers" class:"internal" doc:"whose assertions are believed as powers of attorney"`
	Reload     time.Duration  `yaml:"issuers_reload" class:"public" doc:"how often the issuers' keys are read anew; files that can't be read change nothing"`
	Terms      Terms          `yaml:"terms" class:"public" doc:"periods of a transfer (domain rule B.9)"`
	Membership Membership     `yaml:"membership" class:"public" doc:"admission and deletion (domain rules B.4 and B.5)"`
	Reference  Reference      `yaml:"legal_reference" class:"public" doc:"what calls to others name as their legal reference"`
	Exchange   time.Duration  `yaml:"exchange_poll" class:"public" doc:"how often messages that wait for another fund are looked for, beside at once"`
	Watch      time.Duration  `yaml:"watch_poll" class:"public" doc:"how often an open watch looks for events"`
	Sweep      time.Duration  `yaml:"sweep" class:"public" doc:"how often deadlines, powers of attorney, days of moves and address subscriptions are looked at"`
	Jobs       jobs.Config    `yaml:"jobs" class:"public" doc:"how jobs are run"`
}

// Fund is a fund that is served here.
type Fund struct {
	ID         string `yaml:"id" class:"public" doc:"country and organisation number, DK:12345678"`
	CertFile   string `yaml:"cert_file" class:"internal" doc:"PEM file with the fund's certificate, under which other funds are called"`
	KeyFile    string `yaml:"key_file" class:"internal" doc:"PEM file with its key"`
	CAFile     string `yaml:"ca_file" class:"internal" doc:"PEM file with the anchors of those who are called"`
	SigningKey string `yaml:"signing_key" class:"internal" doc:"key of Vault's transit engine that signs the fund's data packages, of type ed25519"`
}

// Organisation is one of the directory.
type Organisation struct {
	ID      string `yaml:"id" class:"public" doc:"country and organisation number"`
	Kind    string `yaml:"kind" class:"public" doc:"fund or union; a union is never a party"`
	Address string `yaml:"address" class:"internal" doc:"host:port of its transfer service"`
	Service string `yaml:"service" class:"public" doc:"SPIFFE id of that service"`
}

// Endpoint is a service that is called.
type Endpoint struct {
	Address string `yaml:"address" class:"internal" doc:"host:port"`
	Service string `yaml:"service" class:"public" doc:"SPIFFE id of the service"`
}

// Issuer is one whose assertions are believed.
type Issuer struct {
	Name     string `yaml:"name" class:"public" doc:"the claim iss"`
	JWKSFile string `yaml:"jwks_file" class:"internal" doc:"file with its public keys"`
}

// Terms are the periods of a transfer.
type Terms struct {
	AckWorkdays     int `yaml:"ack_workdays" class:"public" doc:"working days within which a request is acknowledged"`
	DeliverWorkdays int `yaml:"deliver_workdays" class:"public" doc:"working days from then within which the data are delivered"`
	ReminderEvery   int `yaml:"reminder_every" class:"public" doc:"working days between reminders; after the second one a person is called in"`
	PoAValidDays    int `yaml:"poa_valid_days" class:"public" doc:"days that a power of attorney is good for at most"`
}

// Membership says how admission and deletion are decided.
type Membership struct {
	AdmissionAuto bool `yaml:"admission_auto" class:"public" doc:"admission may be decided automatically"`
	DeletionAuto  bool `yaml:"deletion_auto" class:"public" doc:"deletion may be decided automatically"`
	ReminderDays  int  `yaml:"reminder_days" class:"public" doc:"days after the reminder within which may be paid"`
	GraceDays     int  `yaml:"grace_days" class:"public" doc:"days of grace on top"`
	ReinstateDays int  `yaml:"reinstate_days" class:"public" doc:"days after the notice of deletion within which paying lifts it"`
}

// Reference is what calls name as their legal reference.
type Reference struct {
	DK string `yaml:"dk" class:"public" doc:"of Danish funds"`
	SE string `yaml:"se" class:"public" doc:"of Swedish funds"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	t, d := cases.DefaultTerms(), rules.DefaultDeletionTerms()
	return Config{
		Config: chassis.DefaultConfig(), TimeZone: "Europe/Copenhagen",
		Terms: Terms{t.AckWorkdays, t.DeliverWorkdays, t.ReminderEvery, t.PoAValidDays},
		Membership: Membership{
			AdmissionAuto: true, DeletionAuto: true, ReminderDays: d.ReminderDays, GraceDays: d.GraceDays, ReinstateDays: d.ReinstateDays,
		},
		Reference: Reference{DK: "DK:ALF§41", SE: "SE:ALF-2024:506"},
		Exchange:  time.Second, Watch: 500 * time.Millisecond, Sweep: time.Minute, Reload: time.Minute, Jobs: jobs.DefaultConfig(),
	}
}

// Validate reports every problem of the configuration at once, without any value.
func (c Config) Validate() error {
	problems := []error{c.Config.Validate(), c.Jobs.Validate()}
	want := func(ok bool, text string) {
		if !ok {
			problems = append(problems, errors.New(text))
		}
	}
	_, err := time.LoadLocation(c.TimeZone)
	want(err == nil && c.TimeZone != "", "time_zone: want a zone of the IANA database, such as Europe/Copenhagen")
	want(len(c.Funds) > 0, "funds: want at least one; a service for nobody has nothing to do")
	want(len(c.Issuers) > 0, "issuers: want at least one; without, no power of attorney can be verified")
	want(c.Exchange > 0 && c.Watch > 0 && c.Sweep > 0 && c.Reload > 0, "exchange_poll, watch_poll, sweep, issuers_reload: want more than 0")
	want(c.Terms.AckWorkdays > 0 && c.Terms.DeliverWorkdays > 0 && c.Terms.ReminderEvery > 0 && c.Terms.PoAValidDays > 0, "terms: want more than 0")
	want(c.Membership.ReminderDays >= 21, "membership.reminder_days: want at least the 21 days of the law")
	want(c.Membership.ReinstateDays >= 28, "membership.reinstate_days: want at least the 28 days of the law")
	want(c.Membership.GraceDays >= 0, "membership.grace_days: must not be negative")
	known := map[string]bool{}
	for i, o := range c.Directory {
		known[o.ID] = o.Kind == kindFund
		want(len(o.ID) > 3 && (o.ID[:3] == "DK:" || o.ID[:3] == "SE:"), fmt.Sprintf("directory[%d].id: want DK:… or SE:…", i))
		want(o.Kind == kindFund || o.Kind == kindUnion, fmt.Sprintf("directory[%d].kind: want fund or union", i))
		_, err := workload.Parse(o.Service)
		want(o.Kind != kindFund || (err == nil && o.Address != ""), fmt.Sprintf("directory[%d]: a fund needs an address and the SPIFFE id of its service", i))
	}
	for i, f := range c.Funds {
		want(known[f.ID], fmt.Sprintf("funds[%d].id: want a fund of the directory", i))
		want(f.CertFile != "" && f.KeyFile != "" && f.CAFile != "" && f.SigningKey != "", fmt.Sprintf("funds[%d]: want certificate, key, anchors and signing key", i))
	}
	_, err = workload.Parse(c.Identity.Service)
	want(err == nil && c.Identity.Address != "", "identity: want an address and the SPIFFE id of the service")
	return errors.Join(problems...)
}

const (
	kindFund  = "fund"
	kindUnion = "union"
)
