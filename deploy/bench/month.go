package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/services/income/monthtest"
)

// The roles of the program that measure the income service's month.
const (
	roleMonth   = "month"
	roleMonthOf = "month-of"
)

// months measures a month of several sizes, each in a process of its own so that its memory is its own.
func months(ctx context.Context, args []string, out, progress io.Writer) error {
	fs := flag.NewFlagSet("bench month", flag.ContinueOnError)
	fs.SetOutput(progress)
	sizes := fs.String("sizes", "10000,100000,1000000", "comma-separated numbers of members")
	asJSON := fs.Bool("json", false, "write one line of JSON instead of a table")
	if err := fs.Parse(args); err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	var results []monthtest.Result
	for _, size := range strings.Split(*sizes, ",") {
		cmd := exec.CommandContext(ctx, exe, roleMonthOf, size) //nolint:gosec // this program itself
		cmd.Stderr = progress
		raw, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("%s members: %w", size, err)
		}
		var r monthtest.Result
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("%s members: %w", size, err)
		}
		results = append(results, r)
	}
	if *asJSON {
		return json.NewEncoder(out).Encode(map[string]any{"months": results})
	}
	return monthTable(out, results)
}

func monthTable(out io.Writer, results []monthtest.Result) error {
	var b bytes.Buffer
	fmt.Fprintln(&b, "a month (SQLite)  members   seconds  members/s  CPU us  peak MB | one SQL statement: members/s  CPU us | ratio")
	for _, r := range results {
		fmt.Fprintf(&b, "%25d %9.1f %10.0f %7.1f %8.0f | %28.0f %7.1f | %5.2f\n",
			r.Members, r.Seconds, r.PerSecond, r.CPU, r.PeakMB, r.PeerRate, r.PeerCPU, r.Ratio)
	}
	_, err := b.WriteTo(out)
	return err
}

// monthOf measures one size.
func monthOf(ctx context.Context, args []string, out, progress io.Writer) (err error) {
	if len(args) != 1 {
		return errors.New("want a number of members")
	}
	members, err := strconv.Atoi(args[0])
	if err != nil || members < 1 {
		return errors.New("want a number of members")
	}
	dir, err := os.MkdirTemp("", "samvirke-month-")
	if err != nil {
		return fmt.Errorf("temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r, err := monthtest.Measure(ctx, monthtest.Options{Members: members, Dir: dir, Log: func(format string, args ...any) { say.F(progress, format, args...) }})
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(r)
}
