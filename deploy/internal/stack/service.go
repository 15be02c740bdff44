package stack

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"samvirke.dev/certs/workload"
	"samvirke.dev/deploy/internal/proc"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/platform/clock"
)

const (
	// readyLimit is generous: a machine that builds something beside us is slow.
	readyLimit = 60 * time.Second
	// tailLines is how much of a log an error quotes.
	tailLines = 12
)

// ServingMessage is the log message with which a service says that it is ready.
const ServingMessage = "serving"

// Service is a running service.
type Service struct {
	Name string
	// Addr is where it listens.
	Addr string
	// Ready is the time from start to readiness.
	Ready time.Duration
	Proc  *proc.Process
	Log   *proc.Lines

	started time.Time
}

// ServiceID is a service's workload identity.
func ServiceID(name string) (workload.ID, error) { return workload.Service(TrustDomain, name) }

// StartAll starts every program in the order of the configuration, each when the one before serves.
func (s *Stack) StartAll(ctx context.Context) error {
	for _, p := range s.cfg.Programs {
		if err := s.Start(ctx, p.Name); err != nil {
			return err
		}
	}
	return nil
}

// Start starts a service and waits until it serves; env is added to its environment.
func (s *Stack) Start(ctx context.Context, name string, env ...string) error {
	svc, err := s.Launch(name, env...)
	if err != nil {
		return err
	}
	return s.await(ctx, svc)
}

// Launch starts a service and does not wait, for those who want to see how it fails.
func (s *Stack) Launch(name string, env ...string) (*Service, error) {
	logs, ok := s.logs[name]
	if !ok {
		return nil, fmt.Errorf("no program %s", name)
	}
	if name == AuditName {
		s.console() // a start uses the token up
	}
	svc := &Service{Name: name, Log: &proc.Lines{Tee: io.Writer(logs)}, started: clock.System().Now()}
	if s.cfg.Tee != nil {
		svc.Log.Tee = io.MultiWriter(logs, s.cfg.Tee)
	}
	var err error
	svc.Proc, err = proc.Start(proc.Spec{
		Name: name + "d", Path: s.binary(name), Args: []string{"serve", "--config", s.path(name + ".yaml")}, Env: environment(env...),
		Stdout: svc.Log, Stderr: svc.Log,
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[name] = svc
	return svc, nil
}

func (s *Stack) await(ctx context.Context, svc *Service) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	go func() {
		select {
		case <-svc.Proc.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	line, err := svc.Log.Wait(ctx, func(l string) bool { return servingAddr(l) != "" })
	if err != nil {
		s.Kill(svc.Name)
		return fmt.Errorf("%sd does not serve: %w; its last words:\n%s", svc.Name, errors.Join(svc.Proc.Err(), err), svc.Log.Tail(tailLines))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	svc.Ready = clock.System().Now().Sub(svc.started)
	svc.Addr = servingAddr(line)
	return nil
}

func servingAddr(line string) string {
	var entry struct {
		Msg  string `json:"msg"`
		Addr string `json:"addr"`
	}
	if json.Unmarshal([]byte(line), &entry) != nil || entry.Msg != ServingMessage {
		return ""
	}
	return entry.Addr
}

// Service is a running service, or nil.
func (s *Stack) Service(name string) *Service {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.running[name]
}

// Runs says whether a service is part of the stack and was started.
func (s *Stack) Runs(name string) bool { return s.Service(name) != nil }

// Addr is where a program listens, now or when it is started.
func (s *Stack) Addr(name string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if svc := s.running[name]; svc != nil && svc.Addr != "" {
		return svc.Addr
	}
	return s.addrs[name]
}

// Stop ends a service in order, if it runs.
func (s *Stack) Stop(ctx context.Context, name string) error {
	if svc := s.taken(name); svc != nil {
		return svc.Proc.Stop(ctx)
	}
	return nil
}

// Kill ends a service as a crash would.
func (s *Stack) Kill(name string) {
	if svc := s.taken(name); svc != nil {
		svc.Proc.Kill()
	}
}

// taken takes a service out of those that run; nil when it does not.
func (s *Stack) taken(name string) *Service {
	s.mu.Lock()
	defer s.mu.Unlock()
	svc := s.running[name]
	delete(s.running, name)
	return svc
}

// Records are the audit records that a service holds of the given events, in no particular order. An event without a record is left out.
func (s *Stack) Records(ctx context.Context, service string, events ...string) ([]*auditv1.Record, error) {
	out, err := s.recordLines(ctx, service, events)
	if err != nil {
		return nil, err
	}
	var records []*auditv1.Record
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		r := new(auditv1.Record)
		if err := protojson.Unmarshal(lines.Bytes(), r); err != nil {
			return nil, fmt.Errorf("audit record: %w", err)
		}
		records = append(records, r)
	}
	return records, lines.Err()
}

// recordLines asks the service itself, which keeps records until they are shipped, or, where the audit service runs, that one until it has a
// record of each event.
func (s *Stack) recordLines(ctx context.Context, service string, events []string) ([]byte, error) {
	if !s.Runs(AuditName) {
		return s.Command(ctx, service, "audit", events...)
	}
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for {
		out, err := s.Command(ctx, AuditName, "records", events...)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(events, func(e string) bool { return !bytes.Contains(out, []byte(e)) }) {
			return out, nil
		}
	}
}

// Command runs a subcommand of a program to its end and returns its standard output.
func (s *Stack) Command(ctx context.Context, program, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, s.binary(program), append([]string{name, "--config", s.path(program + ".yaml")}, args...)...) //nolint:gosec // ours
	cmd.Env = environment()
	var said bytes.Buffer
	cmd.Stderr = io.MultiWriter(&said, s.logs[program])
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%sd %s: %w: %s", program, name, err, bytes.TrimSpace(said.Bytes()))
	}
	return out, nil
}

// environment is ours without what services would read as configuration, or Vault's library as whom to trust; extra is
// added.
func environment(extra ...string) []string {
	own := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "SAMVIRKE_") || strings.HasPrefix(v, "VAULT_")
	})
	return append(own, extra...)
}
