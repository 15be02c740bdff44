package redact_test

import (
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"samvirke.dev/services/platform/redact"
	"samvirke.dev/services/platform/redact/canary"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// covers: SEC-06
func TestTextRemoves(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"198503149802":                       "[national-id]",
		"19850314-9802":                      "[national-id]",
		"850314-9802":                        "[national-id]",
		"850314+9802":                        "[national-id]",
		"8503149802":                         "[national-id]",
		"850314 9802":                        "[national-id]",
		"850314 - 9802":                      "[national-id]",
		"19850314 9802":                      "[national-id]",
		"19 850314-9802":                     "[national-id]",
		"1985-03-14-9802":                    "[national-id]",
		"850314%2D9802":                      "[national-id]",
		"850314%2b9802":                      "[national-id]",
		`"850314\u002b9802"`:                 `"[national-id]"`,
		"850314–9802":                        "[national-id]",
		"850314‑9802":                        "[national-id]",
		"850374-9809":                        "[national-id]",
		"198503749809":                       "[national-id]",
		"190002292385":                       "[national-id]",
		"202201922380":                       "[national-id]",
		"199013012385":                       "[national-id]",
		"740385-1013":                        "[national-id]",
		"7403851013":                         "[national-id]",
		"740385 1013":                        "[national-id]",
		"140385-1013":                        "[national-id]",
		"14.03.85-1013":                      "[national-id]",
		"74 03 85 10 13":                     "[national-id]",
		"8902922017":                         "[national-id]",
		"6101651110":                         "[national-id]",
		"161603149802":                       "[national-id]",
		"SE:198503149802":                    "SE:[national-id]",
		"pnr198503149802x":                   "pnr[national-id]x",
		"person_198503149802.xml":            "person_[national-id].xml",
		"no person 850314-9802, sorry":       "no person [national-id], sorry",
		"/v1/persons/198503149802/address":   "/v1/persons/[national-id]/address",
		"a=7403851013&b=198503149802":        "a=[national-id]&b=[national-id]",
		"row 5 850314-9802 refused":          "row 5 [national-id] refused",
		"000198503149802000":                 "[national-id]",
		"anna.berg@example.org":              "[email]",
		"mail åsa@exämple.se now":            "mail [email] now",
		"<member1+x@mail.example.org>":       "<[email]>",
		"850314-9802@example.org":            "[email]",
		"+46 70 174 06 05":                   "[phone]",
		"+46701740605":                       "[phone]",
		"+46 (0)70-174 06 05":                "[phone]",
		"+45 12 34 56 78":                    "[phone]",
		"tel 0046701740605":                  "tel [phone]",
		"070-174 06 05":                      "[phone]",
		"(08) 123 456 78":                    "([phone]",
		"08-123 456 78":                      "[phone]",
		"013-12 34 56":                       "[phone]",
		"ring 12 34 56 78 nu":                "ring [phone] nu",
		"10.1.2.3":                           "[ip]",
		"dial tcp 10.1.2.3:8200: refused":    "dial tcp [ip]:8200: refused",
		"[2001:db8::1]:443":                  "[[ip]]:443",
		"from 2001:db8:0:1:2:3:4:5.":         "from [ip].",
		"fe80::1":                            "[ip]",
		"Authorization: Bearer abc.def-ghi":  "Authorization: Bearer [token]",
		"authorization: basic dXNlcjpwYXNz":  "authorization: basic [token]",
		"hvs.CAESIJ0123456789abcdefghij":     "[token]",
		"token=s.abcdefghijklmnopqrstuvwx":   "token=[token]",
		"eyJhbGciOiJFZERTQSJ9.eyJzdWIi.c2ln": "[token]",
		"vault:v1:AAECAwQFBgcICQoLDA0ODw==":  "[ciphertext]",
		"k -----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- x": "k [pem] x",
		"-----BEGIN CERTIFICATE-----\nMIIE":                                "[pem]",
	} {
		if got := redact.Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTextKeeps(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", "ready", "listening",
		"4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "a85031498021503b",
		"123e4567-e89b-12d3-a456-426614174000", "00000000-0000-4000-8000-198503149802",
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"k0a1b2c3d.AAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"2026-03-14T15:09:26Z", "2026-03-14T15:09:26.123456789+01:00", "2026-03-14 15:09:26", "2026/03/14 15:09:26.123456",
		"2026-03-14", "14-03-2026", "02.03.2026", "15:09:26",
		"1767225600", "1767225600123", "1767225600123456", "1767225600123456789",
		"DK:12345678", "SE:5560360793", "556036-0793", "SE:802400-1234", "165560360793",
		"spiffe://samvirke.test/org/DK/12345678/payroll", "spiffe://samvirke.test/org/SE/8024001234/system",
		"1048576 bytes", "1073741824 bytes", "17179869184 bytes", "took 1.503149802s", "12.345678ms", "0.123456789", "99.99 %",
		"v1.36.12-20260825204119-511051f7f437.1", "google.golang.org/grpc@v1.85.0/server.go:123",
		"samvirke.identity.v1.IdentityService/VerifyIdentity", "rpc error: code = Unavailable desc = closing",
		"RFC 5116, section 5.1", "port 50051", "here::either", "x509: certificate has expired",
		"page 3 of 12", "extension 2.5.29.17.1 is critical", "1.3.6.1.4.1.311", "ABCDEF012345", "HTTP/2.0 503", "sha256:abcdef", "127", "row 00042", "step 05 2026-01-02",
	} {
		if got := redact.Text(in); got != in {
			t.Errorf("Text(%q) = %q, want it unchanged", in, got)
		}
	}
}

// A mark must say nothing that a second look could take for data, whatever stands around it.
func TestTextIsIdempotentAndLeavesNoID(t *testing.T) {
	t.Parallel()
	people := canary.People(200)
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(people).Draw(t, "person")
		form := rapid.SampledFrom(canary.IDForms(p.Country, p.ID)).Draw(t, "form")
		before := rapid.StringMatching(`[ -/:-~åäö]{0,12}`).Draw(t, "before")
		after := rapid.StringMatching(`[ -/:-~åäö]{0,12}`).Draw(t, "after")
		checkText(t, before+form+after)
	})
}

