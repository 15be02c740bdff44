// Package suite is the list of the suite's services with the calls that the benchmark measures. A further service is a file here: how it
// is started with data, how its calls are made, and its line in All.
package suite

import (
	"context"
	"io"
	"strings"
	"time"

	"samvirke.dev/deploy/bench/internal/load"
)

// Service is a service whose calls are measured.
type Service struct {
	// Name is such as identity.
	Name string
	// Calls are the names of its calls, in the order of the report, each with Name and a dot before it.
	Calls []string
	// Baseline is what the calls are measured against: the echo when empty, or load.CallEchoREST.
	Baseline string
	// Special are calls that are measured in another way than the rest.
	Special map[string]Special
	// Sized says that the size of its store matters, so that it takes part in a comparison of sizes.
	Sized bool
	// Start runs in the benchmark's own process: it starts the service as a process of its own, with Stage.Persons persons, and
	// returns when it serves. What it started before an error it must end itself.
	Start func(ctx context.Context, s Stage) (*Running, error)
	// Prepare runs in the load process, when it is connected.
	Prepare load.Prepare
}

// Special is how a call is measured.
type Special struct {
	// InFlight is how many lanes make it.
	InFlight int
	// Baseline is a call of the same service against which it is measured.
	Baseline string
	// Alone says that it is measured against nothing.
	Alone bool
}

// Stage is what a service is started for.
type Stage struct {
	Dir      string // for data, logs and programs; exists
	Persons  int
	Database string // URL of an empty PostgreSQL database, or empty for SQLite in Dir
	Profile  string // file for a CPU profile of the service, or empty
	Calls    []string
	Progress io.Writer

	registers bool     // whether simulated registers are connected
	idle      []string // services that are prepared but do not run
}

// Running is a service that serves.
type Running struct {
	PID     int
	Ready   time.Duration // from start to readiness
	Connect load.Connect  // address, server and certificates; the rest is filled in
	Data    any           // for Prepare, as JSON
	Close   func(ctx context.Context) error
	// Before, if set, is called before each round of a call, or of a baseline that is a call of the service.
	Before func(ctx context.Context, call string) error
	// Beside is the process of a further service whose processor time is told, 0 for none.
	Beside int
}

// All are the services, in the order of the report.
func All() []Service {
	return []Service{identityService(), followedService(), gatewayService(), insuranceService(), transferService(), ledgerService(), shippingService()}
}

// Prepares are what the load process needs of them.
func Prepares() map[string]load.Prepare {
	out := map[string]load.Prepare{}
	for _, s := range All() {
		out[s.Name] = s.Prepare
	}
	return out
}

// Wanted returns those of the service's calls that are named, themselves or by the service's name; all when nothing is named.
func (s Service) Wanted(names []string) []string {
	var out []string
	for _, call := range s.Calls {
		if Named(call, names) {
			out = append(out, call)
		}
	}
	return out
}

// Named says whether a call is among the names, itself or by the name of its service, or nothing is named.
func Named(call string, names []string) bool {
	service, _, _ := strings.Cut(call, ".")
	for _, name := range names {
		if name == call || name == service {
			return true
		}
	}
	return len(names) == 0
}
