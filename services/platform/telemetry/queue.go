package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
)

// The export calls whose requests may wait on disk. Audit log records don't: the audit's own store is their queue.
const (
	exportTraces  = "/" + "opentelemetry.proto.collector.trace.v1.TraceService/Export"
	exportMetrics = "/" + "opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
)

// signals gives each of them the name that its files end with.
func signals() map[string]string {
	return map[string]string{exportTraces: "traces", exportMetrics: "metrics"}
}

// Defaults of the queue on disk.
const (
	defaultQueueLimit = 64 << 20
	defaultRetry      = time.Second
	maxRetry          = 30 * time.Second
)

// QueueState says how full the queue on disk is.
type QueueState struct {
	// Requests and Bytes wait for the endpoint.
	Requests, Bytes int64
	// Lost counts requests that were given up since the start: the oldest of a full queue, and what the endpoint refused.
	Lost int64
}

// queue keeps export requests on disk, one file each, while the endpoint is away, and sends them in their order once it is back. What
// is in it went through the guard already. A file is deleted after it was sent, so a crash may send one twice, which OTLP's ids and
// cumulative sums bear. Telemetry is no evidence, so files are renamed into place without fsync: a power failure may cost the last.
//
// We found no kept Go library for it: OpenTelemetry's own lives in the collector alone, and logs with one index for all entries
// (wal, diskqueue) rewrite a segment or lose their place at each deletion from the front.
type queue struct {
	dir   string
	limit int64
	retry time.Duration
	log   *slog.Logger

	mu     sync.Mutex
	files  []queued // oldest first
	bytes  int64
	next   uint64
	lost   int64
	away   bool
	wakeup chan struct{}
}

// queued is one waiting request.
type queued struct {
	name string
	size int64
}

