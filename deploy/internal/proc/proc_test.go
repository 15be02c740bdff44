package proc_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"samvirke.dev/deploy/internal/proc"
)

// roleVariable makes the test binary play a child: the test needs one that it can take apart.
const roleVariable = "PROC_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "talk":
		fmt.Println("first")
		fmt.Println("ready 42")
		select {}
	case "parent":
		child, err := proc.Start(proc.Spec{Name: "child", Path: os.Args[0], Env: role("talk")})
		if err != nil {
			os.Exit(3)
		}
		fmt.Println("child", child.PID())
		select {}
	case "fail":
		fmt.Fprintln(os.Stderr, "no good")
		os.Exit(7)
	}
	goleak.VerifyTestMain(m)
}

func role(name string) []string { return append(os.Environ(), roleVariable+"="+name) }

func start(t *testing.T, name string) (*proc.Process, *proc.Lines) {
	t.Helper()
	lines := &proc.Lines{}
	p, err := proc.Start(proc.Spec{Name: name, Path: os.Args[0], Env: role(name), Stdout: lines, Stderr: lines})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p, lines
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestStopEndsInOrder(t *testing.T) {
	t.Parallel()
	p, lines := start(t, "talk")
	line, err := lines.Wait(within(t), func(s string) bool { return strings.HasPrefix(s, "ready") })
	if err != nil || line != "ready 42" {
		t.Fatalf("line %q, error %v", line, err)
	}
	if got := lines.All()[0]; got != "first" {
		t.Errorf("first line is %q", got)
	}
	if p.ExitCode() != -1 {
		t.Error("a living child has an exit code")
	}
	if err := p.Stop(within(t)); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestFailureKeepsExitCode(t *testing.T) {
	t.Parallel()
	p, lines := start(t, "fail")
	<-p.Done()
	if p.ExitCode() != 7 || p.Err() == nil {
		t.Errorf("exit code %d, error %v", p.ExitCode(), p.Err())
	}
	if got := lines.Tail(3); got != "no good" {
		t.Errorf("last words are %q", got)
	}
}

func TestStopKillsWhoDoesNotListen(t *testing.T) {
	t.Parallel()
	p, lines := start(t, "talk")
	if _, err := lines.Wait(within(t), func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	// A stopped process gets no signal but the last.
	if err := syscall.Kill(p.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("time is up"))
	defer cancel()
	if err := p.Stop(ctx); err == nil || !strings.Contains(err.Error(), "time is up") {
		t.Errorf("stop: %v", err)
	}
}

// TestChildDiesWithItsParent kills a parent as a crash would: its child must not live on.
func TestChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	parent, lines := start(t, "parent")
	line, err := lines.Wait(within(t), func(s string) bool { return strings.HasPrefix(s, "child ") })
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscanf(line, "child %d", &pid); err != nil {
		t.Fatal(err)
	}
	parent.Kill()
	deadline := within(t)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for alive(pid) {
		select {
		case <-deadline.Done():
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the child outlived its parent")
		case <-tick.C:
		}
	}
}

// alive says whether a process still runs; one that only waits for its parent to look at it does not.
func alive(pid int) bool {
	state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	return !strings.Contains(string(state), ") Z ")
}

func TestStartReportsWhatIsNotThere(t *testing.T) {
	t.Parallel()
	if _, err := proc.Start(proc.Spec{Name: "nothing", Path: "/nowhere/at/all"}); err == nil {
		t.Error("started nothing")
	}
}

func TestLinesWaitEndsWithContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var l proc.Lines
	if _, err := l.Wait(ctx, func(string) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestLinesJoinsWrites(t *testing.T) {
	t.Parallel()
	var tee strings.Builder
	l := proc.Lines{Tee: &tee}
	for _, part := range []string{"a", "b\nc", "\nunfinished"} {
		if n, err := l.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := strings.Join(l.All(), "|"); got != "ab|c" {
		t.Errorf("lines are %q", got)
	}
	if tee.String() != "ab\nc\nunfinished" {
		t.Errorf("tee got %q", tee.String())
	}
}

func TestLinesForgetsTheOldest(t *testing.T) {
	t.Parallel()
	var l proc.Lines
	for i := range 10_000 {
		if _, err := fmt.Fprintln(&l, i); err != nil {
			t.Fatal(err)
		}
	}
	all := l.All()
	if len(all) > 5000 || all[len(all)-1] != "9999" {
		t.Errorf("%d lines, the last is %s", len(all), all[len(all)-1])
	}
}

func TestUsageOfALivingProcess(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("/proc/self/exe"); err != nil {
		t.Skip("no /proc here")
	}
	p, lines := start(t, "talk")
	if _, err := lines.Wait(within(t), func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if cpu, err := proc.CPU(p.PID()); err != nil || cpu < 0 || cpu > time.Minute {
		t.Errorf("processor time %v, error %v", cpu, err)
	}
	now, peak, err := proc.Memory(p.PID())
	if err != nil || now <= 0 || peak < now {
		t.Errorf("memory %d of %d, error %v", now, peak, err)
	}
	if _, err := proc.CPU(1 << 30); err == nil {
		t.Error("a process that does not exist has processor time")
	}
}
