package identity

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/register/cpr/serviceplatform"
	"samvirke.dev/services/identity/internal/register/cpr/sf1520"
	"samvirke.dev/services/identity/internal/register/spar"
	"samvirke.dev/services/platform/resilience"
)

// Registers says how the population registers are asked. A register without a URL is not: of its country what was imported is all there is.
type Registers struct {
	LookEvery time.Duration `yaml:"look_every" class:"public" doc:"how often is looked for followed persons who are due and for new deliveries"`
	SPAR      SPAR          `yaml:"spar"`
	CPR       CPR           `yaml:"cpr"`
}

// Connection is how one register is reached.
type Connection struct {
	URL      string            `yaml:"url" class:"internal" doc:"https URL of the service, path and version included; empty to do without the register"`
	CertFile string            `yaml:"cert_file" class:"internal" doc:"PEM file with the certificate by which the register knows us, and its intermediates"`
	KeyFile  string            `yaml:"key_file" class:"internal" doc:"PEM file with that certificate's key"`
	CAFile   string            `yaml:"ca_file" class:"internal" doc:"PEM file with the authorities of the register's own certificate"`
	Guard    resilience.Config `yaml:"guard"`
	Copies   Copies            `yaml:"copies"`
}

// Copies says how the local copies of followed persons are kept up to date.
type Copies struct {
	Every   time.Duration `yaml:"every" class:"public" doc:"how old a copy gets before the register is asked again; the questions are spread over that time"`
	Retry   time.Duration `yaml:"retry" class:"public" doc:"wait after a question in vain; doubles with each further one, up to every"`
	Stale   time.Duration `yaml:"stale" class:"public" doc:"when somebody has been due for so long, copies no longer count and the register is asked live"`
	Batch   int           `yaml:"batch" class:"public" doc:"persons of one go"`
	Workers int           `yaml:"workers" class:"public" doc:"questions under way at the same time"`
	EndUser string        `yaml:"end_user" class:"public" doc:"who asks, as the register logs it"`
}

// SPAR is the connection to Sweden's register.
type SPAR struct {
	Connection  `yaml:",inline"`
	Version     string                `yaml:"version" class:"public" doc:"of Personsök: 2021.1 or 2023.1"`
	Assignment  Assignment            `yaml:"assignment"`
	Controllers map[string]Assignment `yaml:"controllers" class:"internal" doc:"assignments of single controllers, by id such as SE:8020000017; what is left out there is that of assignment"`
}

// Assignment is a permission that SPAR has given.
type Assignment struct {
	Recipient int64 `yaml:"recipient" class:"internal" doc:"KundNrLeveransMottagare: customer number of the certificate's owner"`
	Customer  int64 `yaml:"customer" class:"internal" doc:"KundNrSlutkund: customer number of the permission's holder"`
	ID        int64 `yaml:"id" class:"internal" doc:"UppdragId"`
}

// CPR is the connection to Denmark's register.
type CPR struct {
	Connection    `yaml:",inline"`
	Version       string             `yaml:"version" class:"public" doc:"of SF1520 PersonBaseDataExtended: 4 or 5"`
	Context       Context            `yaml:"context"`
	Controllers   map[string]Context `yaml:"controllers" class:"internal" doc:"contexts of single controllers, by id such as DK:12345678; what is left out there is that of context"`
	Subscriptions Subscriptions      `yaml:"subscriptions"`
}

// Context is an InvocationContext of Serviceplatformen.
type Context struct {
	ServiceAgreementUUID string `yaml:"service_agreement_uuid" class:"internal" doc:"the agreement between the controller and the service"`
	UserSystemUUID       string `yaml:"user_system_uuid" class:"internal" doc:"our system"`
	UserUUID             string `yaml:"user_uuid" class:"internal" doc:"the user of our system"`
	ServiceUUID          string `yaml:"service_uuid" class:"internal" doc:"the service"`
	MunicipalityCVR      string `yaml:"municipality_cvr" class:"internal" doc:"the authority that is responsible; empty to leave it out"`
	AccountingInfo       string `yaml:"accounting_info" class:"internal" doc:"a note that comes back on the bill; empty to leave it out"`
}

// Subscriptions say how CPR tells about followed persons: by a list (SF6002) and deliveries (CPR Direkte). Without them CPR is asked again and again.
type Subscriptions struct {
	URL         string        `yaml:"url" class:"internal" doc:"https URL of SF6002 CprSubscriptionService; empty to keep no list"`
	ServiceUUID string        `yaml:"service_uuid" class:"internal" doc:"that service, in the InvocationContext"`
	Deliveries  string        `yaml:"deliveries" class:"internal" doc:"folder in which deliveries of CPR Direkte are put, under names that sort by day; empty for none"`
	Stale       time.Duration `yaml:"stale" class:"public" doc:"without a delivery for so long copies no longer count and the register is asked live"`
}

