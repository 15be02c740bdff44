package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"samvirke.dev/deploy/internal/proc"
)

// Client drives a load process. It is not safe for concurrent use: one round runs at a time.
type Client struct {
	proc    *proc.Process
	in      io.WriteCloser
	enc     *json.Encoder
	replies *bufio.Scanner
}

// Start starts a load process: exe is a program that calls Serve on its standard input and output when given args. What it
// writes to its standard error goes to stderr.
func Start(exe string, args []string, stderr io.Writer) (*Client, error) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	p, err := proc.Start(proc.Spec{Name: "load process", Path: exe, Args: args, Stdin: inR, Stdout: outW, Stderr: stderr})
	if err != nil {
		return nil, err
	}
	go func() {
		<-p.Done()
		// Both ends learn of a crash: the writer of the next command and the reader of its reply.
		_ = inR.CloseWithError(io.ErrClosedPipe)
		_ = outW.Close()
	}()
	c := &Client{proc: p, in: inW, enc: json.NewEncoder(inW), replies: bufio.NewScanner(outR)}
	c.replies.Buffer(nil, maxLine)
	return c, nil
}

// PID is the load process's.
func (c *Client) PID() int { return c.proc.PID() }

// Do sends a command and waits for its reply.
func (c *Client) Do(cmd Command) (*Result, error) {
	if err := c.enc.Encode(cmd); err != nil {
		return nil, fmt.Errorf("load process: %w", err)
	}
	if !c.replies.Scan() {
		return nil, errors.Join(errors.New("load process ended without a reply"), c.replies.Err())
	}
	var r Reply
	if err := json.Unmarshal(c.replies.Bytes(), &r); err != nil {
		return nil, fmt.Errorf("load process: read reply: %w", err)
	}
	if r.Error != "" {
		return nil, fmt.Errorf("load process: %s", r.Error)
	}
	return r.Result, nil
}

// Close ends the load process: it ends by itself when its input does.
func (c *Client) Close(ctx context.Context) error {
	if err := c.in.Close(); err != nil {
		return fmt.Errorf("load process: %w", err)
	}
	return c.proc.Stop(ctx)
}
