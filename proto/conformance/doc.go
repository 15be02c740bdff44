// Package conformance holds the tests that every schema of Samvirke must pass.
package conformance
