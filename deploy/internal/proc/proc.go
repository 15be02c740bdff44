// Package proc starts programs as children that can't outlive us: each in a process group of its own, ended in order by Stop,
// and ended by the kernel when we die without a chance to do so (on Linux).
package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// pipeDelay is how long a child's output is waited for after its end, should a grandchild hold it open.
const pipeDelay = 2 * time.Second

// Spec says what to start.
type Spec struct {
	// Name is what errors call it.
	Name string
	Path string
	Args []string
	// Env is the whole environment; nil for ours.
	Env []string
	Dir string
	// Stdin is empty when nil. A child that is to see its end must get a pipe that is closed.
	Stdin io.Reader
	// Stdout and Stderr are discarded when nil. The same value in both keeps lines whole.
	Stdout io.Writer
	Stderr io.Writer
}

// Process is a child that was started.
type Process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start starts a child. It lives until it ends by itself, Stop or Kill is called, or this process dies.
func Start(s Spec) (*Process, error) {
	cmd := exec.Command(s.Path, s.Args...) //nolint:gosec,noctx // our own binaries; Stop ends them in order, a context would kill
	cmd.Env, cmd.Dir = s.Env, s.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.Stdin, s.Stdout, s.Stderr
	cmd.WaitDelay = pipeDelay
	cmd.SysProcAttr = attributes()
	p := &Process{name: s.Name, cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	return p, nil
}

// run keeps its thread for as long as the child lives: the kernel's parent-death signal goes out when the starting thread
// ends, and the runtime ends threads as it likes.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// PID is the child's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err tells how the child ended: nil for exit code 0. Call it only after Done.
func (p *Process) Err() error {
	if p.err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", p.name, p.err)
}

// ExitCode is the child's exit code, and -1 while it runs or when a signal ended it.
func (p *Process) ExitCode() int {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	default:
		return -1
	}
}

// Stop asks the child to end and waits; when ctx ends first, the child and its group are killed. It returns Err, where death
// by the signal that we sent counts as a good end.
func (p *Process) Stop(ctx context.Context) error {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("%s did not end in time and was killed: %w", p.name, context.Cause(ctx))
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGTERM { //nolint:misspell // the library spells it so
		return nil
	}
	return p.Err()
}

// Kill ends the child and its group at once, as a crash would, and waits for the end.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// signal goes to the child's whole group. A child that has ended is no trouble.
func (p *Process) signal(sig syscall.Signal) {
	select {
	case <-p.done:
		return
	default:
	}
	if err := syscall.Kill(-p.PID(), sig); errors.Is(err, syscall.ESRCH) {
		// The child may not have become the leader of its group yet.
		_ = p.cmd.Process.Signal(sig)
	}
}
