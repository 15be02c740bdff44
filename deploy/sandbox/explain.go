package main

import (
	"fmt"
	"strings"

	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
)

// services is a line for each service.
func (s *sandbox) services() string {
	var b strings.Builder
	for _, p := range s.suite.Programs() {
		if p.Name == stack.AuditName {
			fmt.Fprintf(&b, "  %-11s %s   (opens once: every exchange as a waterfall)\n", "console", s.suite.ConsoleURL())
		}
		if p.REST {
			fmt.Fprintf(&b, "  %-11s %s   (REST, TLS 1.3, both sides verified)\n  %-11s %s/docs/   (documentation, for everybody)\n", p.Name, s.suite.RESTURL(), "", s.suite.PublicURL())
			continue
		}
		fmt.Fprintf(&b, "  %-11s %s   (gRPC, TLS 1.3, both sides verified; gRPC reflection is on)\n", p.Name, s.suite.Addr(p.Name))
	}
	return b.String()
}

// explain prints what somebody needs to try it: addresses, certificates, and lines to paste.
func (s *sandbox) explain() {
	cast := s.scene.Cast
	addr := s.suite.Addr(stack.IdentityName)
	say.F(s.out, `
Running until Ctrl-C. Everything lies in %s

%s  Vault       %s
  SPAR        %s   (simulated; SOAP, both sides verified)
  CPR         %s   (SF1520, the same; deliveries are files)
  eIndkomst   %s   (the same, and bodies are signed)
  registers   http://%s   (make people move, be protected or die, make a register slow: see deploy/registers/README.md)
  agreements  %s   (change a file, and it is in force a moment later)
  logs        %s/*.log

Client certificates:
`, s.dir, s.services(), s.vault.Address, s.registers.SPARURL(), s.registers.SF1520URL(), s.registers.EIndkomstURL(),
		s.registers.AdminAddr(), s.suite.AgreementDir(), s.dir)
	for _, c := range s.scene.Callers() {
		f := s.suite.Files(c)
		say.F(s.out, "  %-28s %-14s %s\n", cast.Names[c.Org()], c.Org(), f.Cert)
	}
	f := s.suite.Files(cast.DanishFund)
	// The name in the certificate is a SPIFFE id and no host name, which grpcurl can't check.
	base := fmt.Sprintf("grpcurl -insecure -cert %s -key %s", f.Cert, f.Key)
	say.F(s.out, "\nTry (-insecure only because grpcurl can't compare SPIFFE ids; the server still verifies you):\n\n  %s %s list\n", base, addr)
	for _, example := range story.Examples(cast) {
		say.F(s.out, "\n  %s -d '%s' %s %s\n", base, example.JSON, addr, example.RPC)
	}
}
