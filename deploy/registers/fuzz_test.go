package registers_test

import (
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"samvirke.dev/deploy/registers"
	"samvirke.dev/deploy/registers/cpr"
	"samvirke.dev/deploy/registers/direkte"
	"samvirke.dev/deploy/registers/serviceplatform"
	"samvirke.dev/deploy/registers/sf1520"
	"samvirke.dev/deploy/registers/spar"
	"samvirke.dev/deploy/registers/subscription"
	"samvirke.dev/services/platform/clock"
)

// converse sends a body, as it is and in an envelope, and checks what always holds: the answer is one envelope, a fault goes with status
// 500, and nothing else is one.
func converse(t *testing.T, h http.Handler, action, body string) {
	t.Helper()
	for _, message := range []string{body, envelope(body)} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(message))
		r.Header.Set("Content-Type", "text/xml; charset=utf-8")
		r.Header.Set("SOAPAction", `"`+action+`"`)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == http.StatusRequestEntityTooLarge && len(message) > 64<<10 {
			continue
		}
		fault := false
		depth, bodies := 0, 0
		for dec := xml.NewDecoder(w.Body); ; {
			tok, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("status %d, no XML: %v", w.Code, err)
			}
			switch k := tok.(type) {
			case xml.StartElement:
				if depth++; depth == 3 {
					bodies++
					fault = k.Name.Local == "Fault"
				}
			case xml.EndElement:
				depth--
			}
		}
		if bodies != 1 || fault != (w.Code == http.StatusInternalServerError) || !fault && w.Code != http.StatusOK {
			t.Errorf("status %d, fault %v, %d elements in the body", w.Code, fault, bodies)
		}
	}
}

func FuzzSPAR(f *testing.F) {
	for _, q := range []question{
		{number: "195704133106"}, {number: "198106039228", rights: []string{"Relationer", "Sekretess"}}, {fields: "<a:NamnSokArgument>E*</a:NamnSokArgument>"},
		{fields: "<a:FonetiskSokning>JA</a:FonetiskSokning><a:FornamnSokArgument>Kristina</a:FornamnSokArgument><a:PostNrFrom>10000</a:PostNrFrom><a:PostNrTom>99999</a:PostNrTom>"},
		{fields: "<a:Fodelsedatum>1957-04-13Z</a:Fodelsedatum><a:Kon>KVINNA</a:Kon><a:LanKod>01</a:LanKod>"},
	} {
		f.Add(q.xml())
	}
	service, err := spar.New(spar.Deps{Clock: clock.NewFake(now()), Assignments: registers.DefaultAssignments(), Count: func(string) {}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) { converse(t, service.Handler(), spar.Action, body) })
}

// A field search takes any values that the schema lets through.
func FuzzSPARSearch(f *testing.F) {
	f.Add("E*", "Gatan 1*", "STOCK*", true)
	f.Add("a*b*c*d*", "***", "x-y", false)
	service, err := spar.New(spar.Deps{Clock: clock.NewFake(now()), Assignments: registers.DefaultAssignments(), Count: func(string) {}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, street, city string, phonetic bool) {
		var b strings.Builder
		if phonetic {
			b.WriteString("<a:FonetiskSokning>JA</a:FonetiskSokning>")
		}
		for _, e := range [][2]string{{"NamnSokArgument", name}, {"UtdelningsadressSokArgument", street}, {"PostortSokArgument", city}} {
			b.WriteString("<a:" + e[0] + ">")
			if err := xml.EscapeText(&b, []byte(e[1])); err != nil {
				t.Fatal(err)
			}
			b.WriteString("</a:" + e[0] + ">")
		}
		converse(t, service.Handler(), spar.Action, question{fields: b.String()}.xml())
	})
}

func FuzzSF1520(f *testing.F) {
	register, err := cpr.New(clock.NewFake(now()))
	if err != nil {
		f.Fatal(err)
	}
	service, err := sf1520.New(sf1520.Deps{
		Register: register, Version: sf1520.Version4, Invocations: []serviceplatform.Invocation{registers.DefaultInvocation()}, Count: func(string) {},
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, number := range []string{"0709614126", "0701614011", "0101010101", "", "x"} {
		f.Add(lookup("4", invocation(registers.DefaultInvocation())+pnr(number)))
	}
	f.Fuzz(func(t *testing.T, body string) { converse(t, service.Handler(), sf1520.Action(sf1520.Version4), body) })
}

func FuzzSubscription(f *testing.F) {
	register, err := cpr.New(clock.NewFake(now()))
	if err != nil {
		f.Fatal(err)
	}
	deliveries, err := direkte.New(direkte.Deps{Register: register, Dir: f.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	service, err := subscription.New(subscription.Deps{
		Register: register, Deliveries: deliveries, Invocations: []serviceplatform.Invocation{registers.DefaultSubscription()}, Count: func(string) {},
	})
	if err != nil {
		f.Fatal(err)
	}
	for operation, inside := range map[string]string{
		"AddPNRSubscription": pnr("0709614126"), "RemovePNRSubscription": pnr("x"), "AddAgeRangeSubscription": ages("0", "17"), "GetAllFilters": "",
		"AddMunicipalityCodeSubscription": municipality("851"), "AddChangeCodeSubscription": changeCode("A01"), "RemoveAll": "<s:FilterGroup>PNR</s:FilterGroup>",
	} {
		f.Add(subscriptionCall(operation, inside))
	}
	f.Fuzz(func(t *testing.T, body string) { converse(t, service.Handler(), "", body) })
}
