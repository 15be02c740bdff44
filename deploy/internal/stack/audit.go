package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"samvirke.dev/certs/bootstrap"
	"samvirke.dev/services/audit"
)

// AuditName is the audit service's name.
const AuditName = "audit"

// Programs of the audit service.
const (
	AuditPackage  = "samvirke.dev/services/audit/cmd/auditd"
	VerifyPackage = "samvirke.dev/services/audit/cmd/samvirke-verify"
)

// LedgerOrigin is the name of a stack's ledger.
const LedgerOrigin = TrustDomain + "/ledger"

// Audit is the audit service, to which the other services of a stack ship their records.
func Audit() Program {
	return Program{
		Name: AuditName, Package: AuditPackage, Classes: []string{"record"}, DNSNames: []string{"localhost"},
		Keys:   []bootstrap.Key{{Name: audit.LedgerKey, Type: bootstrap.Ed25519}},
		Grants: []bootstrap.Grant{{Key: audit.LedgerKey, Uses: []bootstrap.Use{bootstrap.Sign, bootstrap.Describe}}},
		Settings: func(s *Stack) map[string]any {
			type m = map[string]any
			return m{
				"ledger":      m{"dir": s.path("ledger"), "origin": LedgerOrigin},
				"checkpoints": m{"dir": s.path("checkpoints"), "every": "5s"},
				"tiles":       m{"listen": "127.0.0.1:0"},
				"usage":       m{"services": s.kept()},
				"console":     m{"local": s.console()},
			}
		},
	}
}

// kept lists the services whose records the audit service keeps, with their addresses.
func (s *Stack) kept() []string {
	out := []string{}
	for _, p := range s.cfg.Programs {
		if p.Name != AuditName && !p.REST {
			out = append(out, p.Name+"="+s.addrs[p.Name])
		}
	}
	return out
}

// console is the console's part of the configuration: for this machine alone, with one sign-in.
func (s *Stack) console() map[string]any {
	file := s.path("console-token")
	if err := os.WriteFile(file, []byte(s.consoleToken), 0o600); err != nil {
		file = "" // refused by the service with its own words
	}
	return map[string]any{"listen": s.consoleAddr, "token_file": file}
}

// ConsoleURL opens the console of a running stack, once.
func (s *Stack) ConsoleURL() string { return "http://" + s.consoleAddr + "/sign-in#" + s.consoleToken }

// shipping is the part of a program's configuration that says where its records go.
func (s *Stack) shipping(name string) map[string]any {
	if name == AuditName || s.addrs[AuditName] == "" {
		return map[string]any{}
	}
	return map[string]any{"address": s.addrs[AuditName]}
}

// Verify runs samvirke-verify on a receipt, given as JSON, with the public keys of the ledger and nothing else. It returns what the program
// says; an error when the receipt does not hold.
func (s *Stack) Verify(ctx context.Context, receipt []byte) (string, error) {
	keys, err := s.Command(ctx, AuditName, "key")
	if err != nil {
		return "", err
	}
	program, err := Build(ctx, VerifyPackage, s.cfg.Dir, io.Discard)
	if err != nil {
		return "", err
	}
	keyFile, file := s.path("ledger-keys"), s.path("receipt.json")
	if err := errors.Join(os.WriteFile(keyFile, keys, 0o600), os.WriteFile(file, receipt, 0o600)); err != nil {
		return "", fmt.Errorf("receipt: %w", err)
	}
	cmd := exec.CommandContext(ctx, program, "receipt", "--keys", keyFile, file) //nolint:gosec // ours
	cmd.Env = []string{}                                                         // no server, no secret
	var said, complained bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complained
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(complained.String()))
	}
	return said.String(), nil
}
