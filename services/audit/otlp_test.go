package audit_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"samvirke.dev/services/platform/suitetest"
	"samvirke.dev/services/platform/telemetry"
	"samvirke.dev/services/platform/telemetry/oteltest"
)

// eventsAt returns the event ids of the audit records that arrived, in order.
func eventsAt(c *oteltest.Collector) (out []string) {
	for _, l := range c.Logs() {
		for _, kv := range l.GetAttributes() {
			if kv.GetKey() == string(telemetry.KeyEventID) {
				out = append(out, kv.GetValue().GetStringValue())
			}
		}
	}
	return out
}

// Every record goes to the OTLP endpoint, also those kept while it was away and those from before a restart, in order and none twice; whom it is
// about goes encrypted.
//
// covers: SEC-06
func TestRecordsGoToTheEndpoint(t *testing.T) {
	t.Parallel()
	w := start(t)
	col, err := oteltest.New(t.Context())
	must(t, err)
	address := col.Address()
	must(t, col.Close()) // away for now
	tel, err := telemetry.New(t.Context(), telemetry.Config{
		Endpoint: "http://" + address, ServiceName: "audit", LogWriter: &suitetest.SafeBuffer{}, MetricInterval: time.Hour,
	})
	must(t, err)
	t.Cleanup(func() { check(t, tel.Shutdown(context.Background())) })
	run := func() (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { check(t, w.parts.Feed(tel).Run(ctx)) })
		return func() { cancel(); running.Wait() }
	}
	before, first, second := recordOf(), recordOf(), recordOf()
	must(t, os.MkdirAll(w.cfg.Ledger.Dir, 0o700))
	must(t, os.WriteFile(filepath.Join(w.cfg.Ledger.Dir, "otlp.position"), []byte("0\n"), 0o600)) // from the beginning
	stop := run()
	w.kept(before)
	col, err = oteltest.NewAt(t.Context(), address)
	must(t, err)
	t.Cleanup(func() { check(t, col.Close()) })
	arrived := func(n int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		must(t, col.Wait(ctx, func(c *oteltest.Collector) bool { return len(c.Logs()) >= n }))
	}
	w.kept(first)
	arrived(2)
	stop()
	w.kept(second) // while the feed rests
	stop = run()
	defer stop()
	want := []string{before.GetEventId(), first.GetEventId(), second.GetEventId()}
	arrived(len(want))
	if got := eventsAt(col); !slices.Equal(got, want) {
		t.Errorf("arrived %v, want %v", got, want)
	}
	raw, err := col.Raw()
	must(t, err)
	for _, secret := range []string{first.GetSubjectRef(), "emp-7", "case-1", "address.city"} {
		if bytes.Contains(raw, []byte(secret)) {
			t.Errorf("%q was exported", secret)
		}
	}
	if len(col.Logs()) > 0 && col.Logs()[0].GetEventName() != telemetry.AuditEvent {
		t.Error("event name", col.Logs()[0].GetEventName())
	}
}
