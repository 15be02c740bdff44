package spar_test

import (
	"bytes"
	"context"
	"testing"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/platform/soap"
)

// raw is an envelope that answers every question.
type raw []byte

// Call implements spar.Caller.
func (r raw) Call(_ context.Context, _ string, _, answered any) error {
	return soap.Decode(bytes.NewReader(r), 1<<16, answered)
}

// FuzzAnswer reads anything as an answer. What is accepted must be about a number that was asked, keep every protection, and hold no
// address that does not fit an envelope.
func FuzzAnswer(f *testing.F) {
	row := when("2020-02-29", "9999-12-31")
	for _, records := range []string{
		"", tooMany, exception("GENERELLT_FEL"), record(asked), flagged(asked, "JA", "JA"), record(asked, details(reason("GN"), pointer("Till", next))),
		record(asked, `<n:Namn>`+row+`<e:Fornamn>A</e:Fornamn></n:Namn>`, atHome("f:Folkbokforingsadress", "Hem 1", row)),
		record(asked, details(reason("UV")), elsewhere("u:Utlandsadress", "Street 1", "NORGE", row)),
	} {
		f.Add(envelope(answer(records)))
	}
	f.Add(envelope(fault("S:Client")))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := register(t, deps(t, raw(in))).Lookup(t.Context(), inquiry(t, asked))
		if (p == nil) == (err == nil) {
			t.Fatal("neither a person nor an error, or both")
		}
		if err != nil {
			return
		}
		// The answer to the second question is the same, so it is about another number than was asked then.
		if p.Number != number(t, asked) {
			t.Error("not the number that was asked")
		}
		if !bytes.Contains(in, []byte("NEJ")) && len(p.Protections) < 2 {
			t.Error("nobody said that there is no protection")
		}
		if p.Source != core.SourcePublicRegister || !p.RegisterTime.Equal(now()) || len(p.Memberships) > 0 {
			t.Error("not what a register gives")
		}
		if a := p.Address; a != nil && (len(a.Lines) > 3 || a.Country == "" && len(a.Lines) == 0) {
			t.Error("not an address")
		}
	})
}
