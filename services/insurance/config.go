// Package insurance is the insurance sharing service: what a fund or union may give its insurance partners about a member, and how it is
// stopped. This package is its composition root and nothing else.
package insurance

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/chassis"
)

// Config is the configuration of the service; the keys that all services share stand at the top level.
type Config struct {
	chassis.Config `yaml:",inline"`

	TimeZone    string       `yaml:"time_zone" class:"public" doc:"zone whose civil dates decide"`
	Controllers []Controller `yaml:"controllers" class:"public" doc:"what each controller allows itself; a controller that is not named shares nothing"`
	Identity    Identity     `yaml:"identity" class:"public" doc:"the identity service, which says who is protected and where members live"`
	Cursors     Cursors      `yaml:"cursors" class:"public" doc:"how long partners can go on from a cursor"`
	Jobs        Jobs         `yaml:"jobs" class:"public" doc:"work in the background"`
	Keep        Keep         `yaml:"keep" class:"public" doc:"how long things are kept"`
}

// Controller is what one controller allows itself, whatever it agrees with partners.
type Controller struct {
	ID           string   `yaml:"id" class:"internal" doc:"country and organisation number, such as DK:12345678"`
	Classes      []string `yaml:"classes" class:"public" doc:"classes of partners that it has at all, such as INSURANCE_AGENCY"`
	Purposes     []string `yaml:"purposes" class:"public" doc:"purposes for which it shares at all, such as INSURANCE_OFFER"`
	NoCommerce   bool     `yaml:"no_commerce" class:"public" doc:"it shares nothing for commercial purposes, whatever an agreement says"`
	Union        bool     `yaml:"union" class:"public" doc:"the mere share shows a union membership, so that a basis in GDPR art. 9 is needed"`
	ConsentYears int      `yaml:"consent_years" class:"public" doc:"years that a consent holds; 0 until it is withdrawn"`
}

// Identity says where the identity service is and on which law it is asked.
type Identity struct {
	Address string        `yaml:"address" class:"internal" doc:"host:port"`
	LawDK   string        `yaml:"law_dk" class:"public" doc:"legal reference on which it is asked for Danish controllers"`
	LawSE   string        `yaml:"law_se" class:"public" doc:"legal reference on which it is asked for Swedish controllers"`
	Timeout time.Duration `yaml:"timeout" class:"public" doc:"longest wait for an answer; without one a member counts as protected"`
}

// Cursors says how long cursors hold.
type Cursors struct {
	Keep time.Duration `yaml:"keep" class:"public" doc:"how long a cursor of a mailbox is accepted"`
}

// Jobs says how often the background work is done.
type Jobs struct {
	Sweep time.Duration `yaml:"sweep" class:"public" doc:"how often every share is looked at anew: consents that ran out, members who are protected now"`
	Tidy  time.Duration `yaml:"tidy" class:"public" doc:"how often what is kept no longer is removed"`
}

// Keep says how long things are kept.
type Keep struct {
	ContactYears    int           `yaml:"contact_years" class:"public" doc:"years after the end of a membership that contact data are kept"`
	Items           time.Duration `yaml:"items" class:"public" doc:"how long items of a mailbox are kept that the partner has confirmed"`
	DisclosureYears int           `yaml:"disclosure_years" class:"public" doc:"years that the record of who got what is kept"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	const day = 24 * time.Hour
	return Config{
		Config: chassis.DefaultConfig(), TimeZone: "Europe/Copenhagen",
		Identity: Identity{LawDK: "DK:ALF§90b", LawSE: "SE:SFS-1998:527:3-1", Timeout: 2 * time.Second},
		Cursors:  Cursors{Keep: 90 * day}, Jobs: Jobs{Sweep: time.Hour, Tidy: 6 * time.Hour},
		Keep: Keep{ContactYears: 1, Items: 90 * day, DisclosureYears: 5},
	}
}

// Validate reports every problem of the configuration at once, without any value.
func (c Config) Validate() error {
	problems := []error{c.Config.Validate()}
	want := func(ok bool, text string) {
		if !ok {
			problems = append(problems, errors.New(text))
		}
	}
	_, err := time.LoadLocation(c.TimeZone)
	want(err == nil && c.TimeZone != "", "time_zone: want a zone of the IANA database, such as Europe/Copenhagen")
	_, _, err = net.SplitHostPort(c.Identity.Address)
	want(err == nil, "identity.address: want host:port; without the identity service everybody counts as protected")
	want(c.Identity.LawDK != "" || c.Identity.LawSE != "", "identity.law_dk, identity.law_se: want a legal reference")
	want(c.Identity.Timeout > 0, "identity.timeout: want more than 0")
	want(c.Cursors.Keep >= time.Hour, "cursors.keep: want at least 1h")
	want(c.Jobs.Sweep >= time.Second && c.Jobs.Tidy >= time.Second, "jobs.sweep, jobs.tidy: want at least 1s")
	want(c.Keep.ContactYears >= 0 && c.Keep.DisclosureYears >= 1, "keep.contact_years, keep.disclosure_years: want at least 0 and 1")
	want(c.Keep.Items >= time.Hour, "keep.items: want at least 1h")
	seen := map[string]bool{}
	for i, one := range c.Controllers {
		want(!seen[one.ID], fmt.Sprintf("controllers[%d].id: is named twice", i))
		seen[one.ID] = true
		problems = append(problems, one.validate(i))
	}
	return errors.Join(problems...)
}

func (c Controller) validate(i int) error {
	var problems []error
	want := func(ok bool, text string) {
		if !ok {
			problems = append(problems, fmt.Errorf("controllers[%d].%s", i, text))
		}
	}
	want(c.ID != "", "id: want country and organisation number")
	for _, class := range c.Classes {
		want(core.RuleOf(core.Class(class)).Fields != 0, "classes: hold a class that does not exist")
	}
	for _, p := range c.Purposes {
		want(slices.Contains(core.Purposes(), core.Purpose(p)), "purposes: hold a purpose for which nothing can be shared")
	}
	want(c.ConsentYears >= 0 && c.ConsentYears <= 10, "consent_years: want 0 to 10")
	return errors.Join(problems...)
}

// policies are the controllers as the rules know them.
func (c Config) policies() []core.Policy {
	out := make([]core.Policy, len(c.Controllers))
	for i, one := range c.Controllers {
		out[i] = core.Policy{Controller: one.ID, NoCommerce: one.NoCommerce, Union: one.Union, ConsentYears: one.ConsentYears}
		for _, class := range one.Classes {
			out[i].Classes = append(out[i].Classes, core.Class(class))
		}
		for _, p := range one.Purposes {
			out[i].Purposes = append(out[i].Purposes, core.Purpose(p))
		}
	}
	return out
}
