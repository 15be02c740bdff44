package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"samvirke.dev/deploy/bench/internal/load"
	"samvirke.dev/deploy/bench/internal/suite"
)

// The connections and the load of every target. Four connections are what a fund's gateway with a few replicas holds; one would
// measure a single HTTP/2 writer on each side instead of the service, and many more only add system calls.
const (
	defaultConns    = 4
	defaultInFlight = 64
)

// options are the command line.
type options struct {
	only     []string
	json     bool
	persons  int
	compare  bool
	db       string
	duration time.Duration
	rounds   int
	conns    int
	inFlight int
	profile  string
	keep     string
}

// calls are what can be measured, in the order of the report.
func calls() []string {
	out := []string{load.CallEcho, load.CallEchoREST}
	for _, s := range suite.All() {
		out = append(out, s.Calls...)
	}
	return out
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	var only string
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.StringVar(&only, "only", "", "comma-separated names of calls or services: "+strings.Join(calls(), ", "))
	fs.BoolVar(&o.json, "json", false, "write one line of JSON instead of a table")
	fs.IntVar(&o.persons, "persons", 100_000, "how many persons the store holds")
	fs.BoolVar(&o.compare, "compare", false, "measure with 1000, 100000 and 1000000 persons, one after the other")
	fs.StringVar(&o.db, "db", "", "database URL of an empty PostgreSQL database; SQLite in a temporary folder when empty")
	fs.DurationVar(&o.duration, "duration", 2*time.Second, "length of one round")
	fs.IntVar(&o.rounds, "rounds", 5, "rounds for each call, each beside one of the echo")
	fs.IntVar(&o.conns, "conns", defaultConns, "connections to each target")
	fs.IntVar(&o.inFlight, "in-flight", defaultInFlight, "calls in flight")
	fs.StringVar(&o.profile, "profile", "", "file for a CPU profile of the service; those behind it get FILE.NAME; with --only for one service")
	fs.StringVar(&o.keep, "dir", "", "folder for data and logs, kept; a temporary one when empty")
	if err := fs.Parse(args); err != nil {
		return options{}, err
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	return o, o.check(fs)
}

func (o options) check(fs *flag.FlagSet) error {
	var errs []error
	if fs.NArg() > 0 {
		errs = append(errs, fmt.Errorf("unexpected argument %q", fs.Arg(0)))
	}
	for _, name := range o.only {
		if !slices.ContainsFunc(calls(), func(call string) bool { return suite.Named(call, []string{name}) }) {
			errs = append(errs, fmt.Errorf("no call %q; there are %s", name, strings.Join(calls(), ", ")))
		}
	}
	if o.persons < 1 || o.rounds < 1 || o.conns < 1 || o.inFlight < 1 || o.duration <= 0 {
		errs = append(errs, errors.New("persons, rounds, conns, in-flight and duration must be positive"))
	}
	if o.compare && o.db != "" {
		errs = append(errs, errors.New("--compare needs a fresh database for each size: not together with --db"))
	}
	return errors.Join(errs...)
}

// wants reports whether a call is to be measured.
func (o options) wants(call string) bool { return suite.Named(call, o.only) }

// sizes are the numbers of persons to measure a service with.
func (o options) sizes(s suite.Service) []int {
	if o.compare && s.Sized {
		return []int{1000, 100_000, 1_000_000}
	}
	return []int{o.persons}
}
