package subscription_test

import (
	"bytes"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"samvirke.dev/services/identity/internal/register/cpr/serviceplatform"
	"samvirke.dev/services/identity/internal/register/cpr/subscription"
)

// validate holds documents against the service's own schema: a copy with the imported files where it expects them, and without the
// facets by which it bounds integers, since XML Schema has them for texts only.
func validate(t *testing.T, docs ...[]byte) {
	t.Helper()
	tool, err := exec.LookPath("xmllint")
	if err != nil {
		missing(t, "no xmllint")
	}
	dir := t.TempDir()
	const messages = "CprSubscriptionServiceMsg.xsd"
	for _, path := range []string{filepath.Join("CprSubscriptionService", messages), "InvocationContext_20121009.xsd", "PNR_20121119.xsd"} {
		raw, err := os.ReadFile(shared(t, path))
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(path) == messages {
			for _, digits := range []string{"3", "4"} {
				raw = bytes.ReplaceAll(raw, []byte(`<xsd:maxLength value="`+digits+`"/>`), nil)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"--noout", "--nonet", "--schema", filepath.Join(dir, messages)}
	for i, doc := range docs {
		path := filepath.Join(dir, strings.Repeat("x", i+1)+".xml")
		if err := os.WriteFile(path, doc, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	if out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// body returns what is inside the body of an envelope.
func body(t *testing.T, envelope []byte) []byte {
	t.Helper()
	var e struct {
		Body struct {
			Inside []byte `xml:",innerxml"`
		} `xml:"Body"`
	}
	if err := xml.Unmarshal(envelope, &e); err != nil {
		t.Fatal(err)
	}
	return e.Body.Inside
}

// covers: REG-02
func TestRequestsAreValid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bend   func(*serviceplatform.Context)
		user   string
		has    []string
		hasNot []string
	}{
		"least": {func(*serviceplatform.Context) {}, "", []string{">" + asked + "<", agreement().UserUUID}, []string{"OnBehalfOfUser", "AccountingInfo"}},
		"most": {
			func(c *serviceplatform.Context) { c.MunicipalityCVR, c.AccountingInfo = "12345678", "Å & <b>" }, "<ø> & \x00",
			[]string{"Å &amp; &lt;b&gt;", "&lt;ø&gt; &amp;"}, []string{"12345678", "Authority"},
		},
		"longest": {
			func(c *serviceplatform.Context) { c.AccountingInfo = strings.Repeat("Å", 255) }, strings.Repeat("ø", 255),
			[]string{strings.Repeat("ø", 255)}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := &listd{list: map[string]bool{}}
			d := subscription.Deps{Caller: start(t, service), Context: agreement()}
			c.bend(&d.Context)
			l := list(t, d)
			in := inquiry(t)
			in.EndUser = c.user
			if err := l.Enrol(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			if err := l.Withdraw(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			for i, operation := range []string{"AddPNRSubscription", "RemovePNRSubscription"} {
				for _, part := range append(c.has, operation) {
					if !bytes.Contains(service.sent[i], []byte(part)) {
						t.Errorf("lacks %s:\n%s", part, service.sent[i])
					}
				}
				for _, part := range c.hasNot {
					if bytes.Contains(service.sent[i], []byte(part)) {
						t.Errorf("has %s:\n%s", part, service.sent[i])
					}
				}
			}
			validate(t, body(t, service.sent[0]), body(t, service.sent[1]))
		})
	}
}

// Our own answers are such as the service could give.
func TestAnswersAreValid(t *testing.T) {
	t.Parallel()
	validate(t, []byte(says("AddPNRSubscription", "ADDED")), []byte(says("RemovePNRSubscription", "NON_EXISTING_PNR")))
}
