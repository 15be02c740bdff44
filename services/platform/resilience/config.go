package resilience

import (
	"errors"
	"time"
)

// Config says how much a register may cost us. DefaultConfig returns the defaults; a value left zero is refused, except wait, hedge_after,
// retries and retry_wait.
type Config struct {
	Timeout      time.Duration `yaml:"timeout" class:"public" doc:"longest wait for the answer to one attempt, its hedge included; less than the callers' own deadlines, or a dead register is never noticed"`
	MaxInFlight  int           `yaml:"max_in_flight" class:"public" doc:"most requests that are with the register at the same time, hedges included, in each replica"`
	Wait         time.Duration `yaml:"wait" class:"public" doc:"how long a call waits for a place among them; 0 gives up at once"`
	HedgeAfter   time.Duration `yaml:"hedge_after" class:"public" doc:"an attempt without an answer for so long is sent a second time, and the first answer counts; about the register's 99th percentile; 0 for no hedging"`
	Retries      int           `yaml:"retries" class:"public" doc:"how often a call that failed is tried again; one that timed out never is"`
	RetryWait    time.Duration `yaml:"retry_wait" class:"public" doc:"longest wait before a retry; the actual one is random, from half of it"`
	FailureRatio float64       `yaml:"failure_ratio" class:"public" doc:"share of failures among the attempts of the window from which on the register is left alone, more than 0 to 1"`
	Window       time.Duration `yaml:"window" class:"public" doc:"how far back failures and answers count"`
	MinCalls     int           `yaml:"min_calls" class:"public" doc:"attempts that the window must hold before their failures mean anything"`
	OpenFor      time.Duration `yaml:"open_for" class:"public" doc:"how long, give or take a tenth, the register is left alone before it is probed"`
	Probes       int           `yaml:"probes" class:"public" doc:"attempts that are let through to find out whether the register is back; all must be answered"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Timeout: 3 * time.Second, MaxInFlight: 64, Wait: 100 * time.Millisecond, HedgeAfter: time.Second,
		Retries: 1, RetryWait: 50 * time.Millisecond,
		FailureRatio: 0.5, Window: 30 * time.Second, MinCalls: 5, OpenFor: 5 * time.Second, Probes: 2,
	}
}

// minWindow is a tenth of a second for each of the ten slices of which the window drops the oldest.
const minWindow = time.Second

// Validate reports every problem at once.
func (c Config) Validate() error {
	var problems []error
	want := func(ok bool, text string) {
		if !ok {
			problems = append(problems, errors.New(text))
		}
	}
	want(c.Timeout > 0, "timeout: want more than 0")
	want(c.MaxInFlight > 0 && c.MaxInFlight <= 10_000, "max_in_flight: want 1 to 10000")
	want(c.Wait >= 0, "wait: must not be negative")
	want(c.HedgeAfter >= 0 && (c.HedgeAfter == 0 || c.HedgeAfter < c.Timeout), "hedge_after: want 0, or more and less than timeout")
	want(c.Retries >= 0 && c.Retries <= 5, "retries: want 0 to 5")
	want(c.RetryWait >= 0, "retry_wait: must not be negative")
	want(c.FailureRatio > 0 && c.FailureRatio <= 1, "failure_ratio: want more than 0 to 1")
	want(c.Window >= minWindow, "window: want at least 1s")
	want(c.MinCalls > 0 && c.MinCalls <= 10_000, "min_calls: want 1 to 10000")
	want(c.Window >= time.Duration(c.MinCalls)*c.Timeout, "window: want at least min_calls times timeout, or a dead register that is asked by one caller is never noticed")
	want(c.OpenFor > 0, "open_for: want more than 0")
	want(c.Probes > 0 && c.Probes <= 100, "probes: want 1 to 100")
	return errors.Join(problems...)
}
