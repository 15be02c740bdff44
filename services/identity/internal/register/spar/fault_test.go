package spar_test

import (
	"errors"
	"strings"
	"testing"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/spar"
)

func exception(code string) string {
	return `<x:Undantag><x:Kod>` + code + `</x:Kod><x:Beskrivning>secret text about ` + asked + `</x:Beskrivning></x:Undantag>`
}

const tooMany = `<x:OverstigerMaxAntalSvarsposter><x:AntalPoster>1234</x:AntalPoster><x:MaxAntalSvarsposter>100</x:MaxAntalSvarsposter></x:OverstigerMaxAntalSvarsposter>`

func fault(code string) []byte {
	return []byte(`<S:Fault><faultcode>` + code + `</faultcode><faultstring>secret text about ` + asked + `</faultstring></S:Fault>`)
}

// Everything that is no person: nobody, exceptions, faults, and answers that can't be believed.
//
// covers: REG-01
func TestNoPerson(t *testing.T) {
	t.Parallel()
	whole := string(answer(record(asked)))
	for name, c := range map[string]struct {
		answer []byte
		want   error
		says   string
	}{
		"nobody":                  {answer(), core.ErrNotFound, ""},
		"invalid parameter":       {answer(exception("OGILTIG_INPARAMETER")), core.ErrRegisterRefused, uuid},
		"with white space":        {answer(exception("\n OGILTIG_INPARAMETER ")), core.ErrRegisterRefused, "OGILTIG"},
		"too many, as a code":     {answer(exception("OVERSTIGER_MAX_ANTAL_TRAFFAR")), core.ErrRegisterTooMany, uuid},
		"too many":                {answer(tooMany), core.ErrRegisterTooMany, uuid},
		"trouble of its own":      {answer(exception("GENERELLT_FEL")), core.ErrRegisterUnavailable, uuid},
		"an unknown code":         {answer(exception(asked)), core.ErrRegisterUnavailable, uuid},
		"exception beside person": {answer(record(asked), exception("GENERELLT_FEL")), core.ErrRegisterUnavailable, ""},
		"another number":          {answer(record(next)), core.ErrRegisterUnavailable, "another number"},
		"no number":               {answer(record("")), core.ErrRegisterUnavailable, "another number"},
		"uuid that is none":       {[]byte(strings.Replace(string(answer(exception("X"))), uuid, asked, 1)), core.ErrRegisterUnavailable, ""},
		"fault by us":             {fault("S:Client"), core.ErrRegisterRefused, "Client"},
		"fault by them":           {fault("S:Server"), core.ErrRegisterUnavailable, "Server"},
		"another root":            {[]byte(`<v:Svar` + spaces + `/>`), core.ErrRegisterUnavailable, "malformed"},
		"root of nobody":          {[]byte(`<SPARPersonsokningSvar/>`), core.ErrRegisterUnavailable, "malformed"},
		"cut off":                 {[]byte(whole[:len(whole)-30]), core.ErrRegisterUnavailable, "malformed"},
		"a document type": {
			[]byte(`<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]>` + string(envelope([]byte(whole)))[38:]), core.ErrRegisterUnavailable, "malformed",
		},
		"an entity":   {[]byte(strings.Replace(whole, "PERSONNUMMER", "&lol;", 1)), core.ErrRegisterUnavailable, "malformed"},
		"too deep":    {[]byte(strings.Replace(whole, "PERSONNUMMER", strings.Repeat("<a>", 100)+strings.Repeat("</a>", 100), 1)), core.ErrRegisterUnavailable, "malformed"},
		"no XML":      {[]byte("secret text"), core.ErrRegisterUnavailable, "malformed"},
		"empty":       {[]byte(""), core.ErrRegisterUnavailable, "malformed"},
		"foreign row": {[]byte(strings.Replace(whole, "<v:PersonsokningSvarspost>", `<v:PersonsokningSvarspost xmlns:v="http://elsewhere.example/">`, 1)), core.ErrNotFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, &spard{answers: map[string][]byte{asked: c.answer}})
			p, err := register(t, deps(t, s.client(t))).Lookup(t.Context(), inquiry(t, asked))
			if p != nil {
				t.Error("a person all the same")
			}
			only(t, err, c.want)
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v does not say %q", err, c.says)
			}
		})
	}
}

// What SPAR would not accept is not sent.
func TestNotSent(t *testing.T) {
	t.Parallel()
	s := &spard{}
	r := register(t, deps(t, start(t, s).client(t)))
	dane, err := nationalid.Parse(nationalid.Denmark, "7403851013", civil.Of(now()))
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]core.Inquiry{
		"a Danish number": {Number: dane, Controller: "SE:8020000017", EndUser: "user-7"},
		"no number":       {Controller: "SE:8020000017", EndUser: "user-7"},
		"nobody asks":     {Number: number(t, asked)},
		"a long name":     {Number: number(t, asked), EndUser: strings.Repeat("å", 257)},
	} {
		if _, err := r.Lookup(t.Context(), in); !errors.Is(err, core.ErrRegisterRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(s.asked) > 0 {
		t.Error("something was sent")
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bend func(*spar.Deps)
		says string
	}{
		"caller":          {func(d *spar.Deps) { d.Caller = nil }, "caller"},
		"clock":           {func(d *spar.Deps) { d.Clock = nil }, "clock"},
		"zone":            {func(d *spar.Deps) { d.Zone = nil }, "time zone"},
		"version":         {func(d *spar.Deps) { d.Version = "2019.1" }, "version"},
		"recipient":       {func(d *spar.Deps) { d.Assignment.Recipient = 500000 }, "recipient"},
		"customer":        {func(d *spar.Deps) { d.Assignment.Customer = 600000 }, "customer"},
		"assignment":      {func(d *spar.Deps) { d.Assignment.ID = 0 }, "assignment id"},
		"of a controller": {func(d *spar.Deps) { d.Controllers = map[string]spar.Assignment{"SE:8020000017": {Customer: 1}} }, "controller SE:8020000017: customer"},
	} {
		d := deps(t, canned{})
		c.bend(&d)
		if _, err := spar.New(d); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
