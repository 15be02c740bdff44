package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"samvirke.dev/services/platform/telemetry"
)

type secret struct{ Name string }

// covers: SEC-06
func TestLoggerAllowsDeclaredKeysOnly(t *testing.T) {
	t.Parallel()
	tel, log := startWith(t)
	ctx := telemetry.WithEventID(t.Context(), "e-1")
	tel.Logger().With("service", "identity", "given_name", "SECRET").WithGroup("rpc").InfoContext(ctx, "call by 850314-9802",
		"method", verify, "service", "SECRET.Service", "x", "SECRET")
	tel.Logger().Warn("failed", "error", fmt.Errorf("look up: %w", errors.New("no anna@example.org at 10.1.2.3")),
		"addr", "127.0.0.1:8443", "duration", 1503*time.Microsecond, "count", 3, "code", "NOT_FOUND", "ok", false,
		"name", secret{"SECRET"}, "caller", &secret{"SECRET"}, "rows", "SECRET", "problems", []string{"one", "id 850314-9802"},
		"id", 198503149802, "purpose", stringer("SECRET+850314-9802"), "at", time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC),
		"samvirke", slog.GroupValue(slog.String("event_id", "e-2"), slog.String("given_name", "SECRET")), "", "SECRET",
		"kind", slog.AnyValue(lazy{}))
	lines := log.lines(t)
	for _, l := range lines {
		delete(l, "time")
	}
	want := []map[string]any{
		{"level": "INFO", "msg": "call by [national-id]", "service": "identity", "rpc.method": verify, "event_id": "e-1"},
		{
			"level": "WARN", "msg": "failed", "error": "look up: no [email] at [ip]", "addr": "127.0.0.1:8443", "duration": "1.503ms",
			"count": 3.0, "code": "NOT_FOUND", "ok": false, "problems": "one; id [national-id]", "id": "[national-id]",
			"purpose": "SECRET+[national-id]", "at": "2026-03-14T15:09:26Z", "samvirke.event_id": "e-2", "kind": "lazy",
		},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if d := tel.Dropped(); d.Logs != 7 {
		t.Errorf("Dropped = %+v", d)
	}
}

type stringer string

func (s stringer) String() string { return string(s) }

type lazy struct{}

func (lazy) LogValue() slog.Value { return slog.StringValue("lazy") }

func TestLoggerLevelAndEmptyGroup(t *testing.T) {
	t.Parallel()
	tel, log := startWith(t, func(c *telemetry.Config) { c.LogLevel = slog.LevelWarn })
	l := tel.Logger().WithGroup("")
	l.Info("no")
	l.Error("yes", "code", "x")
	if !l.Enabled(context.Background(), slog.LevelWarn) || l.Enabled(context.Background(), slog.LevelInfo) {
		t.Error("levels")
	}
	if s := log.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, `"code":"x"`) {
		t.Errorf("log %q", s)
	}
}
