package jobs

import (
	"context"
	"log/slog"
)

// logHandler passes River's warnings and errors on, in our names: telemetry drops those that it does not know. What it says of single
// jobs is said by runner already.
type logHandler struct{ next slog.Handler }

// Enabled implements slog.Handler.
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, "river: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if key := ourName(a.Key); key != "" {
			out.AddAttrs(slog.Attr{Key: key, Value: a.Value})
		}
		return true
	})
	return h.next.Handle(ctx, out)
}

// ourName returns the name under which an attribute of River is logged, or "" for those that are not: among them the value of a panic.
func ourName(key string) string {
	switch key {
	case "err", "error":
		return "error"
	case "kind", "job_kind":
		return "job"
	case "job_id", "queue", "attempt", "timeout", "duration":
		return key
	default:
		return ""
	}
}

// WithAttrs implements slog.Handler. River gives its attributes with each record.
func (h *logHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements slog.Handler.
func (h *logHandler) WithGroup(string) slog.Handler { return h }

var _ slog.Handler = (*logHandler)(nil)