const day = 24 * time.Hour

func defaultRegisters() Registers {
	connection := func(every, stale time.Duration) Connection {
		return Connection{Guard: resilience.DefaultConfig(), Copies: Copies{
			Every: every, Retry: 5 * time.Minute, Stale: stale, Batch: 200, Workers: 4, EndUser: "samvirke",
		}}
	}
	return Registers{
		LookEvery: 30 * time.Second,
		SPAR:      SPAR{Connection: connection(day, day), Version: spar.Version2021},
		// With deliveries, questions are a safeguard only.
		CPR: CPR{Connection: connection(7*day, day), Version: sf1520.Version4, Subscriptions: Subscriptions{Stale: 5 * day}},
	}
}

// Validate reports what is wrong here alone.
func (r Registers) Validate() error {
	if r.LookEvery <= 0 {
		return errors.New("look_every: want more than 0")
	}
	return nil
}

// Validate reports what is missing of a connection that is wanted.
func (s SPAR) Validate() error { return s.check() }

// Validate reports what is missing of a connection that is wanted.
func (c CPR) Validate() error {
	err := c.check()
	if c.URL == "" && (c.Subscriptions.URL != "" || c.Subscriptions.Deliveries != "") {
		err = errors.Join(err, errors.New("url: subscriptions are of no use without it"))
	}
	return err
}

// Validate reports what is wrong here alone.
func (s Subscriptions) Validate() error {
	var problems []error
	if s.URL != "" && s.ServiceUUID == "" {
		problems = append(problems, errors.New("service_uuid: is missing"))
	}
	if s.Stale <= 0 {
		problems = append(problems, errors.New("stale: want more than 0"))
	}
	return errors.Join(problems...)
}

// check reports what is missing of a connection that is wanted.
func (c Connection) check() error {
	if c.URL == "" {
		return nil
	}
	var problems []error
	for _, f := range []struct{ key, file string }{{"cert_file", c.CertFile}, {"key_file", c.KeyFile}, {"ca_file", c.CAFile}} {
		if f.file == "" {
			problems = append(problems, errors.New(f.key+": is missing"))
		}
	}
	return errors.Join(problems...)
}

// Validate reports what is wrong here alone.
func (c Copies) Validate() error {
	var problems []error
	want := func(ok bool, text string) {
		if !ok {
			problems = append(problems, errors.New(text))
		}
	}
	want(c.Every > 0, "every: want more than 0")
	want(c.Retry > 0, "retry: want more than 0")
	want(c.Stale > 0, "stale: want more than 0")
	want(c.Batch > 0 && c.Batch <= 10_000, "batch: want 1 to 10000")
	want(c.Workers > 0 && c.Workers <= 1000, "workers: want 1 to 1000")
	want(c.EndUser != "", "end_user: is missing")
	return errors.Join(problems...)
}

func (c Copies) polling() core.Polling {
	return core.Polling{Every: c.Every, Retry: c.Retry, Batch: c.Batch, Workers: c.Workers, EndUser: c.EndUser}
}

func (a Assignment) spar() spar.Assignment {
	return spar.Assignment{Recipient: a.Recipient, Customer: a.Customer, ID: a.ID}
}

// platform returns the context for a service; that of the configuration if service is empty.
func (c Context) platform(service string) serviceplatform.Context {
	return serviceplatform.Context{
		ServiceAgreementUUID: c.ServiceAgreementUUID, UserSystemUUID: c.UserSystemUUID, UserUUID: c.UserUUID,
		ServiceUUID: cmp.Or(service, c.ServiceUUID), MunicipalityCVR: c.MunicipalityCVR, AccountingInfo: c.AccountingInfo,
	}
}

func contexts(single map[string]Context, service string) map[string]serviceplatform.Context {
	out := make(map[string]serviceplatform.Context, len(single))
	for id, c := range single {
		out[id] = c.platform(service)
	}
	return out
}

func assignments(single map[string]Assignment) map[string]spar.Assignment {
	out := make(map[string]spar.Assignment, len(single))
	for id, a := range single {
		out[id] = a.spar()
	}
	return out
}

// zones of the registers.
func zone(name string) (*time.Location, error) {
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("time zone: %w", err)
	}
	return z, nil
}
