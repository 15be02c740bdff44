package e2e_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
)

// TestAgreementsChangeUnderLoad changes the Danish fund's agreement while calls run. A broken file changes nothing and costs no
// call; a narrower one takes effect without a restart; the old one brings the grant back.
//
// covers: SEC-02, SEC-05
func TestAgreementsChangeUnderLoad(t *testing.T) {
	t.Parallel()
	f := start(t)
	file := filepath.Join(f.AgreementDir(), "dk-fund-nord.yaml")
	good, err := os.ReadFile(file)
	must(t, err)

	l := newLoad(f)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { l.run(ctx, 4, 0) })
	must(t, os.WriteFile(file, append(bytes.Clone(good), "nonsense: true\n"...), 0o600))
	eventually(t, "the broken file is noticed", func() bool { return f.logged("agreements") })
	before := l.answered.Load()
	eventually(t, "calls go on", func() bool { return l.answered.Load() > before+200 || l.failures() != nil })
	cancel()
	wg.Wait()
	must(t, l.failures())

	must(t, os.WriteFile(file, bytes.ReplaceAll(good, []byte("systems: [caseworker"), []byte("systems: [other")), 0o600))
	eventually(t, "the narrower agreement is in force", func() bool {
		return errs.ReasonOf(f.fresh(t)) == commonv1.Reason_REASON_RPC_NOT_GRANTED
	})
	must(t, os.WriteFile(file, good, 0o600))
	eventually(t, "the old agreement is in force again", func() bool { return f.fresh(t) == nil })
}
