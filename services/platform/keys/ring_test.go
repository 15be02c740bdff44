package keys_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/keys"
)

const member = "SE:198503149802"

// covers: SEC-03
func TestEncryptDecrypt(t *testing.T) {
	t.Parallel()
	a := aeadOf(t, newKit().open(t), person)
	plain, ad := []byte("Provgatan 1"), []byte("person/address/7")
	ct := must[[]byte](t)(a.Encrypt(plain, ad))
	if bytes.Contains(ct, plain) {
		t.Error("plaintext in the ciphertext")
	}
	if got := must[[]byte](t)(a.Decrypt(ct, ad)); !bytes.Equal(got, plain) {
		t.Errorf("Decrypt = %q", got)
	}
	for name, broken := range map[string]struct{ ct, ad []byte }{
		"other associated data": {ct, []byte("person/address/8")},
		"no associated data":    {ct, nil},
		"flipped bit":           {append(bytes.Clone(ct[:len(ct)-1]), ct[len(ct)-1]^1), ad},
		"truncated":             {ct[:len(ct)-1], ad},
		"empty":                 {nil, ad},
	} {
		if _, err := a.Decrypt(broken.ct, broken.ad); !errors.Is(err, keys.ErrDecrypt) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := a.Decrypt([]byte("\x01\xde\xad\xbe\xef0123456789012345678901234567"), ad); !errors.Is(err, keys.ErrUnknownVersion) {
		t.Errorf("foreign version: error %v", err)
	}
	if v, ok := a.Version(ct); !ok || v == 0 {
		t.Errorf("Version = %08x, %v", v, ok)
	}
}

// covers: SEC-04
func TestPseudonymsDifferPerControllerAndSurviveRestart(t *testing.T) {
	t.Parallel()
	k := newKit()
	r := k.open(t)
	a := must[string](t)(prfOf(t, r, fundA).Pseudonym(member))
	b := must[string](t)(prfOf(t, r, fundB).Pseudonym(member))
	if a == b || a[10:] == b[10:] {
		t.Errorf("two controllers can join: %s, %s", a, b)
	}
	if other := must[string](t)(prfOf(t, r, fundA).Pseudonym("SE:198503149810")); other == a {
		t.Error("two persons share a pseudonym")
	}
	restarted := prfOf(t, k.open(t), fundA)
	if again := must[string](t)(restarted.Pseudonym(member)); again != a {
		t.Errorf("after restart %s, before %s", again, a)
	}
	if k.store.saves != 3 {
		t.Errorf("%d keysets were saved, want 3 once", k.store.saves)
	}
	if _, err := restarted.Pseudonym(""); !errors.Is(err, keys.ErrEmptyInput) {
		t.Errorf("empty input: %v", err)
	}
}

// covers: SEC-10
func TestRotationKeepsOldReadable(t *testing.T) {
	t.Parallel()
	k := newKit()
	r := k.open(t)
	a, p := aeadOf(t, r, person), prfOf(t, r, fundA)
	oldCT := must[[]byte](t)(a.Encrypt([]byte("old"), nil))
	oldPs := must[string](t)(p.Pseudonym(member))
	oldDigest := must[keys.Digest](t)(p.Digest([]byte("request")))
	for _, name := range []string{person, fundA} {
		if err := r.Rotate(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	newPs := must[string](t)(p.Pseudonym(member))
	if newPs == oldPs {
		t.Error("rotation changed nothing")
	}
	newCT := must[[]byte](t)(a.Encrypt([]byte("new"), nil))
	if bytes.Equal(newCT[:5], oldCT[:5]) {
		t.Error("the new ciphertext has the old version")
	}
	// What holds at once must also hold after a restart.
	for _, r := range []*keys.Ring{r, k.open(t)} {
		a, p := aeadOf(t, r, person), prfOf(t, r, fundA)
		if got := must[[]byte](t)(a.Decrypt(oldCT, nil)); string(got) != "old" {
			t.Errorf("old ciphertext: %q", got)
		}
		all := must[[]string](t)(p.All(member))
		if len(all) != 2 || all[0] != newPs || all[1] != oldPs {
			t.Errorf("All = %v, want the new before the old", all)
		}
		if ok := must[bool](t)(p.Matches(oldPs, member)); !ok {
			t.Error("the old pseudonym is not recognised")
		}
		if ok := must[bool](t)(p.Matches(oldPs, "SE:198503149810")); ok {
			t.Error("the old pseudonym matches somebody else")
		}
		if ok := must[bool](t)(p.DigestMatches(oldDigest, []byte("request"))); !ok {
			t.Error("the old digest is not recognised")
		}
	}
}

func TestStagedRotationIsReadableEverywhereFirst(t *testing.T) {
	t.Parallel()
	k := newKit()
	one, two := k.open(t), k.open(t)
	if err := one.Stage(t.Context(), person); err != nil {
		t.Fatal(err)
	}
	before := must[[]byte](t)(aeadOf(t, one, person).Encrypt([]byte("x"), nil))
	if err := two.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := one.Rotate(t.Context(), person); err != nil {
		t.Fatal(err)
	}
	after := must[[]byte](t)(aeadOf(t, one, person).Encrypt([]byte("x"), nil))
	if bytes.Equal(before[:5], after[:5]) {
		t.Error("staging already changed the primary key, or rotation did not")
	}
	if _, err := aeadOf(t, two, person).Decrypt(after, nil); err != nil {
		t.Errorf("the other replica can't read: %v", err)
	}
	if got := k.store.get(person).revision; got != 3 {
		t.Errorf("revision %d, want 3: rotation must promote, not add", got)
	}
}

func TestUnstagedRotationIsPickedUpByTheOtherReplica(t *testing.T) {
	t.Parallel()
	k := newKit()
	one, two := k.open(t), k.open(t)
	if err := one.Rotate(t.Context(), fundA); err != nil {
		t.Fatal(err)
	}
	ps := must[string](t)(prfOf(t, one, fundA).Pseudonym(member))
	p := prfOf(t, two, fundA)
	if _, err := p.Matches(ps, member); !errors.Is(err, keys.ErrUnknownVersion) {
		t.Fatalf("before the refresh: %v", err)
	}
	if err := two.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ok := must[bool](t)(p.Matches(ps, member)); !ok {
		t.Error("not recognised after the refresh")
	}
}

func TestRacingReplicasEndWithOneKeyset(t *testing.T) {
	t.Parallel()
	k := newKit()
	const replicas = 8
	got := make([]string, replicas)
	var wg sync.WaitGroup
	for i := range replicas {
		wg.Go(func() {
			r, err := keys.Open(t.Context(), k.config(), specs()...)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = r.Close() }()
			p, err := r.PRF(fundA)
			if err != nil {
				t.Error(err)
				return
			}
			got[i], err = p.Pseudonym(member)
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, ps := range got {
		if ps == "" || ps != got[0] {
			t.Fatalf("replicas disagree: %v", got)
		}
	}
	if k.store.saves != len(specs()) {
		t.Errorf("%d saves, want %d", k.store.saves, len(specs()))
	}
}

func TestRacingRotationsLoseNothing(t *testing.T) {
	t.Parallel()
	k := newKit()
	rings := []*keys.Ring{k.open(t), k.open(t), k.open(t)}
	var wg sync.WaitGroup
	for _, r := range rings {
		wg.Go(func() {
			if err := r.Rotate(t.Context(), fundA); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := rings[0].Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all := must[[]string](t)(prfOf(t, rings[0], fundA).All(member)); len(all) != 4 {
		t.Errorf("%d versions, want 4", len(all))
	}
}

func TestSwappedRowsAndForeignKeysAreRefused(t *testing.T) {
	t.Parallel()
	k := newKit()
	k.open(t)
	a, b := k.store.get(fundA), k.store.get(fundB)
	k.store.put(fundA, b)
	if _, err := keys.Open(t.Context(), k.config(), specs()...); !errors.Is(err, keys.ErrUnwrap) {
		t.Errorf("rows swapped: %v", err)
	}
	k.store.put(fundA, a)
	other := specs()
	other[1].KEK = "kek-person"
	if _, err := keys.Open(t.Context(), k.config(), other...); !errors.Is(err, keys.ErrUnwrap) {
		t.Errorf("wrong key-encryption key: %v", err)
	}
	other = specs()
	other[1].Kind = keys.KindAEAD
	if _, err := keys.Open(t.Context(), k.config(), other...); !errors.Is(err, keys.ErrUnwrap) {
		t.Errorf("wrong kind: %v", err)
	}
	k.store.put(fundA, row{wrapped: []byte("garbage"), revision: 1})
	if _, err := keys.Open(t.Context(), k.config(), specs()...); err == nil {
		t.Error("garbage was accepted")
	}
}

func TestRollbackIsRefused(t *testing.T) {
	t.Parallel()
	k := newKit()
	r := k.open(t)
	first := k.store.get(fundA)
	if err := r.Rotate(t.Context(), fundA); err != nil {
		t.Fatal(err)
	}
	p := prfOf(t, r, fundA)
	want := must[string](t)(p.Pseudonym(member))
	k.store.put(fundA, first)
	if err := r.Refresh(t.Context()); !errors.Is(err, keys.ErrRolledBack) {
		t.Errorf("error %v", err)
	}
	if got := must[string](t)(p.Pseudonym(member)); got != want {
		t.Error("the old keyset is in use")
	}
}

func TestDownAtStartIsAClearRefusal(t *testing.T) {
	t.Parallel()
	k := newKit()
	k.open(t)
	k.vault.down.Store(true)
	_, err := keys.Open(t.Context(), k.config(), specs()...)
	if !errors.Is(err, keys.ErrUnreachable) || !strings.Contains(err.Error(), person) {
		t.Errorf("error %v", err)
	}
}

func TestDownLaterServesThenFailsClosedThenRecovers(t *testing.T) {
	t.Parallel()
	k := newKit()
	r := k.open(t)
	a, p := aeadOf(t, r, person), prfOf(t, r, fundA)
	ct := must[[]byte](t)(a.Encrypt([]byte("x"), nil))
	calls := k.vault.calls.Load()
	k.vault.down.Store(true)
	k.clock.Advance(time.Hour)
	if err := r.Refresh(t.Context()); !errors.Is(err, keys.ErrUnreachable) {
		t.Fatalf("Refresh: %v", err)
	}
	if _, err := a.Decrypt(ct, nil); err != nil {
		t.Errorf("within MaxAge: %v", err)
	}
	k.clock.Advance(time.Nanosecond)
	for name, op := range operations(a, p, ct) {
		if err := op(); !errors.Is(err, keys.ErrExpired) {
			t.Errorf("%s after MaxAge: %v", name, err)
		}
	}
	k.vault.down.Store(false)
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, op := range operations(a, p, ct) {
		if err := op(); err != nil {
			t.Errorf("%s after recovery: %v", name, err)
		}
	}
	if got := k.vault.calls.Load() - calls; got != 6 {
		t.Errorf("%d calls to the key service, want 6 from two refreshes and none from operations", got)
	}
}

func operations(a *keys.AEAD, p *keys.PRF, ct []byte) map[string]func() error {
	return map[string]func() error{
		"Encrypt":   func() error { _, err := a.Encrypt(nil, nil); return err },
		"Decrypt":   func() error { _, err := a.Decrypt(ct, nil); return err },
		"Pseudonym": func() error { _, err := p.Pseudonym(member); return err },
		"All":       func() error { _, err := p.All(member); return err },
		"Digest":    func() error { _, err := p.Digest(nil); return err },
		"Version":   func() error { _, err := p.Version(); return err },
	}
}

// Time is the bubble's, so an outage of hours takes no time.
func TestRunRefreshesFailsClosedAndRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit()
		var log lockedBuffer
		k.log = slog.NewTextHandler(&log, nil)
		cfg := k.config()
		cfg.Now = clock.System().Now
		r, err := keys.Open(t.Context(), cfg, specs()...)
		if err != nil {
			t.Fatal(err)
		}
		p := prfOf(t, r, fundA)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()

		pass(3 * time.Hour)
		if _, err := p.Pseudonym(member); err != nil {
			t.Errorf("while all is well: %v", err)
		}
		k.vault.down.Store(true)
		pass(45 * time.Minute)
		if _, err := p.Pseudonym(member); err != nil {
			t.Errorf("early in the outage: %v", err)
		}
		calls := k.vault.calls.Load()
		pass(5 * time.Hour)
		if _, err := p.Pseudonym(member); !errors.Is(err, keys.ErrExpired) {
			t.Errorf("late in the outage: %v", err)
		}
		if n := k.vault.calls.Load() - calls; n > 3*5*10 {
			t.Errorf("%d calls in five hours of outage: no back-off", n)
		}
		k.vault.down.Store(false)
		pass(15 * time.Minute)
		if _, err := p.Pseudonym(member); err != nil {
			t.Errorf("after the outage: %v", err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		if s := log.String(); !strings.Contains(s, "keyset refresh failed") || !strings.Contains(s, "refreshed again") {
			t.Errorf("log: %s", s)
		}
	})
}

// An unknown version makes Run look early, but a stream of them must not become a stream of calls.
func TestUnknownVersionNudgesRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit()
		cfg := k.config()
		cfg.Now = clock.System().Now
		one := must[*keys.Ring](t)(keys.Open(t.Context(), cfg, specs()...))
		two := must[*keys.Ring](t)(keys.Open(t.Context(), cfg, specs()...))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- two.Run(ctx) }()
		if err := one.Rotate(t.Context(), fundA); err != nil {
			t.Fatal(err)
		}
		ps := must[string](t)(prfOf(t, one, fundA).Pseudonym(member))
		calls := k.vault.calls.Load()
		for range 1000 {
			_, _ = prfOf(t, two, fundA).Matches(ps, member)
		}
		pass(time.Second)
		if ok := must[bool](t)(prfOf(t, two, fundA).Matches(ps, member)); !ok {
			t.Error("not picked up within a second")
		}
		if n := k.vault.calls.Load() - calls; n > 6 {
			t.Errorf("%d calls", n)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}

// pass lets the bubble's clock run.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestEnsureAtRunTime(t *testing.T) {
	t.Parallel()
	k := newKit()
	r := k.open(t)
	late := keys.Spec{Name: "identity/handle/dk/87654321", Kind: keys.KindPRF, KEK: "kek-handle"}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := r.Ensure(t.Context(), late); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := prfOf(t, r, late.Name).Pseudonym(member); err != nil {
		t.Error(err)
	}
	late.KEK = "kek-person"
	if err := r.Ensure(t.Context(), late); !errors.Is(err, keys.ErrKind) {
		t.Errorf("declared differently: %v", err)
	}
	if _, err := r.AEAD(fundA); !errors.Is(err, keys.ErrKind) {
		t.Errorf("wrong kind: %v", err)
	}
	if _, err := r.PRF("nobody"); !errors.Is(err, keys.ErrUnknownName) {
		t.Errorf("unknown name: %v", err)
	}
	if err := r.Rotate(t.Context(), "nobody"); !errors.Is(err, keys.ErrUnknownName) {
		t.Errorf("unknown name: %v", err)
	}
}

func TestOpenRefusesNonsense(t *testing.T) {
	t.Parallel()
	if _, err := keys.Open(t.Context(), keys.Config{}); err == nil || !strings.Contains(err.Error(), "Store") || !strings.Contains(err.Error(), "Now") {
		t.Errorf("want every problem at once, got %v", err)
	}
	cfg := newKit().config()
	cfg.MaxAge = cfg.RefreshEvery
	if _, err := keys.Open(t.Context(), cfg); err == nil {
		t.Error("MaxAge = RefreshEvery was accepted")
	}
	for _, s := range []keys.Spec{
		{Name: "", Kind: keys.KindPRF, KEK: "k"}, {Name: "Upper", Kind: keys.KindPRF, KEK: "k"},
		{Name: "ok", Kind: keys.KindPRF, KEK: "../sys/seal"}, {Name: "ok", Kind: 0, KEK: "k"}, {Name: "a\x00b", Kind: keys.KindPRF, KEK: "k"},
	} {
		if _, err := keys.Open(t.Context(), newKit().config(), s); err == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
	k := newKit()
	k.store.fail = errors.New("disk gone")
	if _, err := keys.Open(t.Context(), k.config(), specs()...); !errors.Is(err, k.store.fail) {
		t.Errorf("store failure: %v", err)
	}
}

func TestClosedRingFailsClosed(t *testing.T) {
	t.Parallel()
	r, err := keys.Open(t.Context(), newKit().config(), specs()...)
	if err != nil {
		t.Fatal(err)
	}
	a := aeadOf(t, r, person)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Encrypt(nil, nil); !errors.Is(err, keys.ErrExpired) {
		t.Errorf("error %v", err)
	}
}

func TestNothingPrintsKeys(t *testing.T) {
	t.Parallel()
	r := newKit().open(t)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "a", aeadOf(t, r, person), "p", prfOf(t, r, fundA))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		fmt.Fprintf(&log, verb+verb+"\n", aeadOf(t, r, person), prfOf(t, r, fundA))
	}
	want := "aead:" + person + "prf:" + fundA
	for _, line := range strings.Split(strings.TrimSpace(log.String()), "\n")[1:] {
		if line != want {
			t.Errorf("printed %q, want %q", line, want)
		}
	}
}

func TestAgeGauge(t *testing.T) {
	t.Parallel()
	k := newKit()
	reader := sdkmetric.NewManualReader()
	mp := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	cfg := k.config()
	cfg.Meter = mp.Meter("test")
	r, err := keys.Open(t.Context(), cfg, specs()...)
	if err != nil {
		t.Fatal(err)
	}
	k.clock.Advance(90 * time.Second)
	var rm metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &rm); err != nil {
		t.Fatal(err)
	}
	m := rm.ScopeMetrics[0].Metrics[0]
	g, ok := m.Data.(metricdata.Gauge[float64])
	if m.Name != "samvirke.keys.age" || m.Unit != "s" || !ok || g.DataPoints[0].Value != 90 {
		t.Errorf("metric %+v", m)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := mp.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
