package workload_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"samvirke.dev/certs/workload"
)

func TestOrganisation(t *testing.T) {
	t.Parallel()
	id, err := workload.Organisation("samvirke.test", "DK", "12345678", "caseworker")
	if err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2]string{
		"string": {id.String(), "spiffe://samvirke.test/org/DK/12345678/caseworker"},
		"org":    {id.Org(), "DK:12345678"},
		"system": {id.System(), "caseworker"},
		"domain": {id.TrustDomain(), "samvirke.test"},
		"name":   {id.Name(), ""},
		"kind":   {id.Kind().String(), "organisation"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
		}
	}
}

func TestService(t *testing.T) {
	t.Parallel()
	id, err := workload.Service("samvirke.test", "identity")
	if err != nil {
		t.Fatal(err)
	}
	if got := id.String(); got != "spiffe://samvirke.test/svc/identity" {
		t.Errorf("id is %q", got)
	}
	if id.Kind() != workload.KindService || id.Name() != "identity" || id.Org() != "" || id.System() != "" {
		t.Errorf("parts of %v: %v %q %q %q", id, id.Kind(), id.Name(), id.Org(), id.System())
	}
}

func TestZero(t *testing.T) {
	t.Parallel()
	var id workload.ID
	if !id.IsZero() || id.String() != "" || id.Kind() != workload.KindUnknown || id.Kind().String() != "unknown" {
		t.Errorf("zero id is %q of kind %v", id, id.Kind())
	}
}

// covers: SEC-01, SEC-02
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"empty":                "",
		"other scheme":         "https://samvirke.test/svc/identity",
		"upper scheme":         "SPIFFE://samvirke.test/svc/identity",
		"no domain":            "spiffe:///svc/identity",
		"upper domain":         "spiffe://Samvirke.test/svc/identity",
		"user":                 "spiffe://u@samvirke.test/svc/identity",
		"port":                 "spiffe://samvirke.test:443/svc/identity",
		"query":                "spiffe://samvirke.test/svc/identity?x=1",
		"fragment":             "spiffe://samvirke.test/svc/identity#x",
		"no path":              "spiffe://samvirke.test",
		"trailing slash":       "spiffe://samvirke.test/svc/identity/",
		"double slash":         "spiffe://samvirke.test/svc//identity",
		"dots":                 "spiffe://samvirke.test/svc/../identity",
		"percent encoding":     "spiffe://samvirke.test/svc/%69dentity",
		"other tree":           "spiffe://samvirke.test/srv/identity",
		"name with upper case": "spiffe://samvirke.test/svc/Identity",
		"name with digit":      "spiffe://samvirke.test/svc/1identity",
		"name ends in hyphen":  "spiffe://samvirke.test/svc/identity-",
		"name too long":        "spiffe://samvirke.test/svc/" + strings.Repeat("a", 64),
		"deeper service":       "spiffe://samvirke.test/svc/identity/x",
		"lower country":        "spiffe://samvirke.test/org/dk/12345678/caseworker",
		"three letters":        "spiffe://samvirke.test/org/DNK/12345678/caseworker",
		"digit country":        "spiffe://samvirke.test/org/D1/12345678/caseworker",
		"short number":         "spiffe://samvirke.test/org/DK/123/caseworker",
		"long number":          "spiffe://samvirke.test/org/DK/123456789012345678901/caseworker",
		"hyphen in number":     "spiffe://samvirke.test/org/FI/1234567-8/caseworker",
		"lower in number":      "spiffe://samvirke.test/org/DK/1234567a/caseworker",
		"no system":            "spiffe://samvirke.test/org/DK/12345678",
		"deeper organisation":  "spiffe://samvirke.test/org/DK/12345678/caseworker/x",
		"new line":             "spiffe://samvirke.test/svc/identity\n",
		"look-alike letter":    "spiffe://samvirke.test/svc/іdentity",
		"nul":                  "spiffe://samvirke.test/svc/identity\x00",
		"very long":            "spiffe://samvirke.test/" + strings.Repeat("x", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, err := workload.Parse(in)
			if !errors.Is(err, workload.ErrMalformed) || !id.IsZero() {
				t.Fatalf("Parse(%q) = %v, %v", in, id, err)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("error of %d characters", len(err.Error()))
			}
		})
	}
}

