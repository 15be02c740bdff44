package telemetry

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"samvirke.dev/services/platform/redact"
)

// newLogger writes JSON lines through the guard.
func newLogger(cfg Config, g *guard) *slog.Logger {
	level := cfg.LogLevel
	if level == nil {
		level = slog.LevelInfo
	}
	next := slog.NewJSONHandler(cfg.LogWriter, &slog.HandlerOptions{Level: level})
	return slog.New(&handler{next: next, guard: g})
}

// handler lets through only declared keys and redacts what they hold. Groups are flattened to dotted keys
// ("rpc" + "method" = "rpc.method"), so that one allow-list covers logs, spans and metrics.
type handler struct {
	next   slog.Handler
	guard  *guard
	prefix string
}

var _ slog.Handler = (*handler)(nil)

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, redact.Text(r.Message), 0)
	r.Attrs(func(a slog.Attr) bool {
		h.add(h.prefix, a, func(a slog.Attr) { out.AddAttrs(a) })
		return true
	})
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		out.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	if id := EventID(ctx); id != "" {
		out.AddAttrs(slog.String("event_id", id))
	}
	return h.next.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var clean []slog.Attr
	for _, a := range attrs {
		h.add(h.prefix, a, func(a slog.Attr) { clean = append(clean, a) })
	}
	return &handler{next: h.next.WithAttrs(clean), guard: h.guard, prefix: h.prefix}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &handler{next: h.next, guard: h.guard, prefix: h.prefix + name + "."}
}

func (h *handler) add(prefix string, a slog.Attr, emit func(slog.Attr)) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, sub := range v.Group() {
			h.add(prefix, sub, emit)
		}
		return
	}
	if a.Key == "" {
		return
	}
	key := prefix + a.Key
	clean, ok := h.guard.logValue(h.guard.logs[key], v)
	if !ok {
		h.guard.lines.Add(1)
		return
	}
	emit(slog.Attr{Key: key, Value: clean})
}

// logValue returns what may be logged under a key of class c; false means drop it.
func (g *guard) logValue(c class, v slog.Value) (slog.Value, bool) {
	if c <= classQuiet {
		return slog.Value{}, false
	}
	switch v.Kind() {
	case slog.KindBool, slog.KindDuration, slog.KindTime:
		return timeless(v), true
	case slog.KindInt64, slog.KindUint64, slog.KindFloat64:
		if c == classNumber {
			return v, true
		}
		return g.logText(c, v.String())
	case slog.KindString:
		return g.logText(c, v.String())
	default:
		return g.logAny(c, v.Any())
	}
}

// timeless renders durations as text: slog's JSON would print bare nanoseconds, which read like any other number.
func timeless(v slog.Value) slog.Value {
	if v.Kind() == slog.KindDuration {
		return slog.StringValue(v.Duration().Round(time.Microsecond).String())
	}
	return v
}

func (g *guard) logAny(c class, v any) (slog.Value, bool) {
	switch v := v.(type) {
	case error:
		return g.logText(c, v.Error())
	case []string:
		return g.logText(c, strings.Join(v, "; "))
	case interface{ String() string }:
		return g.logText(c, v.String())
	default:
		// A struct may hold anything, today or after the next change; whoever wants it logged names its fields.
		return slog.Value{}, false
	}
}

func (g *guard) logText(c class, s string) (slog.Value, bool) {
	if c == classNumber {
		return slog.Value{}, false
	}
	t, ok := g.text(c, s)
	return slog.StringValue(t), ok
}
