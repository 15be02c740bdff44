package identity_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"samvirke.dev/services/identity"
	"samvirke.dev/services/platform/config"
)

// loaded reads a registers section on top of a sound configuration.
func loaded(t *testing.T, registers string) error {
	t.Helper()
	raw, err := os.ReadFile(sound(t))
	must(t, err)
	file := filepath.Join(t.TempDir(), "identity.yaml")
	must(t, os.WriteFile(file, append(raw, "registers:\n"+registers...), 0o600))
	cfg := identity.DefaultConfig()
	return config.Load(&cfg, config.Options{EnvPrefix: "SAMVIRKE_IDENTITY", Args: []string{"--config", file}, Environ: []string{}})
}

const (
	soundSPAR = `  spar: {url: "https://spar.test/2021.1/", cert_file: a, key_file: b, ca_file: c, assignment: {recipient: 500243, customer: 500243, id: 637}}
`
	soundCPR = `  cpr:
    url: "https://cpr.test/4"
    cert_file: a
    key_file: b
    ca_file: c
    version: "4"
    controllers: {"DK:10000017": {municipality_cvr: "10000017"}}
    subscriptions: {url: "https://cpr.test/list", service_uuid: x, deliveries: /d}
`
)

// A register that is wanted must be configured wholly, and one that is not may be left out; all problems are told at once, none with its
// value.
func TestRegisterConfiguration(t *testing.T) {
	t.Parallel()
	for _, text := range []string{soundSPAR, soundCPR, soundSPAR + soundCPR, "  look_every: 5s\n"} {
		must(t, loaded(t, text))
	}
	for text, keys := range map[string][]string{
		`  look_every: 0s
  spar: {url: "https://hunter2.test", copies: {every: 0s, retry: -1s, batch: 0, workers: 5000, end_user: ""}, guard: {timeout: 0s, max_in_flight: -1}}
`: {
			"look_every", "spar.cert_file", "spar.key_file", "spar.ca_file", "spar.copies.every", "spar.copies.retry", "spar.copies.batch", "spar.copies.workers", "spar.copies.end_user",
			"spar.guard.timeout", "spar.guard.max_in_flight",
		},
		`  cpr: {subscriptions: {url: "https://hunter2.test", stale: 0s}}
`: {"cpr.url", "subscriptions.service_uuid", "subscriptions.stale"},
		`  cpr: {subscriptions: {deliveries: hunter2}}
`: {"cpr.url"},
		`  spar: {assignment: {recipient: hunter2}}
`: {"assignment.recipient"},
	} {
		err := loaded(t, text)
		problems, ok := errors.AsType[config.SettingErrors](err)
		if !ok || len(problems) < len(keys) {
			t.Errorf("%v", err)
			continue
		}
		for _, key := range keys {
			if !strings.Contains(err.Error(), key) {
				t.Errorf("nothing about %s in\n%v", key, err)
			}
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a value was repeated: %v", err)
		}
	}
}

// What can be seen only when the register is opened keeps the service from starting, and is named.
func TestRegistersThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	w := start(t)
	leaf := w.certFiles()
	for name, c := range map[string]struct {
		bend func(*identity.Registers)
		says string
	}{
		"nothing":        {func(*identity.Registers) {}, ""},
		"SPAR":           {func(r *identity.Registers) { leaf(&r.SPAR.Connection, "https://127.0.0.1:1/"); sparAssignment(r) }, ""},
		"no certificate": {func(r *identity.Registers) { r.SPAR.URL, r.SPAR.CertFile = "https://127.0.0.1:1/", "no such file" }, "registers.spar"},
		"no https":       {func(r *identity.Registers) { leaf(&r.SPAR.Connection, "http://127.0.0.1:1/"); sparAssignment(r) }, "https"},
		"no assignment":  {func(r *identity.Registers) { leaf(&r.SPAR.Connection, "https://127.0.0.1:1/") }, "recipient"},
		"unknown version": {func(r *identity.Registers) {
			leaf(&r.SPAR.Connection, "https://127.0.0.1:1/")
			sparAssignment(r)
			r.SPAR.Version = "1"
		}, "version"},
		"no context": {func(r *identity.Registers) { leaf(&r.CPR.Connection, "https://127.0.0.1:1/") }, "ServiceAgreementUUID"},
		"CPR": {func(r *identity.Registers) {
			leaf(&r.CPR.Connection, "https://127.0.0.1:1/")
			cprContext(r)
			r.CPR.Subscriptions.URL, r.CPR.Subscriptions.ServiceUUID = "https://127.0.0.1:1/list", "11111111-2222-4333-8444-555555555505"
		}, ""},
		"no service of the list": {func(r *identity.Registers) {
			leaf(&r.CPR.Connection, "https://127.0.0.1:1/")
			cprContext(r)
			r.CPR.Subscriptions.URL, r.CPR.Subscriptions.ServiceUUID = "https://127.0.0.1:1/list", "none"
		}, "ServiceUUID"},
	} {
		cfg := identity.DefaultConfig().Registers
		c.bend(&cfg)
		err := identity.Connect(cfg, w.clock)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func sparAssignment(r *identity.Registers) {
	r.SPAR.Assignment = identity.Assignment{Recipient: 500243, Customer: 500243, ID: 637}
}

func cprContext(r *identity.Registers) {
	r.CPR.Context = identity.Context{
		ServiceAgreementUUID: "11111111-2222-4333-8444-555555555501", UserSystemUUID: "11111111-2222-4333-8444-555555555502",
		UserUUID: "11111111-2222-4333-8444-555555555503", ServiceUUID: "11111111-2222-4333-8444-555555555504",
	}
}

// certFiles writes a certificate with its key and authority, and returns what puts them into a connection.
func (w *world) certFiles() func(c *identity.Connection, url string) {
	w.t.Helper()
	files := w.CA.Files(w.workloadOf(fundDK))
	return func(c *identity.Connection, url string) {
		c.URL, c.CertFile, c.KeyFile, c.CAFile = url, files.Cert, files.Key, files.CA
	}
}
