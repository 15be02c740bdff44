package jobs

import (
	"errors"
	"time"
)

// Config says how jobs are run. DefaultConfig returns the defaults; a value left zero is refused, except retry_jitter and drain.
type Config struct {
	Workers     int           `yaml:"workers" class:"public" doc:"jobs that run at the same time in each replica, in the default queue"`
	Poll        time.Duration `yaml:"poll" class:"public" doc:"how often the database is asked for jobs that nobody announced: due retries, scheduled jobs, those of other replicas"`
	FetchPause  time.Duration `yaml:"fetch_pause" class:"public" doc:"shortest time between two looks for jobs; each fetches as many as workers are free"`
	Timeout     time.Duration `yaml:"timeout" class:"public" doc:"longest run of a job whose worker says nothing else"`
	MaxAttempts int           `yaml:"max_attempts" class:"public" doc:"how often a failing job is tried before it is given up"`
	RetryFirst  time.Duration `yaml:"retry_first" class:"public" doc:"wait after the first failure of a job; doubles with each further one"`
	RetryMax    time.Duration `yaml:"retry_max" class:"public" doc:"longest wait between two attempts"`
	RetryJitter float64       `yaml:"retry_jitter" class:"public" doc:"random part of a wait, 0 to 1, that spreads jobs which failed together"`
	RescueAfter time.Duration `yaml:"rescue_after" class:"public" doc:"a job that has run for so long is believed dead with its process and runs again; more than any worker's timeout"`
	KeepDone    time.Duration `yaml:"keep_done" class:"public" doc:"how long finished jobs stay in the database"`
	KeepFailed  time.Duration `yaml:"keep_failed" class:"public" doc:"how long jobs that were given up stay in the database"`
	Drain       time.Duration `yaml:"drain" class:"public" doc:"how long running jobs may go on at shutdown; then they are interrupted and put back without counting the attempt"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Workers: 4, Poll: time.Second, FetchPause: 20 * time.Millisecond, Timeout: time.Minute, MaxAttempts: 25,
		RetryFirst: time.Second, RetryMax: time.Hour, RetryJitter: 0.2,
		RescueAfter: time.Hour, KeepDone: 24 * time.Hour, KeepFailed: 7 * 24 * time.Hour, Drain: 5 * time.Second,
	}
}

// Validate reports every problem at once.
func (c Config) Validate() error {
	var problems []error
	want := func(ok bool, text string) {
		if !ok {
			problems = append(problems, errors.New(text))
		}
	}
	want(c.Workers > 0 && c.Workers <= 1000, "workers: want 1 to 1000")
	want(c.FetchPause >= time.Millisecond, "fetch_pause: want at least 1ms")
	want(c.Poll > 0 && c.Poll >= c.FetchPause, "poll: want more than 0 and at least fetch_pause")
	want(c.Timeout > 0, "timeout: want more than 0")
	want(c.MaxAttempts > 0, "max_attempts: want at least 1")
	want(c.RetryFirst > 0 && c.RetryMax >= c.RetryFirst, "retry_first, retry_max: want more than 0, and retry_max no less than retry_first")
	want(c.RetryJitter >= 0 && c.RetryJitter <= 1, "retry_jitter: want 0 to 1")
	want(c.RescueAfter > c.Timeout, "rescue_after: want more than timeout, or jobs that still run are run again")
	want(c.KeepDone > 0, "keep_done: want more than 0")
	want(c.KeepFailed > 0, "keep_failed: want more than 0")
	want(c.Drain >= 0, "drain: must not be negative")
	return errors.Join(problems...)
}
