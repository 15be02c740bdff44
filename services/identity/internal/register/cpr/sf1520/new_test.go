package sf1520_test

import (
	"strings"
	"testing"

	"samvirke.dev/services/identity/internal/register/cpr/sf1520"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bend func(*sf1520.Deps)
		says string // "" if it is fine
	}{
		"fine":      {func(*sf1520.Deps) {}, ""},
		"version 4": {func(d *sf1520.Deps) { d.Version = "4" }, ""},
		"version 5": {func(d *sf1520.Deps) { d.Version = "5" }, ""},
		"version 3": {func(d *sf1520.Deps) { d.Version = "3" }, "version"},
		"caller":    {func(d *sf1520.Deps) { d.Caller = nil }, "no caller"},
		"clock":     {func(d *sf1520.Deps) { d.Clock = nil }, "no clock"},
		"zone":      {func(d *sf1520.Deps) { d.Zone = nil }, "no time zone"},
		"agreement": {func(d *sf1520.Deps) { d.Context.ServiceAgreementUUID = "" }, "ServiceAgreementUUID"},
		"system":    {func(d *sf1520.Deps) { d.Context.UserSystemUUID = "x" }, "UserSystemUUID"},
		"user": {func(d *sf1520.Deps) {
			d.Context.UserUUID = strings.ToUpper("aaaaaaaa-2222-4333-8444-555555555501")
		}, "UserUUID"},
		"service":    {func(d *sf1520.Deps) { d.Context.ServiceUUID = "{11111111-2222-4333-8444-555555555504}" }, "ServiceUUID"},
		"authority":  {func(d *sf1520.Deps) { d.Context.MunicipalityCVR = "1234567" }, "MunicipalityCVR"},
		"accounting": {func(d *sf1520.Deps) { d.Context.AccountingInfo = strings.Repeat("ø", 256) }, "AccountingInfo"},
		"controller": {func(d *sf1520.Deps) {
			d.Controllers = map[string]sf1520.Context{"DK:12345678": {MunicipalityCVR: "1234567x"}}
		}, "DK:12345678"},
		"everything": {func(d *sf1520.Deps) { *d = sf1520.Deps{} }, "no clock"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deps(t, canned(nil))
			c.bend(&d)
			r, err := sf1520.New(d)
			if c.says == "" {
				if err != nil || r == nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}
