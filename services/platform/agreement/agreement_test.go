package agreement_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	"google.golang.org/grpc"

	_ "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/platform/agreement"
	"samvirke.dev/services/platform/authz"
)

const good = `id: fund-a
version: 1
controller: {id: "DK:10000009", name: Fund A}
recipient: {id: "DK:10000009", name: Fund A}
role: ROLE_FUND
valid_from: 2026-01-01T00:00:00Z
valid_until: 2027-01-01T00:00:00Z
grants:
  - rpc: samvirke.identity.v1.IdentityService/VerifyIdentity
    fields: [verdict]
    quota: {requests: 100, per: 60s}
    purposes:
      - purpose: PURPOSE_IDENTIFICATION
        legal_bases: [LEGAL_BASIS_A6_1_C]
        legal_references: ["DK:ALF§41"]
`

func methods(t *testing.T) authz.Methods {
	t.Helper()
	m, err := authz.Cover(map[string]grpc.ServiceInfo{
		"samvirke.identity.v1.IdentityService": {Methods: []grpc.MethodInfo{{Name: "VerifyIdentity"}, {Name: "GetPostalAddress"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func folder(files ...string) fstest.MapFS {
	out := fstest.MapFS{"README.txt": {Data: []byte("no agreement")}, "..data": {Data: []byte("hidden")}}
	for i, f := range files {
		out[string(rune('a'+i))+".yaml"] = &fstest.MapFile{Data: []byte(f)}
	}
	return out
}

func TestLoad(t *testing.T) {
	t.Parallel()
	set, err := agreement.Load(folder(good), methods(t))
	if err != nil {
		t.Fatal(err)
	}
	found := set.Between("DK:10000009", "DK:10000009")
	if len(found) != 1 || !set.Knows("DK:10000009") || set.Knows("DK:1") || len(set.Between("DK:10000009", "DK:2")) != 0 {
		t.Fatalf("found %v", found)
	}
	a := found[0]
	g := a.Grant("samvirke.identity.v1.IdentityService/VerifyIdentity")
	if g == nil || g.Quota.Requests != 100 || g.Quota.Per != time.Minute || a.Grant("samvirke.identity.v1.IdentityService/GetPostalAddress") != nil {
		t.Errorf("grant %+v", g)
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for at, want := range map[time.Time]bool{start.Add(-1): false, start: true, end.Add(-1): true, end: false} {
		if a.Active(at) != want {
			t.Errorf("active at %v: %v", at, !want)
		}
	}
	if a.Reference().GetId() != "fund-a" || len(a.Reference().GetDigest()) != 32 {
		t.Errorf("reference %v", a.Reference())
	}
}

// Every broken file refuses the whole set, and the error says what is wrong.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	swap := func(old, fresh string) string {
		if !strings.Contains(good, old) {
			panic("test: " + old)
		}
		return strings.Replace(good, old, fresh, 1)
	}
	for name, tc := range map[string]struct {
		files []string
		want  string
	}{
		"none":           {nil, "no *.yaml"},
		"not YAML":       {[]string{good, "{"}, "b.yaml"},
		"unknown key":    {[]string{good + "extra: 1\n"}, "extra"},
		"unknown value":  {[]string{swap("ROLE_FUND", "ROLE_KING")}, "ROLE_KING"},
		"no role":        {[]string{swap("role: ROLE_FUND\n", "")}, "role"},
		"service role":   {[]string{swap("ROLE_FUND", "ROLE_SERVICE")}, "role"},
		"bad controller": {[]string{swap(`controller: {id: "DK:10000009"`, `controller: {id: "NO:1"`)}, "controller"},
		"backwards":      {[]string{swap("2027-01-01", "2025-01-01")}, "valid_until"},
		"unknown field":  {[]string{swap("[verdict]", "[salary]")}, "salary"},
		"unknown RPC":    {[]string{swap("VerifyIdentity", "VerifyEverything")}, "VerifyEverything"},
		"wrong purpose":  {[]string{swap("PURPOSE_IDENTIFICATION", "PURPOSE_MARKETING")}, "PURPOSE_MARKETING"},
		"wrong basis":    {[]string{swap("[LEGAL_BASIS_A6_1_C]", "[LEGAL_BASIS_A6_1_A]")}, "LEGAL_BASIS_A6_1_A"},
		"role not open":  {[]string{swap("ROLE_FUND", "ROLE_PARTNER")}, "not open"},
		"processor":      {[]string{swap("ROLE_FUND", "ROLE_PROCESSOR")}, "processing_agreement_id"},
		"no balancing":   {[]string{swap("[LEGAL_BASIS_A6_1_C]", "[LEGAL_BASIS_A6_1_F]")}, "balancing_id"},
		"twice":          {[]string{good, good}, "two files"},
		"overlap":        {[]string{good, swap("id: fund-a", "id: fund-b")}, "overlaps"},
		"quota":          {[]string{swap("per: 60s", "per: 0s")}, "quota"},
		"huge":           {[]string{good + "#" + strings.Repeat("x", 1<<20)}, "larger"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := agreement.Load(folder(tc.files...), methods(t))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestNewVersionFollowsOld(t *testing.T) {
	t.Parallel()
	next := strings.NewReplacer("version: 1", "version: 2", "valid_from: 2026-01-01", "valid_from: 2027-01-01",
		"valid_until: 2027-01-01", "valid_until: 2028-01-01").Replace(good)
	set, err := agreement.Load(folder(good, next), methods(t))
	if err != nil || len(set.Between("DK:10000009", "DK:10000009")) != 2 {
		t.Errorf("%v", err)
	}
}

// A broken change keeps the old set; a good one replaces it while calls read; keys that can't be prepared keep the old set
// until they can.
func TestReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.yaml", good)
	var prepared error
	store, err := agreement.NewStore(os.DirFS(dir), methods(t), slog.New(slog.DiscardHandler), noop.Meter{},
		func(context.Context, *agreement.Set) error { return prepared })
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if !store.Current().Knows("DK:10000009") {
					t.Error("an empty set was in force")
					return
				}
			}
		})
	}
	defer readers.Wait()
	defer stop()

	write("b.yaml", "broken: [")
	store.Reload(ctx)
	if store.Set().Len() != 1 {
		t.Fatal("a broken set came in force")
	}
	write("b.yaml", strings.NewReplacer("fund-a", "fund-b", "DK:10000009", "DK:20000018").Replace(good))
	prepared = context.DeadlineExceeded
	store.Reload(ctx)
	if store.Set().Len() != 1 {
		t.Fatal("a set whose keys are not there came in force")
	}
	prepared = nil
	store.Reload(ctx)
	if store.Set().Len() != 2 || len(store.Set().Controllers()) != 2 {
		t.Fatal("a good set did not come in force")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(good)
	f.Add("id: [")
	f.Fuzz(func(t *testing.T, text string) {
		set, err := agreement.Load(fstest.MapFS{"a.yaml": {Data: []byte(text)}}, authz.Methods{})
		if (set == nil) == (err == nil) {
			t.Error("neither a set nor an error, or both")
		}
	})
}