func TestBuildersRefuse(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func() (workload.ID, error){
		"domain is a URI":   func() (workload.ID, error) { return workload.Service("spiffe://samvirke.test/x", "identity") },
		"domain is empty":   func() (workload.ID, error) { return workload.Service("", "identity") },
		"domain upper case": func() (workload.ID, error) { return workload.Service("Samvirke.test", "identity") },
		"domain too long":   func() (workload.ID, error) { return workload.Service(strings.Repeat("a", 256), "identity") },
		"service":           func() (workload.ID, error) { return workload.Service("samvirke.test", "a/b") },
		"country":           func() (workload.ID, error) { return workload.Organisation("samvirke.test", "dk", "12345678", "x") },
		"number":            func() (workload.ID, error) { return workload.Organisation("samvirke.test", "DK", "12 34", "x") },
		"system":            func() (workload.ID, error) { return workload.Organisation("samvirke.test", "DK", "12345678", "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if id, err := f(); !errors.Is(err, workload.ErrMalformed) || !id.IsZero() {
				t.Fatalf("got %v, %v", id, err)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	in := `["spiffe://samvirke.test/svc/identity"]`
	var ids []workload.ID
	if err := json.Unmarshal([]byte(in), &ids); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(ids)
	if err != nil || string(out) != in {
		t.Fatalf("got %s, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`["nobody"]`), &ids); !errors.Is(err, workload.ErrMalformed) {
		t.Errorf("got %v", err)
	}
}

// covers: SEC-01
func TestFromCertificate(t *testing.T) {
	t.Parallel()
	uri := func(s string) *url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	good := uri("spiffe://samvirke.test/svc/identity")
	for name, c := range map[string]struct {
		cert *x509.Certificate
		ok   bool
	}{
		"nil":     {nil, false},
		"none":    {&x509.Certificate{}, false},
		"two":     {&x509.Certificate{URIs: []*url.URL{good, uri("https://samvirke.test")}}, false},
		"twice":   {&x509.Certificate{URIs: []*url.URL{good, good}}, false},
		"foreign": {&x509.Certificate{URIs: []*url.URL{uri("https://samvirke.test/svc/identity")}}, false},
		"one":     {&x509.Certificate{URIs: []*url.URL{good}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, err := workload.FromCertificate(c.cert)
			if (err == nil) != c.ok || id.IsZero() == c.ok {
				t.Fatalf("got %v, %v", id, err)
			}
		})
	}
}

// TestFromStateTrustsOnlyTheVerifiedChain: what a peer merely sent is nobody.
// covers: SEC-01
func TestFromStateTrustsOnlyTheVerifiedChain(t *testing.T) {
	t.Parallel()
	u, err := url.Parse("spiffe://samvirke.test/svc/identity")
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{URIs: []*url.URL{u}}
	if _, err := workload.FromState(tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}); !errors.Is(err, workload.ErrUnverified) {
		t.Errorf("unverified: %v", err)
	}
	if _, err := workload.FromState(tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{}}}); !errors.Is(err, workload.ErrUnverified) {
		t.Errorf("empty chain: %v", err)
	}
	id, err := workload.FromState(tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf}}})
	if err != nil || id.Name() != "identity" {
		t.Errorf("got %v, %v", id, err)
	}
}

// TestRoundTrip: whatever the builders accept, Parse reads back as the same value.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		td := rapid.StringMatching(`[a-z0-9]{1,10}(\.[a-z0-9_-]{1,10}){0,3}`).Draw(t, "trust domain")
		label := rapid.StringMatching(`[a-z]([a-z0-9-]{0,20}[a-z0-9])?`)
		var id workload.ID
		var err error
		if rapid.Bool().Draw(t, "service") {
			id, err = workload.Service(td, label.Draw(t, "name"))
		} else {
			id, err = workload.Organisation(td, rapid.StringMatching(`[A-Z]{2}`).Draw(t, "country"), rapid.StringMatching(`[0-9A-Z]{4,20}`).Draw(t, "number"), label.Draw(t, "system"))
		}
		if err != nil {
			t.Fatal(err)
		}
		back, err := workload.Parse(id.String())
		if err != nil || back != id {
			t.Fatalf("%v came back as %v, %v", id, back, err)
		}
	})
}

// FuzzParse: whatever parses is spelled exactly as it prints, so that two spellings never mean one identity.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"spiffe://samvirke.test/svc/identity", "spiffe://samvirke.test/org/DK/12345678/caseworker", "spiffe://a/svc/b%2fc",
		"spiffe://samvirke.test/org/SE/8020001234/a-kassa", "spiffe://x/org/GB/SC123456/sys", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := workload.Parse(s)
		if err != nil {
			if !errors.Is(err, workload.ErrMalformed) || !id.IsZero() {
				t.Fatalf("Parse(%q) = %v, %v", s, id, err)
			}
			return
		}
		if id.String() != s {
			t.Fatalf("%q prints as %q", s, id)
		}
		if (id.Kind() == workload.KindService) == (id.Name() == "") || (id.Kind() == workload.KindOrganisation) == (id.Org() == "") {
			t.Fatalf("%q has parts of both kinds or none", s)
		}
	})
}
