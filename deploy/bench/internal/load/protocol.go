// Package load is the benchmark's client: a process of its own that holds the same number of connections to every target,
// keeps the same number of calls in flight, and checks each answer. The benchmark drives it line by line over its standard
// input and output, so that rounds against different targets can be interleaved without connecting anew.
package load

import (
	"encoding/json"

	"samvirke.dev/deploy/internal/localca"
)

// Command is one line of JSON to the load process. Exactly one field is set.
type Command struct {
	Connect *Connect `json:"connect,omitempty"`
	Ready   *Ready   `json:"ready,omitempty"`
	Run     *Run     `json:"run,omitempty"`
}

// Connect opens connections to a target.
type Connect struct {
	Target   string        `json:"target"`
	Addr     string        `json:"addr"`
	ServerID string        `json:"server_id"`
	Files    localca.Files `json:"files"`
	Conns    int           `json:"conns"`
	// HTTP makes them HTTP/2 connections for REST instead of gRPC ones.
	HTTP bool `json:"http,omitempty"`
}

// Ready prepares the calls of a service against a target.
type Ready struct {
	Target  string `json:"target"`
	Service string `json:"service"`
	// Data is for the service's Prepare.
	Data json.RawMessage `json:"data"`
}

// Run makes calls for a while.
type Run struct {
	Target   string `json:"target"`
	Call     string `json:"call"`
	InFlight int    `json:"in_flight"`
	Millis   int    `json:"millis"`
	// RequestBytes and ResponseBytes are the message sizes that the echo imitates.
	RequestBytes  int `json:"request_bytes,omitempty"`
	ResponseBytes int `json:"response_bytes,omitempty"`
}

// Reply is one line of JSON from the load process.
type Reply struct {
	// Error tells why the command failed as a whole.
	Error  string  `json:"error,omitempty"`
	Result *Result `json:"result,omitempty"`
}

// Result is what a Run came to.
type Result struct {
	Calls      int64   `json:"calls"`
	Failed     int64   `json:"failed"`
	FirstError string  `json:"first_error,omitempty"`
	Seconds    float64 `json:"seconds"`
	P50Micros  float64 `json:"p50_us"`
	P99Micros  float64 `json:"p99_us"`
	// RequestBytes and ResponseBytes are the mean sizes of the messages.
	RequestBytes  int `json:"request_bytes"`
	ResponseBytes int `json:"response_bytes"`
}
