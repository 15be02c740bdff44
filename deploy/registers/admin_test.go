package registers_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"samvirke.dev/deploy/registers"
)

// admin sends a request to the admin interface as curl does.
func (b *bench) admin(t *testing.T, path, body string, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.sim.AdminAddr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode == http.StatusOK && resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%v, %v", err, resp.Header)
	}
	return resp.StatusCode, strings.TrimSpace(string(raw))
}

// Everything that Go can tell the simulators can be told over HTTP.
func TestAdmin(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, step := range []struct{ path, body, want string }{
		{"/v1/spar/address", `{"number":"195704133106","care_of":"c/o X","line1":"A","line2":"Nya 1","postal_code":"41103","city":"GÖTEBORG"}`, `{}`},
		{"/v1/spar/protection", `{"number":"198111309285","mark":true,"registration":false}`, `{}`},
		{"/v1/spar/death", `{"number":"197910312391","day":"2026-11-01"}`, `{}`},
		{"/v1/spar/max-answers", `{"most":1}`, `{}`},
		{"/v1/cpr/address", `{"number":"0709614126","municipality":"0101","road":"0001","house":"001","floor":"02","door":"tv","care_of":"c/o X","locality":"L",` +
			`"standard":"Ny Vej 1","town":"By","street":"Ny Vej","postal_code":"2100","district":"Øst","extra":["linje 1"]}`, `{}`},
		{"/v1/cpr/protection", `{"number":"0709614126","type":"0001","on":true}`, `{}`},
		{"/v1/cpr/death", `{"number":"0709614045","day":"2026-11-01"}`, `{}`},
		{"/v1/cpr/subscribe", `{"numbers":["0709614126","0709614045","0709614231"]}`, `{}`},
		{"/v1/cpr/unsubscribe", `{"numbers":["0709614231"]}`, `{}`},
		{"/v1/cpr/subscriptions", `{}`, `{"numbers":["0709614045","0709614126"]}`},
		{"/v1/trouble", `{"register":"sf1520","kind":"http-503","latency_ms":1,"requests":1}`, `{}`},
	} {
		if status, got := b.admin(t, step.path, step.body); status != http.StatusOK || got != step.want {
			t.Errorf("%s: %d %s", step.path, status, got)
		}
	}
	if r := b.cpr(t, "0709614126"); r.status != http.StatusServiceUnavailable {
		t.Errorf("in trouble: %d", r.status)
	}
	dane := answered(t, b.cpr(t, "0709614126"))
	for path, want := range map[string]string{
		"standardadresse": "Ny Vej 1", "adressebeskyttelse/beskyttet": "true", "aktuelAdresse/bynavn": "By", "aktuelAdresse/lokalitet": "L", "aktuelAdresse/etage": "02",
		"aktuelAdresse/sidedoer": "tv", "aktuelAdresse/conavn": "c/o X", "adr1-supladr": "linje 1", "aktuelAdresse/postdistrikt": "Øst", "aktuelAdresse/vejnavn": "Ny Vej",
	} {
		if text(dane, path) != want {
			t.Errorf("%s is %q", path, text(dane, path))
		}
	}
	if text(answered(t, b.cpr(t, "0709614045")), "status/status") != "90" || text(b.spar(t, question{number: "197910312391"}), "AvregistreringsorsakKod") != "AV" {
		t.Error("the dead live")
	}
	swede := b.spar(t, question{number: "195704133106"})
	if got := []string{text(swede, "CareOf"), text(swede, "Utdelningsadress1"), text(swede, "Utdelningsadress2"), text(swede, "PostNr"), text(swede, "Postort")}; !slices.Equal(got,
		[]string{"c/o X", "A", "Nya 1", "41103", "GÖTEBORG"}) {
		t.Errorf("address %q", got)
	}
	if text(b.spar(t, question{number: "198111309285"}), "Fornamn") != "" || text(b.spar(t, question{fields: "<a:LanKod>01</a:LanKod>"}), "MaxAntalSvarsposter") != "1" {
		t.Error("protection or the most of answers was not set")
	}
	adminCounts(t, b)
}

func adminCounts(t *testing.T, b *bench) {
	t.Helper()
	status, got := b.admin(t, "/v1/cpr/deliver", `{}`)
	if status != http.StatusOK || !strings.HasPrefix(got, `{"file":"D261123.L110901","production":"20261123","previous":"00000000","records":`) ||
		!strings.HasSuffix(got, `"persons":2}`) {
		t.Errorf("delivery: %d %s", status, got)
	}
	type counts struct {
		Requests int            `json:"requests"`
		Outcomes map[string]int `json:"outcomes"`
	}
	var told struct {
		SPAR   counts `json:"spar"`
		SF1520 counts `json:"sf1520"`
	}
	status, got = b.admin(t, "/v1/counts", `{}`)
	if err := json.Unmarshal([]byte(got), &told); err != nil || status != http.StatusOK || told.SPAR.Requests != 4 || told.SPAR.Outcomes["too_many"] != 1 ||
		told.SF1520.Outcomes["trouble_http-503"] != 1 || told.SF1520.Outcomes["person"] != 2 {
		t.Errorf("counts: %d %s (%v)", status, got, err)
	}
}