// Every written form of every generated person must go, also in the middle of something.
func TestTextRemovesTheCorpus(t *testing.T) {
	t.Parallel()
	for _, p := range canary.People(400) {
		for _, f := range append(canary.IDForms(p.Country, p.ID), p.Email, p.Phone) {
			for _, s := range []string{f, "x" + f, "id=" + f + ";", "(" + f + ")", `{"id":"` + f + `"}`} {
				if got := redact.Text(s); strings.Contains(got, p.ID[len(p.ID)-4:]) {
					t.Fatalf("Text(%q) = %q", s, got)
				}
			}
		}
	}
}

// The oracle is written apart from the code under test: plain expressions, bounded by what is not part of a number.
var idPatterns = []*regexp.Regexp{
	regexp.MustCompile(`(?:^|[^0-9A-Za-z.+-])(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]|6[1-9]|[78][0-9]|9[01])[-+]?[0-9]{4}(?:[^0-9A-Za-z-]|$)`),
	regexp.MustCompile(`(?:^|[^0-9A-Za-z.+-])[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]|[67][1-9])[-+]?[0-9]{4}(?:[^0-9A-Za-z-]|$)`),
	regexp.MustCompile(`(?:^|[^0-9A-Za-z.+-])(?:0[1-9]|[12][0-9]|3[01]|[67][1-9])(?:0[1-9]|1[0-2])[0-9]{2}-?[0-9]{4}(?:[^0-9A-Za-z-]|$)`),
}

type failer interface {
	Fatalf(format string, args ...any)
}

func checkText(t failer, in string) {
	out := redact.Text(in)
	if again := redact.Text(out); again != out {
		t.Fatalf("not idempotent: %q gives %q gives %q", in, out, again)
	}
	for _, re := range idPatterns {
		if m := re.FindString(out); m != "" {
			t.Fatalf("Text(%q) = %q still holds %q", in, out, m)
		}
	}
	if found := redact.Find(out); len(found) > 0 {
		t.Fatalf("Find(%q) = %v", out, found)
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{
		"", "850314-9802", "19850314-9802 a@b.se 10.0.0.1", "Bearer x", "hvs.AAAAAAAAAAAAAAAAAAAAAAAA", "2001:db8::1",
		"123e4567-e89b-12d3-a456-426614174000", "+46 70 174 06 05", "-----BEGIN X-----", "1767225600123456789", "%2D%2B\\u002b", "::::", ".%@.A.0\xe3.%@.A", "181710000000 00000000000",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkText(t, s) })
}

func TestFindTellsWhere(t *testing.T) {
	t.Parallel()
	got := redact.Find("a 850314-9802 b x@y.se")
	if len(got) != 2 || got[0] != (redact.Finding{Mark: "[national-id]", Offset: 2, Len: 11}) || got[1].Mark != "[email]" {
		t.Errorf("Find = %v", got)
	}
}

// Long hostile texts must not take more than linear time; the test's own time limit is the assertion.
func TestTextIsLinear(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"1 ", "a.", "1-", "a@", "::", "0", "+", "%2D1", "a:", "-----BEGIN ", "Bearer ", "f", "1.1.1."} {
		redact.Text(strings.Repeat(unit, 1<<18/len(unit)))
	}
}

func BenchmarkText(b *testing.B) {
	for name, s := range map[string]string{
		"plain":   "configuration reloaded",
		"rpc":     "samvirke.identity.v1.IdentityService/VerifyIdentity",
		"traceID": "4bf92f3577b34da6a3ce929d0e0e4736",
		"error":   "register answered: no person 850314-9802 at 10.1.2.3:443, ask anna@example.org",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				redact.Text(s)
			}
		})
	}
}
