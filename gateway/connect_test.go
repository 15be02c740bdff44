package gateway_test

import (
	"strings"
	"testing"
	"time"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/gateway/internal/connect"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/suitetest"
)

// Each thing that can be wrong at a partner's is named, with who must do what, and nothing else is.
func TestConnect(t *testing.T) {
	t.Parallel()
	w := start(t)
	local := strings.Replace(w.url, "127.0.0.1", "localhost", 1)
	files := func(org string, opts ...certtest.Option) connect.Config {
		p := w.CA.Files(w.system(org), opts...)
		return connect.Config{URL: local, Cert: p.Cert, Key: p.Key, CA: p.CA, Controller: fund, Route: verifyPath, Clock: clock.System()}
	}
	good := files(fund)
	foreign := certtest.New(t, suitetest.TrustDomain)
	strange := foreign.Files(w.system(fund))
	service := w.CA.Files(w.CA.Service("income"))
	for name, tc := range map[string]struct {
		edit func(*connect.Config)
		step string // the one that fails; empty for none
		says string
	}{
		"all is well":         {func(*connect.Config) {}, "", ""},
		"without controller":  {func(c *connect.Config) { c.Controller = "" }, "", ""},
		"no file":             {func(c *connect.Config) { c.Cert = "/nowhere" }, "certificate and key", "Name the files"},
		"key of another":      {func(c *connect.Config) { c.Key = files(fund).Key }, "certificate and key", "must be the one"},
		"no anchors":          {func(c *connect.Config) { c.CA = c.Key }, "certificate and key", "trust anchors"},
		"a service's":         {func(c *connect.Config) { c.Cert, c.Key = service.Cert, service.Key }, "identity", "own services"},
		"expired":             {func(c *connect.Config) { *c = files(fund, certtest.Expired()) }, "validity", "renewed"},
		"not yet valid":       {func(c *connect.Config) { *c = files(fund, certtest.NotYetValid()) }, "validity", "clock"},
		"clock far behind":    {func(c *connect.Config) { c.Clock = clock.NewFake(clock.System().Now().Add(10 * time.Minute)) }, "TLS and clock", "NTP"},
		"plain address":       {func(c *connect.Config) { c.URL = "http://localhost" }, "reach", "https"},
		"nobody there":        {func(c *connect.Config) { c.URL = "https://localhost:1" }, "reach", "network"},
		"another host name":   {func(c *connect.Config) { c.URL = w.url }, "TLS and clock", "names another host"},
		"foreign anchors":     {func(c *connect.Config) { c.CA = strange.CA }, "TLS and clock", "anchors"},
		"foreign certificate": {func(c *connect.Config) { c.Cert, c.Key = strange.Cert, strange.Key }, "TLS and clock", "refused your certificate"},
		"no agreement":        {func(c *connect.Config) { *c = files("SE:5560000001"); c.Controller = "SE:5560000001" }, "agreement", "controller: Conclude an agreement"},
		"another controller":  {func(c *connect.Config) { c.Controller = otherFund }, "agreement", "CONTROLLER_MISMATCH"},
		"no such route":       {func(c *connect.Config) { c.Route = "/v1/nothing" }, "agreement", "UNIMPLEMENTED"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			tc.edit(&cfg)
			found := connect.Check(t.Context(), cfg)
			last := found[len(found)-1]
			if tc.step == "" {
				if !last.OK {
					t.Errorf("%+v", last)
				}
				return
			}
			if last.OK || last.Name != tc.step || !strings.Contains(last.Detail+" "+last.Mend, tc.says) {
				t.Errorf("found %+v", last)
			}
			for _, f := range found[:len(found)-1] {
				if !f.OK {
					t.Errorf("it went on after %+v", f)
				}
			}
		})
	}
}