// What is not understood is refused and changes nothing; the refusal does not repeat it.
func TestAdminRefuses(t *testing.T) {
	t.Parallel()
	b := start(t)
	for name, c := range map[string]struct {
		path, body string
		headers    []string
		status     int
	}{
		"unknown person":    {"/v1/cpr/death", `{"number":"0101010101","day":"2026-11-01"}`, nil, 404},
		"unknown Swede":     {"/v1/spar/protection", `{"number":"191212121212","mark":true}`, nil, 404},
		"bad day":           {"/v1/spar/death", `{"number":"198111309285","day":"x"}`, nil, 400},
		"bad type":          {"/v1/cpr/protection", `{"number":"0709614126","type":"0009","on":true}`, nil, 400},
		"bad number":        {"/v1/cpr/subscribe", `{"numbers":["x0709614126"]}`, nil, 400},
		"unknown key":       {"/v1/cpr/death", `{"number":"0709614126","date":"2026-11-01"}`, nil, 400},
		"key in capitals":   {"/v1/cpr/death", `{"Number":"0709614126","day":"2026-11-01"}`, nil, 400},
		"key twice":         {"/v1/cpr/death", `{"number":"0709614126","number":"0709614045","day":"2026-11-01"}`, nil, 400},
		"wrong type":        {"/v1/cpr/death", `{"number":709614126,"day":"2026-11-01"}`, nil, 400},
		"two objects":       {"/v1/cpr/death", `{"number":"0709614126","day":"2026-11-01"} {}`, nil, 400},
		"array":             {"/v1/counts", `[]`, nil, 400},
		"nothing":           {"/v1/counts", ``, nil, 400},
		"half an object":    {"/v1/counts", `{`, nil, 400},
		"huge":              {"/v1/cpr/subscribe", `{"numbers":["` + strings.Repeat("0", 70<<10) + `"]}`, nil, 400},
		"not JSON by name":  {"/v1/cpr/deliver", `{}`, []string{"Content-Type", "text/plain"}, 400},
		"page of a browser": {"/v1/cpr/deliver", `{}`, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"another origin":    {"/v1/cpr/deliver", `{}`, []string{"Origin", "http://elsewhere.example"}, 403},
		"no such path":      {"/v1/cpr/everything", `{}`, nil, 404},
		"no such register":  {"/v1/trouble", `{"register":"navet","kind":"reset"}`, nil, 400},
		"no such trouble":   {"/v1/trouble", `{"register":"spar","kind":"flood"}`, nil, 400},
		"endless latency":   {"/v1/trouble", `{"register":"spar","kind":"","latency_ms":9223372036854775807}`, nil, 400},
		"negative latency":  {"/v1/trouble", `{"register":"spar","kind":"","latency_ms":-1}`, nil, 400},
		"too many answers":  {"/v1/spar/max-answers", `{"most":101}`, nil, 400},
	} {
		status, got := b.admin(t, c.path, c.body, c.headers...)
		if status != c.status || strings.Contains(got, "0709614126") || strings.Contains(got, "navet") {
			t.Errorf("%s: %d %s, want %d", name, status, got, c.status)
		}
	}
	if text(answered(t, b.cpr(t, "0709614126")), "status/status") != "1" || len(b.sim.Subscribed()) > 0 {
		t.Error("a refused request changed something")
	}
}

func TestWithoutAdmin(t *testing.T) {
	t.Parallel()
	if b := start(t, func(c *registers.Config) { c.Admin = "" }); b.sim.AdminAddr() != "" {
		t.Error("there is an admin listener")
	}
}

// The admin interface never fails, whatever comes, and answers with JSON.
func FuzzAdmin(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"number":"0709614126","day":"2026-11-01"}`, `{"numbers":["0709614126"]}`, `{"register":"spar","kind":"","latency_ms":1,"requests":1}`,
		`{"number":"0709614126","type":"0001","on":true}`, `{"number":1}`, `[]`, `{"a":{"a":1}}`, `{"most":3}`,
	} {
		f.Add(uint8(0), seed)
	}
	paths := []string{
		"spar/address", "spar/protection", "spar/death", "spar/max-answers", "cpr/address", "cpr/protection", "cpr/death", "cpr/subscribe", "cpr/unsubscribe",
		"cpr/subscriptions", "counts",
	}
	handler := handlerForFuzz(f)
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		r := httptest.NewRequest(http.MethodPost, "/v1/"+paths[int(which)%len(paths)], strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if !json.Valid(w.Body.Bytes()) || w.Code != http.StatusOK && w.Code != http.StatusBadRequest && w.Code != http.StatusNotFound {
			t.Errorf("%d: %s", w.Code, w.Body)
		}
	})
}
