package registers_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// validate holds documents against an official schema with xmllint.
func validate(t *testing.T, schema string, docs ...[]byte) {
	t.Helper()
	for line := range strings.Lines(xmllint(t, schema, docs)) {
		if !strings.HasSuffix(strings.TrimSpace(line), " validates") {
			t.Error(line)
		}
	}
}

// invalid is validate for documents of which none obeys the schema.
func invalid(t *testing.T, schema string, docs ...[]byte) {
	t.Helper()
	out := xmllint(t, schema, docs)
	for i, doc := range docs {
		if !strings.Contains(out, fmt.Sprintf("%03d.xml fails to validate", i)) {
			t.Errorf("obeys the schema: %s", doc)
		}
	}
}

// xmllint returns what the tool says: a line for each document that obeys the schema, and the breaches of the others.
func xmllint(t *testing.T, schema string, docs [][]byte) string {
	t.Helper()
	tool, err := exec.LookPath("xmllint")
	if err != nil {
		missing(t, "no xmllint")
	}
	dir := t.TempDir()
	args := []string{"--noout", "--nonet", "--schema", schema}
	for i, doc := range docs {
		path := filepath.Join(dir, fmt.Sprintf("%03d.xml", i))
		if err := os.WriteFile(path, doc, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 3) { // 3: a document breaks the schema
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), " validates") + strings.Count(string(out), " fails to validate"); n != len(docs) {
		t.Fatalf("%d of %d documents were judged:\n%s", n, len(docs), out)
	}
	return string(out)
}

// The schemas, where xmllint finds everything that they import.

func sparQuestion(t *testing.T) string {
	t.Helper()
	return filepath.Join(shared(t, "spar", "personsok-2021.1"), "granssnitt", "personsok", "2021.1", "PersonsokningFraga.xsd")
}

func sparAnswer(t *testing.T) string {
	t.Helper()
	return filepath.Join(shared(t, "spar", "personsok-2021.1"), "granssnitt", "personsok", "2021.1", "PersonsokningSvar.xsd")
}

// sf1520Contract is a copy of SF1520's contract with the import that is missing there.
func sf1520Contract(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(shared(t, "cpr", "sf1520-v4"))); err != nil {
		t.Fatal(err)
	}
	const before = `<xsd:complexType name="persondataType">`
	mend(t, filepath.Join(dir, "xsd", "PersonBaseDataExtendedServiceTypes.xsd"), before,
		`<xsd:import namespace="http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/" schemaLocation="../sp/PNR_1.xsd"/>`+before, 1)
	return dir
}

// subscriptionContract is a copy of the subscription service's contract with the imported files where it expects them. Two types bound
// the digits of a number by a facet that XML Schema has for texts only; the copy says the same with the one for numbers.
func subscriptionContract(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	from := shared(t, "cpr", "serviceplatformen-older")
	for _, path := range []string{
		"CprSubscriptionService/CprSubscriptionService.wsdl", "CprSubscriptionService/CprSubscriptionServiceMsg.xsd",
		"InvocationContext_20121009.xsd", "PNR_20121119.xsd",
	} {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), read(t, filepath.Join(from, path)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	messages := filepath.Join(dir, "CprSubscriptionServiceMsg.xsd")
	mend(t, messages, `<xsd:maxLength value="4"/>`, `<xsd:totalDigits value="4"/>`, 1)
	mend(t, messages, `<xsd:restriction base="xsd:nonNegativeInteger">
                <xsd:maxLength value="3"/>`, `<xsd:restriction base="xsd:nonNegativeInteger"><xsd:totalDigits value="3"/>`, 2)
	return dir
}

// mend replaces a text that occurs so many times in a file.
func mend(t *testing.T, path, old, with string, times int) {
	t.Helper()
	raw := read(t, path)
	if n := bytes.Count(raw, []byte(old)); n != times {
		t.Fatalf("%s: the place to mend occurs %d times", filepath.Base(path), n)
	}
	if err := os.Remove(path); err != nil { // the copy may be read-only
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(raw, []byte(old), []byte(with)), 0o600); err != nil {
		t.Fatal(err)
	}
}
