package registers_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"samvirke.dev/deploy/registers"
	"samvirke.dev/deploy/registers/eindkomst"
	"samvirke.dev/deploy/registers/eindkomst/signed"
	"samvirke.dev/deploy/registers/eindkomst/upload"
	"samvirke.dev/deploy/registers/trouble"
	"samvirke.dev/services/platform/clock"
)

const (
	dane      = "7004631298"
	otherDane = "7601841597"
	firm      = "90000008"
	otherFirm = "90000016"
)

// salary is a report for March 2026: hours in hundredths, income in øre.
func salary(cpr, employer, id string, hours, ore int64) upload.Report {
	return upload.Report{
		Employer: employer, ID: id, CPR: cpr, From: "20260301", To: "20260331", Paid: "20260331", Kind: "00",
		Figures: []upload.Figure{{Field: upload.FieldHours, Hundredths: hours}, {Field: upload.FieldIncome, Hundredths: ore}},
	}
}

func file(t *testing.T, reports ...upload.Report) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := upload.WriteReports(&out, "20260405120000", reports); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// upload posts a file to the admin interface.
func (b *bench) upload(t *testing.T, reports ...upload.Report) {
	t.Helper()
	if status, said := b.postFile(t, file(t, reports...)); status != http.StatusOK {
		t.Fatalf("%d %s", status, said)
	}
}

func (b *bench) postFile(t *testing.T, raw []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.sim.AdminAddr()+"/v1/eindkomst/upload", bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(said)
}

// period and months are the two ways to search.
func period(from, to string) string {
	return `<e:SoegePeriodeLukketStruktur><d:DateInterval xmlns:d="http://rep.oio.dk/xkom.dk/xml/schemas/2007/09/01/"><x:StartDate xmlns:x="http://rep.oio.dk/xkom.dk/xml/schemas/2006/09/01/">` + from +
		`</x:StartDate><y:EndDate xmlns:y="http://rep.oio.dk/xkom.dk/xml/schemas/2007/04/15/">` + to + `</y:EndDate></d:DateInterval></e:SoegePeriodeLukketStruktur>`
}

func months(from, to string) string {
	return `<e:SoegeAarMaanedLukketStruktur><f:SoegeAarMaanedFraKode xmlns:f="http://rep.oio.dk/skat.dk/eindkomst/class/soegeaarmaanedfrakode/xml/schemas/20071202/">` + from +
		`</f:SoegeAarMaanedFraKode><t:SoegeAarMaanedTilKode xmlns:t="http://rep.oio.dk/skat.dk/eindkomst/class/soegeaarmaanedtilkode/xml/schemas/20071202/">` + to +
		`</t:SoegeAarMaanedTilKode></e:SoegeAarMaanedLukketStruktur>`
}

func who(cpr, search string) string {
	return `<e:PersonIndkomstSoegeStruktur><c:PersonCivilRegistrationIdentifier xmlns:c="http://rep.oio.dk/cpr.dk/xml/schemas/core/2005/03/18/">` + cpr +
		`</c:PersonCivilRegistrationIdentifier>` + search + `</e:PersonIndkomstSoegeStruktur>`
}

// incomeQuestion is an IndkomstOplysningPersonHent_I.
func incomeQuestion(persons ...string) string {
	const class = "http://rep.oio.dk/skat.dk/eindkomst/class/"
	return `<e:IndkomstOplysningPersonHent_I xmlns:e="http://rep.oio.dk/skat.dk/eindkomst/"><k:HovedOplysninger xmlns:k="http://rep.oio.dk/skat.dk/basis/kontekst/xml/schemas/2006/09/01/">` +
		`<k:TransaktionIdentifikator>T-1</k:TransaktionIdentifikator><k:TransaktionTid>2026-04-11T08:00:00Z</k:TransaktionTid></k:HovedOplysninger>` +
		`<e:IndkomstOplysningPersonInddata><e:AbonnentAdgangStruktur><a:AbonnentTypeKode xmlns:a="` + class + `abonnenttype/xml/schemas/20071202/">100</a:AbonnentTypeKode>` +
		`<b:AbonnementTypeKode xmlns:b="` + class + `abonnementtype/xml/schemas/20071202/">1000</b:AbonnementTypeKode><f:AdgangFormaalTypeKode xmlns:f="` + class +
		`adgangformaaltype/xml/schemas/20071202/">10</f:AdgangFormaalTypeKode></e:AbonnentAdgangStruktur><e:AbonnentStruktur><e:AbonnentVirksomhedStruktur><e:AbonnentVirksomhed>` +
		`<s:VirksomhedSENummerIdentifikator xmlns:s="http://rep.oio.dk/skat.dk/motor/class/virksomhed/xml/schemas/20080401/">90000000</s:VirksomhedSENummerIdentifikator>` +
		`</e:AbonnentVirksomhed></e:AbonnentVirksomhedStruktur></e:AbonnentStruktur><e:IndkomstOplysningValg><e:IndkomstPersonSamling>` + strings.Join(persons, "") +
		`</e:IndkomstPersonSamling></e:IndkomstOplysningValg></e:IndkomstOplysningPersonInddata></e:IndkomstOplysningPersonHent_I>`
}

