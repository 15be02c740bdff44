package telemetry

import (
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"samvirke.dev/services/platform/redact"
)

// undeclared replaces a span name that is not known.
const undeclared = "undeclared"

// maxPlain bounds a value of our own vocabulary, in bytes. Nothing that we name ourselves is longer.
const maxPlain = 256

// Drops counts what was not on the allow-list.
type Drops struct {
	Spans, Metrics, Logs int64
}

// guard decides what may get out.
type guard struct {
	attrs    map[string]class
	logs     map[string]class
	declared sync.Mutex // serialises declare; readers load known
	known    atomic.Pointer[map[string]struct{}]

	spans, metrics, lines atomic.Int64
}

func newGuard(files *protoregistry.Files, names []string) *guard {
	g := &guard{attrs: attributes(), logs: logKeys()}
	g.known.Store(&map[string]struct{}{})
	g.declare(rpcNames(files)...)
	g.declare(names...)
	return g
}

// rpcNames lists every service and method of the schemas: "pkg.Service" and "pkg.Service/Method".
func rpcNames(files *protoregistry.Files) []string {
	var out []string
	files.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		for i := range fd.Services().Len() {
			svc := fd.Services().Get(i)
			out = append(out, string(svc.FullName()))
			for j := range svc.Methods().Len() {
				out = append(out, string(svc.FullName())+"/"+string(svc.Methods().Get(j).Name()))
			}
		}
		return true
	})
	return out
}

func (g *guard) declare(names ...string) {
	g.declared.Lock()
	defer g.declared.Unlock()
	old := *g.known.Load()
	next := make(map[string]struct{}, len(old)+len(names))
	for n := range old {
		next[n] = struct{}{}
	}
	for _, n := range names {
		next[n] = struct{}{}
	}
	g.known.Store(&next)
}

func (g *guard) knows(name string) bool {
	_, ok := (*g.known.Load())[strings.TrimPrefix(name, "/")]
	return ok
}

func (g *guard) drops() Drops {
	return Drops{Spans: g.spans.Load(), Metrics: g.metrics.Load(), Logs: g.lines.Load()}
}

// spanName returns the name if it is declared.
func (g *guard) spanName(name string) string {
	if g.knows(name) {
		return name
	}
	g.spans.Add(1)
	return undeclared
}

// spanAttributes returns a new slice with what may be exported.
func (g *guard) spanAttributes(in []attribute.KeyValue) []attribute.KeyValue {
	if len(in) == 0 {
		return nil
	}
	out := make([]attribute.KeyValue, 0, len(in))
	for _, kv := range in {
		c := g.attrs[string(kv.Key)]
		v, ok := g.value(c, kv.Value)
		switch {
		case ok:
			out = append(out, attribute.KeyValue{Key: kv.Key, Value: v})
		case c != classQuiet:
			g.spans.Add(1)
		}
	}
	return out
}

// value returns what may be exported under a key of class c; false means drop it.
func (g *guard) value(c class, v attribute.Value) (attribute.Value, bool) {
	switch v.Type() {
	case attribute.BOOL:
		return v, c >= classPlain
	case attribute.INT64, attribute.FLOAT64:
		// A number under a text key could be anybody's id.
		return v, c == classNumber
	case attribute.STRING:
		s, ok := g.text(c, v.AsString())
		return attribute.StringValue(s), ok
	case attribute.STRINGSLICE:
		return g.slice(c, v.AsStringSlice())
	default:
		return attribute.Value{}, false
	}
}

func (g *guard) slice(c class, in []string) (attribute.Value, bool) {
	out := make([]string, 0, len(in))
	for _, s := range in {
		t, ok := g.text(c, s)
		if !ok {
			return attribute.Value{}, false
		}
		out = append(out, t)
	}
	return attribute.StringSliceValue(out), true
}

func (g *guard) text(c class, s string) (string, bool) {
	switch c {
	case classPlain:
		// Plain values are ours, yet they pass through Text too: in an export that costs little, off the hot path.
		if len(s) > maxPlain {
			return "", false
		}
		if g.knows(s) {
			return s, true
		}
		return redact.Text(s), true
	case classOwn:
		return s, len(s) <= maxPlain
	case classText:
		return redact.Text(s), true
	case classHex:
		return s, hexID(s)
	case classMethod:
		return s, g.knows(s)
	default:
		return "", false
	}
}

func hexID(s string) bool {
	if len(s) != 16 && len(s) != 32 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// view filters the attributes of every instrument and sets the buckets of durations.
func (g *guard) view(i sdkmetric.Instrument) (sdkmetric.Stream, bool) {
	s := sdkmetric.Stream{Name: i.Name, Description: i.Description, Unit: i.Unit, AttributeFilter: g.metricAttribute}
	if i.Kind == sdkmetric.InstrumentKindHistogram && i.Unit == "s" {
		s.Aggregation = sdkmetric.AggregationExplicitBucketHistogram{Boundaries: durationBuckets()}
	}
	return s, true
}

// metricAttribute keeps an attribute or drops it whole: a view can't rewrite values, and a redacted label would be of
// no use anyway. It runs on every measurement, so it allocates nothing.
func (g *guard) metricAttribute(kv attribute.KeyValue) bool {
	c := g.attrs[string(kv.Key)]
	ok := false
	switch {
	case kv.Value.Type() == attribute.BOOL, kv.Value.Type() == attribute.INT64 && c == classNumber:
		ok = c >= classPlain
	case kv.Value.Type() == attribute.STRING && metricLabel(kv.Key):
		s := kv.Value.AsString()
		t, allowed := g.text(c, s)
		ok = allowed && t == s
	}
	if !ok && c != classQuiet {
		g.metrics.Add(1)
	}
	return ok
}

// metricLabel refuses what is fine in a span but must not be a label: a subject, a case or anything per exchange.
func metricLabel(k attribute.Key) bool {
	switch k {
	case KeyDataSubject, KeySubjectToken, KeyEventID, KeyForeignTraceID, KeyForeignOperationID:
		return false
	default:
		return true
	}
}
