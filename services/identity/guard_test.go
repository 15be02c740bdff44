package identity_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/identity"
	"samvirke.dev/services/identity/internal/importer"
	"samvirke.dev/services/platform/suitetest"
)

// Numbers by where they belong. The "real" ones are well formed, but nobody is looked up under them.
const (
	realDK      = "DK:1403851013"
	realSE      = "SE:198503140009"
	syntheticDK = "DK:7403851013"
	syntheticSE = "SE:198503149802"
)

// covers: SEC-09
func TestEnvironmentGuard(t *testing.T) {
	t.Parallel()
	for environment, tc := range map[string]struct{ inside, outside []string }{
		"test":       {[]string{syntheticDK, syntheticSE, "SE:198106039228", "DK:0107529039"}, []string{realDK, realSE}},
		"production": {[]string{realDK, realSE}, []string{syntheticDK, syntheticSE, "SE:198106039228", "DK:0107529039"}},
	} {
		t.Run(environment, func(t *testing.T) {
			t.Parallel()
			w := start(t, func(_ *suitetest.Options, cfg *identity.Config) { cfg.Environment = environment })
			c := w.as(fundDK)
			for _, n := range tc.inside {
				if got, err := c.verify(n, "Nobody", ""); err != nil || got != unknown {
					t.Errorf("verify a number of this environment: %v, %v", got, err)
				}
				_, err := c.resolve(n)
				want(t, err, codes.NotFound, "SUBJECT_NOT_FOUND")
			}
			for _, n := range tc.outside {
				checkOutside(t, w, c, n)
			}
			if strings.Contains(w.Logs.String(), tc.outside[0][3:]) {
				t.Error("the refused number is in the log")
			}
		})
	}
}

func checkOutside(t *testing.T, w *world, c *client, n string) {
	t.Helper()
	const reason = "NATIONAL_ID_OUTSIDE_ENVIRONMENT"
	_, err := c.verify(n, "Nobody", "")
	want(t, err, codes.InvalidArgument, reason)
	if strings.Contains(err.Error(), n[3:]) {
		t.Error("the refusal repeats the number")
	}
	_, err = c.resolve(n)
	want(t, err, codes.InvalidArgument, reason)
	out, err := c.batch(importer.Line{Number: n, BirthDate: "1985-03-14"})
	if err != nil || out.GetResults()[0].GetReason() != commonv1.Reason_REASON_NATIONAL_ID_OUTSIDE_ENVIRONMENT ||
		out.GetResults()[0].GetVerdict() != identityv1.Verdict_VERDICT_UNSPECIFIED {
		t.Errorf("in a batch: %v, %v", out, err)
	}
	file, err := json.Marshal(importer.Line{Number: n, RegisterTime: "2026-01-01T00:00:00Z"})
	must(t, err)
	if _, err := w.parts.Import(t.Context(), bytes.NewReader(file)); err == nil || strings.Contains(err.Error(), n[3:]) {
		t.Errorf("import: %v", err)
	}
}

// A forgotten environment opens nothing.
//
// covers: SEC-09
func TestNoEnvironmentNoService(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, environment := range []string{"", "prod", "TEST"} {
		cfg := identity.DefaultConfig()
		cfg.Environment = environment
		if _, err := identity.NewParts(t.Context(), cfg, w.DB, w.Keys, nil, nil); err == nil {
			t.Errorf("environment %q was accepted", environment)
		}
	}
}