func march(cpr string) string { return who(cpr, period("2026-03-01", "2026-03-31")) }

func (b *bench) income(t *testing.T, body string) []string {
	t.Helper()
	return answered(t, b.post(t, b.sim.EIndkomstURL(), eindkomst.Action, envelope(body)))
}

// fields are the contents of a field, over all reports of an answer.
func fields(lines []string, number string) []string {
	var out []string
	ids, contents := texts(lines, "BlanketFeltNummerIdentifikator"), texts(lines, "AngivelseFeltIndholdTekst")
	for i, id := range ids {
		if strings.HasSuffix(id, "000"+number) {
			out = append(out, contents[i])
		}
	}
	return out
}

func equal(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestIncome(t *testing.T) {
	t.Parallel()
	b := start(t)
	half := salary(dane, otherFirm, "B", 2000, 1)
	half.From, half.To = "20260316", "20260415"
	february := salary(dane, firm, "C", 100, 1)
	february.From, february.To, february.Paid = "20260201", "20260228", "20260301"
	b.upload(t, salary(dane, otherFirm, "A", 16033, 28_500_50), half, february, salary(otherDane, firm, "A", 4000, 100))
	lines := b.income(t, incomeQuestion(march(dane), march(otherDane), march("6102012222")))
	equal(t, "transaction", texts(lines, "TransaktionIdentifikator"), "T-1")
	equal(t, "persons", texts(lines, "PersonCivilRegistrationIdentifier"), dane, otherDane)
	equal(t, "employers", texts(lines, "VirksomhedSENummerIdentifikator"), otherFirm, firm)
	equal(t, "reports", texts(lines, "AngivelseVirksomhedEgenIdentifikator"), "A", "B", "A")
	equal(t, "hours", fields(lines, "096"), "160.33", "20", "40")
	equal(t, "income", fields(lines, "057"), "28500.50", "0.01", "1")
	equal(t, "kind", fields(lines, "012"), "0", "0", "0")
	equal(t, "from", texts(lines, "StartDate"), "2026-03-01", "2026-03-16", "2026-03-01")
	// The basis month is that in which it was paid.
	lines = b.income(t, incomeQuestion(who(dane, months("202603", "202603"))))
	equal(t, "by basis month", texts(lines, "AngivelseVirksomhedEgenIdentifikator"), "C", "A", "B")
	lines = b.income(t, incomeQuestion(march("6102012222")))
	equal(t, "nobody", texts(lines, "AdvisIdentifikator"), "9100")
	equal(t, "nobody", texts(lines, "PersonCivilRegistrationIdentifier"))
}

func TestIncomeCorrected(t *testing.T) {
	t.Parallel()
	for name, positive := range map[string]bool{"negative": false, "positive": true} {
		b := start(t, func(c *registers.Config) { c.Income.PositiveReversals = positive })
		b.upload(t, salary(dane, firm, "A", 5250, 945_000))
		if err := b.sim.CorrectIncome(dane, firm, "2026-03", 5000, 900_000); err != nil {
			t.Fatal(err)
		}
		lines := b.income(t, incomeQuestion(march(dane)))
		sign := "-"
		if positive {
			sign = ""
		}
		equal(t, name, fields(lines, "011"), "I", "T", "I")
		equal(t, name, fields(lines, "021"), "0", "1", "0")
		equal(t, name, fields(lines, "096"), "52.50", sign+"52.50", "50")
		// What was taken back can't be again; what replaced it can.
		back := upload.Report{Employer: firm, ID: "X", Reference: "A", CPR: dane, TakesBack: true}
		if status, _ := b.postFile(t, file(t, back)); status != http.StatusNotFound {
			t.Errorf("%s: taken back twice: %d", name, status)
		}
		for _, bad := range []error{b.sim.CorrectIncome(dane, firm, "2026-02", 1, 1), b.sim.CorrectIncome(otherDane, firm, "2026-03", 1, 1)} {
			if bad == nil {
				t.Errorf("%s: corrected what is not there", name)
			}
		}
		if err := b.sim.CorrectIncome(dane, firm, "2026-03", 4000, 1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIncomeToldTwice(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.upload(t, salary(dane, firm, "A", 5250, 945_000))
	if err := b.sim.TellIncomeTwice(1); err != nil {
		t.Fatal(err)
	}
	equal(t, "twice", fields(b.income(t, incomeQuestion(march(dane))), "096"), "52.50", "52.50")
	equal(t, "once", fields(b.income(t, incomeQuestion(march(dane))), "096"), "52.50")
}

func TestIncomeRefusals(t *testing.T) {
	t.Parallel()
	b := start(t, func(c *registers.Config) { c.Income.Most = 1 })
	b.upload(t, salary(dane, firm, "A", 1, 1), salary(otherDane, firm, "A", 1, 1))
	for body, code := range map[string]string{
		strings.Replace(incomeQuestion(march(dane)), ">100<", ">101<", 1):           eindkomst.CodeAccess,
		strings.Replace(incomeQuestion(march(dane)), ">90000000<", ">90000001<", 1): eindkomst.CodeAccess,
		incomeQuestion(who(dane, period("2026-03-31", "2026-03-01"))):               eindkomst.CodePeriod,
		incomeQuestion(who(dane, months("202604", "202603"))):                       eindkomst.CodePeriod,
		incomeQuestion(march(dane), march(otherDane)):                               eindkomst.CodeTooMuch,
	} {
		lines := b.income(t, body)
		equal(t, code, texts(lines, "FejlIdentifikator"), code)
		equal(t, code, texts(lines, "PersonCivilRegistrationIdentifier"))
	}
	good := incomeQuestion(march(dane))
	for name, body := range map[string]string{
		"another operation":  `<e:Other xmlns:e="http://rep.oio.dk/skat.dk/eindkomst/"/>`,
		"no head":            strings.Replace(good, "k:HovedOplysninger", "k:Hoved", 2),
		"no access":          strings.ReplaceAll(good, "AbonnentAdgangStruktur", "Abonnent"),
		"code is a word":     strings.Replace(good, ">100<", ">x<", 1),
		"SE number too long": strings.Replace(good, ">90000000<", ">900000000<", 1),
		"nobody":             incomeQuestion(),
		"no number":          incomeQuestion(march("")),
		"number too short":   incomeQuestion(march("700463129")),
		"no such day":        incomeQuestion(march("9904631298")),
		"no such month":      incomeQuestion(march("7013631298")),
		"no search":          incomeQuestion(who(dane, "")),
		"two searches":       incomeQuestion(who(dane, period("2026-03-01", "2026-03-31")+months("202603", "202603"))),
		"no such date":       incomeQuestion(who(dane, period("2026-02-30", "2026-03-31"))),
		"month is none":      incomeQuestion(who(dane, months("202613", "202613"))),
		"an extra element":   strings.Replace(good, "</e:IndkomstPersonSamling>", "<e:x/></e:IndkomstPersonSamling>", 1),
		"another namespace":  strings.Replace(good, "core/2005/03/18/", "core/2005/03/19/", 1),
	} {
		if code, _ := fault(t, b.post(t, b.sim.EIndkomstURL(), eindkomst.Action, envelope(body))); code != "Client" {
			t.Errorf("%s: fault %s", name, code)
		}
	}
	if code, _ := fault(t, b.post(t, b.sim.EIndkomstURL(), "other", envelope(good))); code != "Client" {
		t.Errorf("another action: %s", code)
	}
	if status, _ := b.postFile(t, []byte("nothing")); status != http.StatusBadRequest {
		t.Errorf("a bad file: %d", status)
	}
	bad := salary("12", firm, "A", 1, 1)
	if status, _ := b.postFile(t, file(t, bad)); status != http.StatusBadRequest {
		t.Errorf("a bad number: %d", status)
	}
}

// Many persons fit into one request.
func TestIncomeOfMany(t *testing.T) {
	t.Parallel()
	b := start(t)
	var reports []upload.Report
	var persons []string
	for i := range 100 {
		cpr := fmt.Sprintf("70046300%02d", i)
		reports = append(reports, salary(cpr, firm, "A", int64(100*i), 1))
		persons = append(persons, march(cpr))
	}
	b.upload(t, reports...)
	if got := fields(b.income(t, incomeQuestion(persons...)), "096"); len(got) != 100 || got[99] != "99" {
		t.Errorf("%v", got)
	}
	if c := b.sim.EIndkomstCounts(); c.Requests != 1 || c.Outcomes[eindkomst.OutcomeFound] != 1 {
		t.Errorf("%+v", c)
	}
}

func TestIncomeTrouble(t *testing.T) {
	t.Parallel()
	b := start(t)
	if err := b.sim.SetEIndkomstTrouble(t.Context(), trouble.Trouble{Kind: trouble.GeneralError, Requests: 1}); err != nil {
		t.Fatal(err)
	}
	equal(t, "general error", texts(b.income(t, incomeQuestion(march(dane))), "FejlIdentifikator"), eindkomst.CodeGeneral)
	if status, said := b.admin(t, "/v1/trouble", `{"register":"eindkomst","kind":"http-503","latency_ms":0,"requests":1}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, said)
	}
	if r := b.post(t, b.sim.EIndkomstURL(), eindkomst.Action, envelope(incomeQuestion(march(dane)))); r.status != http.StatusServiceUnavailable {
		t.Errorf("status %d", r.status)
	}
	if status, said := b.admin(t, "/v1/trouble", `{"register":"other","kind":"","latency_ms":0,"requests":0}`); status != http.StatusBadRequest || !strings.Contains(said, "eindkomst, sf1520, spar") {
		t.Errorf("%d %s", status, said)
	}
}

// The published request is answered: nothing in it is ours.
func TestPublishedIncomeRequest(t *testing.T) {
	t.Parallel()
	raw := string(read(t, shared(t, "eindkomst", "examples", "IndkomstOplysningPersonHent_I.synthetic.xml")))
	b := start(t, func(c *registers.Config) {
		c.Income.Subscriptions = []eindkomst.Subscription{{AbonnentType: "0", AbonnementType: "0", Formaal: "0", SENumber: "00000000"}}
	})
	report := salary("0709614126", firm, "A", 16033, 28_500_00)
	report.From, report.To, report.Paid = "20240201", "20240229", "20240229"
	b.upload(t, report)
	lines := b.income(t, raw[strings.Index(raw, "<e:"):])
	equal(t, "hours", fields(lines, "096"), "160.33")
	// What is told has no element that the published answer does not have in the same place, but for those of a search with a reference.
	known := map[string]bool{}
	for _, line := range flat(t, read(t, shared(t, "eindkomst", "examples", "IndkomstOplysningPersonHent_O.synthetic.xml"))) {
		known[strings.SplitN(line, "} ", 2)[0]] = true
	}
	for _, line := range lines {
		if place := strings.SplitN(line, "} ", 2)[0]; !known[place] && !strings.Contains(place, "SvarStruktur") && !strings.HasSuffix(strings.SplitN(place, " ", 2)[0], "UnderAngivelseSamling") {
			t.Errorf("%s is not in the published answer", place)
		}
	}
}

func rsaPair(t *testing.T, ca *x509.Certificate, caKey any, serial int64) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotBefore: now().Add(-time.Hour), NotAfter: now().Add(time.Hour),
		IsCA: ca == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if ca == nil {
		ca, caKey = template, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, ca, &key.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

const (
	utility  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	security = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
)

// xmlsec runs the command-line tool of an independent implementation of signatures.
func xmlsec(t *testing.T, args ...string) {
	t.Helper()
	binary, err := exec.LookPath("xmlsec1")
	if err != nil {
		missing(t, "xmlsec1 is not installed")
	}
	all := append([]string{args[0]}, "--id-attr:Id", "http://schemas.xmlsoap.org/soap/envelope/:Body", "--id-attr:Id", utility+":Timestamp")
	if out, err := exec.CommandContext(t.Context(), binary, append(all, args[1:]...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func written(t *testing.T, raw []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Another implementation signs the request and checks the answer.
func TestSignedIncome(t *testing.T) {
	t.Parallel()
	authority := rsaPair(t, nil, nil, 1)
	caller, register := rsaPair(t, authority.Leaf, authority.PrivateKey, 2), rsaPair(t, authority.Leaf, authority.PrivateKey, 3)
	stranger := rsaPair(t, nil, nil, 4)
	b := start(t, func(c *registers.Config) {
		c.Income.Signing = &register
		c.TLS.ClientCAs.AddCert(authority.Leaf)
	})
	b.upload(t, salary(dane, firm, "A", 5250, 945_000))
	const part = `<ds:Reference URI="#%s"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms>` +
		`<ds:DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"/><ds:DigestValue/></ds:Reference>`
	sign := func(pair tls.Certificate) string {
		raw := `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header><wsse:Security xmlns:wsse="` + security + `"><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` +
			`<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1"/>` +
			fmt.Sprintf(part, "b") + fmt.Sprintf(part, "t") + `</ds:SignedInfo><ds:SignatureValue/></ds:Signature><wsse:BinarySecurityToken>` + pemBody(pair) +
			`</wsse:BinarySecurityToken><wsu:Timestamp xmlns:wsu="` + utility + `" wsu:Id="t"><wsu:Created>` + now().Format(time.RFC3339) + `</wsu:Created><wsu:Expires>` +
			now().Add(5*time.Minute).Format(time.RFC3339) + `</wsu:Expires></wsu:Timestamp></wsse:Security></e:Header><e:Body xmlns:wsu="` + utility + `" wsu:Id="b">` +
			incomeQuestion(march(dane)) + `</e:Body></e:Envelope>`
		key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "out.xml")
		xmlsec(t, "--sign", "--privkey-pem", written(t, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})), "--output", out, written(t, []byte(raw)))
		return string(read(t, out))
	}
	good := sign(caller)
	got := b.post(t, b.sim.EIndkomstURL(), eindkomst.Action, good)
	equal(t, "hours", fields(answered(t, got), "096"), "52.50")
	xmlsec(t, "--verify", "--pubkey-cert-pem", written(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: register.Certificate[0]})), written(t, got.raw))

	for name, bad := range map[string]string{
		"not signed":   envelope(incomeQuestion(march(dane))),
		"changed":      strings.Replace(good, "2026-03-31", "2026-03-30", 1),
		"a stranger's": sign(stranger),
		"other time":   strings.Replace(good, now().Format(time.RFC3339), now().Add(time.Second).Format(time.RFC3339), 1),
		"no token":     strings.Replace(good, "BinarySecurityToken", "Binary", 2),
	} {
		if code, _ := fault(t, b.post(t, b.sim.EIndkomstURL(), eindkomst.Action, bad)); code != "Client" {
			t.Errorf("%s: fault %s", name, code)
		}
	}
	b.clk.Advance(20 * time.Minute)
	if code, _ := fault(t, b.post(t, b.sim.EIndkomstURL(), eindkomst.Action, good)); code != "Client" {
		t.Error("a request of old is answered")
	}
}

func pemBody(pair tls.Certificate) string {
	lines := strings.Split(strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "C", Bytes: pair.Certificate[0]}))), "\n")
	return strings.Join(lines[1:len(lines)-1], "\n")
}

func TestSigningNeedsAProperKey(t *testing.T) {
	t.Parallel()
	if _, err := signed.New(tls.Certificate{}, x509.NewCertPool(), clock.NewFake(now())); err == nil {
		t.Error("a signer without a key")
	}
}

func FuzzEIndkomst(f *testing.F) {
	book := eindkomst.NewBook(clock.NewFake(now()))
	if err := book.Add([]upload.Report{salary(dane, firm, "A", 5250, 945_000)}); err != nil {
		f.Fatal(err)
	}
	service, err := eindkomst.New(eindkomst.Deps{
		Clock: clock.NewFake(now()), Book: book, Subscriptions: []eindkomst.Subscription{registers.DefaultIncomeSubscription()}, Count: func(string) {},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(incomeQuestion(march(dane)))
	f.Add(incomeQuestion(who(dane, months("202603", "202603"))))
	f.Fuzz(func(t *testing.T, body string) { converse(t, service.Handler(), eindkomst.Action, body) })
}