// openQueue takes over what an earlier run left in dir.
func openQueue(dir string, limit int64, retry time.Duration, log *slog.Logger) (*queue, error) {
	if limit == 0 {
		limit = defaultQueueLimit
	}
	if retry == 0 {
		retry = defaultRetry
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("telemetry: queue: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("telemetry: queue: %w", err)
	}
	q := &queue{dir: dir, limit: limit, retry: retry, log: log, wakeup: make(chan struct{}, 1)}
	for _, e := range entries {
		number, _, ok := strings.Cut(e.Name(), ".")
		n, err := strconv.ParseUint(number, 10, 64)
		info, statErr := e.Info()
		if !ok || err != nil || statErr != nil || !e.Type().IsRegular() || strings.HasSuffix(e.Name(), ".part") {
			continue // not ours, or half-written when the process ended
		}
		q.next = max(q.next, n+1)
		q.files, q.bytes = append(q.files, queued{e.Name(), info.Size()}), q.bytes+info.Size()
	}
	slices.SortFunc(q.files, func(a, b queued) int { return cmp.Compare(a.name, b.name) })
	q.away = len(q.files) > 0
	q.wake()
	return q, nil
}

func (q *queue) state() QueueState {
	q.mu.Lock()
	defer q.mu.Unlock()
	return QueueState{Requests: int64(len(q.files)), Bytes: q.bytes, Lost: q.lost}
}

func (q *queue) wake() {
	select {
	case q.wakeup <- struct{}{}:
	default:
	}
}

// intercept is a client interceptor: exports go straight to the endpoint as long as it answers, and to disk when it doesn't or others
// already wait.
func (q *queue) intercept(
	ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	signal, ok := signals()[method]
	message, isProto := req.(proto.Message)
	if !ok || !isProto || ctx.Value(direct{}) != nil {
		return invoke(ctx, method, req, reply, conn, opts...)
	}
	if q.state().Requests == 0 {
		err := invoke(ctx, method, req, reply, conn, opts...)
		if err == nil || !temporary(err) {
			return err
		}
	}
	return q.put(ctx, signal, message)
}

// temporary says whether the same request may succeed later, by OTLP's list of codes.
func temporary(err error) bool {
	switch status.Code(err) {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss, codes.ResourceExhausted:
		return true
	default:
		return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
	}
}

// put writes a request to disk and gives up the oldest ones if that makes too many.
func (q *queue) put(ctx context.Context, signal string, m proto.Message) error {
	raw, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("telemetry: queue: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	name := fmt.Sprintf("%020d.%s", q.next, signal)
	q.next++
	part := filepath.Join(q.dir, name+".part")
	if err := os.WriteFile(part, raw, 0o600); err != nil {
		q.lost++
		return errors.Join(fmt.Errorf("telemetry: queue: %w", err), os.Remove(part))
	}
	if err := os.Rename(part, filepath.Join(q.dir, name)); err != nil {
		q.lost++
		return fmt.Errorf("telemetry: queue: %w", err)
	}
	q.files, q.bytes = append(q.files, queued{name, int64(len(raw))}), q.bytes+int64(len(raw))
	if !q.away {
		q.away = true
		q.log.WarnContext(ctx, "the telemetry endpoint is away; spans and metrics wait on disk", "dir", q.dir, "limit", q.limit)
	}
	for q.bytes > q.limit && len(q.files) > 0 {
		q.lost++
		if err := q.dropFirst(); err != nil {
			return err
		}
	}
	q.wake()
	return nil
}

// dropFirst deletes the oldest request; q.mu is held.
func (q *queue) dropFirst() error {
	first := q.files[0]
	q.files, q.bytes = q.files[1:], q.bytes-first.size
	if err := os.Remove(filepath.Join(q.dir, first.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("telemetry: queue: %w", err)
	}
	return nil
}

// run sends what waits until ctx ends, trying again in growing intervals while the endpoint is away.
func (q *queue) run(ctx context.Context, conn *grpc.ClientConn) {
	wait := q.retry
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.wakeup:
		}
		for q.drain(ctx, conn) != nil {
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			wait = min(2*wait, maxRetry)
		}
		wait = q.retry
	}
}

// sendLimit bounds one attempt.
const sendLimit = 10 * time.Second

// drain sends what waits, oldest first, until nothing does or the endpoint fails.
func (q *queue) drain(ctx context.Context, conn *grpc.ClientConn) error {
	for {
		q.mu.Lock()
		if len(q.files) == 0 {
			if q.away {
				q.away = false
				q.log.InfoContext(ctx, "the telemetry endpoint is back; nothing waits on disk")
			}
			q.mu.Unlock()
			return nil
		}
		first := q.files[0]
		q.mu.Unlock()
		err := q.send(ctx, conn, first.name)
		if err != nil && temporary(err) {
			return err
		}
		if err := q.sent(first, err); err != nil {
			q.log.WarnContext(ctx, "a request could not be taken from the telemetry queue", "error", err)
			return err
		}
	}
}

// sent deletes what was sent, or refused for good, unless a full queue gave it up meanwhile.
func (q *queue) sent(first queued, refused error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.files) == 0 || q.files[0].name != first.name {
		return nil
	}
	if refused != nil {
		q.lost++
	}
	return q.dropFirst()
}

// send reads one request and sends it past the interceptor. What can't be read any more is an error that is not temporary.
func (q *queue) send(ctx context.Context, conn *grpc.ClientConn, name string) error {
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	raw, err := os.ReadFile(filepath.Join(q.dir, name))
	if err != nil {
		return err
	}
	ctx = context.WithValue(ctx, direct{}, true)
	if strings.HasSuffix(name, ".metrics") {
		req := &metricspb.ExportMetricsServiceRequest{}
		if err := proto.Unmarshal(raw, req); err != nil {
			return err
		}
		_, err = metricspb.NewMetricsServiceClient(conn).Export(ctx, req)
		return err
	}
	req := &tracepb.ExportTraceServiceRequest{}
	if err := proto.Unmarshal(raw, req); err != nil {
		return err
	}
	_, err = tracepb.NewTraceServiceClient(conn).Export(ctx, req)
	return err
}

// direct marks calls that must not be queued again.
type direct struct{}
