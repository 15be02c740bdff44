package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"samvirke.dev/certs/certtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The program says where it listens, and ends when it is told to.
func TestRun(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t, "register.test")
	files := ca.Files(ca.Service("register"))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		args := []string{
			"--cert", files.Cert, "--key", files.Key, "--client-ca", files.CA, "--deliveries", t.TempDir(), "--spar-path", "/x", "--sf1520-path", "/y",
			"--sf1520-v5-path", "/z", "--subscription-path", "/s",
		}
		done <- run(ctx, args, in, slog.New(slog.DiscardHandler))
	}()
	lines := bufio.NewScanner(out)
	for _, want := range [][2]string{
		{"spar https://127.0.0.1:", "/x"}, {"sf1520 https://127.0.0.1:", "/y"}, {"sf1520v5 https://127.0.0.1:", "/z"}, {"subscription https://127.0.0.1:", "/s"},
		{"eindkomst https://127.0.0.1:", "/vericert/services/IndkomstOplysningPersonHentV2ServicePort"},
		{"admin http://127.0.0.1:", ""},
	} {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), want[0]) || !strings.HasSuffix(lines.Text(), want[1]) {
			t.Errorf("got %q, want %s…%s", lines.Text(), want[0], want[1])
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"":                                  "--deliveries is missing",
		"--deliveries .":                    "certificates are missing",
		"--deliveries . extra":              `unexpected argument "extra"`,
		"--nothing":                         "not defined",
		"--deliveries . --cert a.pem":       "certificates are missing",
		"--deliveries . --eindkomst-signed": "certificates are missing",
		"--deliveries . --cert a.pem --key b --client-ca c": "certificate",
	} {
		err := run(t.Context(), strings.Fields(line), io.Discard, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q", line, err, want)
		}
	}
}
