package sf1520_test

import (
	"bytes"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/names"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr/sf1520"
)

// validate holds documents against the service's own schema, of which it mends a copy: one import is missing there.
func validate(t *testing.T, files ...string) {
	t.Helper()
	tool, err := exec.LookPath("xmllint")
	if err != nil {
		missing(t, "no xmllint")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(shared(t, "sf1520-v4"))); err != nil {
		t.Fatal(err)
	}
	types := filepath.Join(dir, "xsd", "PersonBaseDataExtendedServiceTypes.xsd")
	raw, err := os.ReadFile(types)
	if err != nil {
		t.Fatal(err)
	}
	const before = `<xsd:complexType name="persondataType">`
	mended := bytes.Replace(raw, []byte(before), []byte(`<xsd:import namespace="http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/" `+
		`schemaLocation="../sp/PNR_1.xsd"/>`+before), 1)
	if err := os.Remove(types); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(types, mended, 0o600); err != nil {
		t.Fatal(err)
	}
	schema := filepath.Join(dir, "PersonBaseDataExtendedServiceMsg.xsd")
	args := append([]string{"--noout", "--nonet", "--schema", schema}, files...)
	if out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// body writes what is inside the body of an envelope to a file.
func body(t *testing.T, envelope []byte) string {
	t.Helper()
	var e struct {
		Body struct {
			Inside []byte `xml:",innerxml"`
		} `xml:"Body"`
	}
	if err := xml.Unmarshal(envelope, &e); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "body.xml")
	if err := os.WriteFile(path, e.Body.Inside, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// covers: REG-02
func TestRequestIsValid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bend   func(*sf1520.Deps)
		user   string
		has    []string
		hasNot []string
	}{
		"least": {
			bend: func(*sf1520.Deps) {}, has: []string{">" + asked + "<", agreement().UserUUID},
			hasNot: []string{"AuthorityContext", "OnBehalfOfUser", "AccountingInfo"},
		},
		"most": {
			bend: func(d *sf1520.Deps) { d.Context.MunicipalityCVR, d.Context.AccountingInfo = "12345678", "Å & <b>" }, user: "<ø> & \x00",
			has: []string{"MunicipalityCVR", ">12345678<", "Å &amp; &lt;b&gt;", "&lt;ø&gt; &amp;"},
		},
		"longest": {
			bend: func(d *sf1520.Deps) { d.Context.AccountingInfo = strings.Repeat("Å", 255) }, user: strings.Repeat("ø", 255),
			has: []string{strings.Repeat("ø", 255)},
		},
		"controller of its own": {
			bend: func(d *sf1520.Deps) {
				d.Context.MunicipalityCVR = "12345678"
				d.Controllers = map[string]sf1520.Context{
					"DK:12345678": {ServiceAgreementUUID: "aaaaaaaa-2222-4333-8444-555555555501", MunicipalityCVR: "87654321"},
					"DK:99999999": {MunicipalityCVR: "99999999"},
				}
			},
			has:    []string{"aaaaaaaa-2222-4333-8444-555555555501", ">87654321<", agreement().UserSystemUUID},
			hasNot: []string{agreement().ServiceAgreementUUID, "99999999", ">12345678<"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := &cprd{answers: map[string][]byte{asked: testdata(t, "01")}}
			d := deps(t, start(t, service).client(t))
			c.bend(&d)
			in := inquiry(t)
			in.EndUser = c.user
			if _, err := register(t, d).Lookup(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			sent := service.bodies[0]
			for _, part := range c.has {
				if !bytes.Contains(sent, []byte(part)) {
					t.Errorf("lacks %s:\n%s", part, sent)
				}
			}
			for _, part := range c.hasNot {
				if bytes.Contains(sent, []byte(part)) {
					t.Errorf("has %s:\n%s", part, sent)
				}
			}
			if want := `"` + space4 + `PersonLookup"`; service.actions[0] != want {
				t.Errorf("action %s", service.actions[0])
			}
			validate(t, body(t, sent))
		})
	}
}

// Our own answers are such as the service could give.
func TestTestdataIsValid(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatal(err, "no files")
	}
	validate(t, files...)
}

// example returns a sample beside the project.
func example(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(shared(t, "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// covers: REG-02
func TestExamples(t *testing.T) {
	t.Parallel()
	address := &core.Address{
		Lines: []string{"Søgade 16", "Vodskov"}, PostalCode: "9000", City: "Aalborg", Country: "DK", ValidFrom: date(1980, 1, 1),
	}
	person := func(digits string, name names.Name, state string) core.Person {
		return core.Person{
			Number: number(t, digits), Name: name, RegisterState: state, RegisterTime: now(), Source: core.SourcePublicRegister,
		}
	}
	annette := person("0709614126", names.Name{Given: "Annette", Family: "Ingdahl", Addressing: "Annette Ingdahl"}, "01")
	annette.Birth, annette.Address = date(1961, 9, 7), address
	aksel := person("0701614011", names.Name{Given: "Aksel", Family: "Sander", Addressing: "Aksel Sander"}, "01")
	aksel.Birth, aksel.Address = date(1961, 1, 7), address
	aksel.Protections = protections(date(2024, 1, 1), core.ProtectionDKNameAddress, core.ProtectionAdBlock)
	robert := person("0108610069", names.Name{Given: "Robert Udtzon", Family: "Ullersen", Addressing: "Robert Udtzon Ullersen"}, "60")
	robert.Birth = date(1961, 8, 1)

	service := &cprd{answers: map[string][]byte{
		"0709614126": example(t, "PersonLookupResponse-0709614126.synthetic.xml"),
		"0701614011": example(t, "PersonLookupResponse-0701614011-protected.synthetic.xml"),
		"0108610069": example(t, "PersonLookupResponse-0108610069-changed.synthetic.xml"),
		"0709610015": example(t, "fault.synthetic.xml"),
	}}
	r := register(t, deps(t, start(t, service).client(t)))
	for _, want := range []core.Person{annette, aksel, robert} {
		got, err := r.Lookup(t.Context(), core.Inquiry{Number: want.Number})
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
	}
	if want := []string{"0709614126", "0701614011", "0108610069", "0709610015"}; !slices.Equal(service.asked, want) {
		t.Error("did not ask for the number in force")
	}
	_, err := r.Lookup(t.Context(), core.Inquiry{Number: number(t, "0709610015")})
	if err == nil || !strings.Contains(err.Error(), "172") {
		t.Errorf("the sample fault: %v", err)
	}
	// The pointer of the sample leads to the number in force.
	service.answers["0709610015"] = bytes.ReplaceAll(service.answers["0709614126"], []byte("0709614126"), []byte("0709610015"))
	got, err := r.Lookup(t.Context(), core.Inquiry{Number: robert.Number})
	if err != nil {
		t.Fatal(err)
	}
	annette.Number, annette.Earlier = number(t, "0709610015"), []nationalid.Number{robert.Number}
	same(t, got, annette)
}
