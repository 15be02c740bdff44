package subscription_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr/serviceplatform"
	"samvirke.dev/services/identity/internal/register/cpr/subscription"
	"samvirke.dev/services/platform/soap"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for says, bend := range map[string]func(*subscription.Deps){
		"no caller":            func(d *subscription.Deps) { d.Caller = nil },
		"ServiceAgreementUUID": func(d *subscription.Deps) { d.Context.ServiceAgreementUUID = "" },
		"DK:12345678": func(d *subscription.Deps) {
			d.Controllers = map[string]serviceplatform.Context{"DK:12345678": {UserUUID: "x"}}
		},
	} {
		d := subscription.Deps{Caller: canned(""), Context: agreement()}
		bend(&d)
		if l, err := subscription.New(d); l != nil || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", says, err)
		}
	}
	_, err := subscription.New(subscription.Deps{})
	if err == nil || !strings.Contains(err.Error(), "no caller") || !strings.Contains(err.Error(), "ServiceUUID") {
		t.Errorf("not everything is named: %v", err)
	}
}

// Both may be called again and again; every agreement has a list of its own.
// covers: REG-02
func TestEnrolAndWithdraw(t *testing.T) {
	t.Parallel()
	service := &listd{list: map[string]bool{}}
	const other = "aaaaaaaa-2222-4333-8444-555555555501"
	l := list(t, subscription.Deps{
		Caller: start(t, service), Context: agreement(),
		Controllers: map[string]serviceplatform.Context{"DK:99999999": {ServiceAgreementUUID: other}},
	})
	own, others := inquiry(t), inquiry(t)
	others.Controller = "DK:99999999"
	ours, theirs := agreement().ServiceAgreementUUID+asked, other+asked
	for i, step := range []struct {
		do   func(context.Context, core.Inquiry) error
		ask  core.Inquiry
		want []string
	}{
		{l.Withdraw, own, nil},
		{l.Enrol, own, []string{ours}},
		{l.Enrol, own, []string{ours}},
		{l.Enrol, others, []string{ours, theirs}},
		{l.Withdraw, own, []string{theirs}},
		{l.Withdraw, own, []string{theirs}},
		{l.Withdraw, others, nil},
	} {
		if err := step.do(t.Context(), step.ask); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		var got []string
		for entry := range service.list {
			got = append(got, entry)
		}
		slices.Sort(got)
		if !slices.Equal(got, step.want) {
			t.Errorf("step %d: the list is %v, want %v", i, got, step.want)
		}
	}
	for _, action := range service.action {
		if action != `""` {
			t.Errorf("action %s", action)
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	const add, remove = "AddPNRSubscription", "RemovePNRSubscription"
	for name, c := range map[string]struct {
		answer          string // %s is the operation
		enrol, withdraw error
	}{
		"blanks":                {says("OP", " REMOVED\n"), core.ErrRegisterUnavailable, nil},
		"nobody":                {says("OP", "NON_EXISTING_PNR"), core.ErrNotFound, nil},
		"added":                 {says("OP", "ADDED"), nil, core.ErrRegisterUnavailable},
		"existed":               {says("OP", "ALREADY_EXISTED"), nil, core.ErrRegisterUnavailable},
		"another word":          {says("OP", "SECRET"), core.ErrRegisterUnavailable, core.ErrRegisterUnavailable},
		"lower case":            {says("OP", "added removed"), core.ErrRegisterUnavailable, core.ErrRegisterUnavailable},
		"no word":               {says("OP", ""), core.ErrRegisterUnavailable, core.ErrRegisterUnavailable},
		"of another operation":  {says("RemoveAll", "REMOVED"), core.ErrRegisterUnavailable, core.ErrRegisterUnavailable},
		"of another namespace":  {strings.ReplaceAll(says("OP", "ADDED"), "/1/", "/2/"), core.ErrRegisterUnavailable, core.ErrRegisterUnavailable},
		"word out of namespace": {strings.ReplaceAll(says("OP", "ADDED"), "ns2:Result", "Result"), core.ErrRegisterUnavailable, core.ErrRegisterUnavailable},
		"not known":             {fault("172"), core.ErrNotFound, nil},
		"no number":             {fault("52"), core.ErrNotFound, nil},
		"no access":             {fault("184"), core.ErrRegisterRefused, core.ErrRegisterRefused},
		"other fault":           {fault("99"), core.ErrRegisterUnavailable, core.ErrRegisterUnavailable},
		"fault without codes":   {fault(), core.ErrRegisterUnavailable, core.ErrRegisterUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := &listd{}
			l := list(t, subscription.Deps{Caller: start(t, service), Context: agreement()})
			check := func(operation string, do func(context.Context, core.Inquiry) error, want error) {
				service.answer = strings.ReplaceAll(c.answer, "OP", operation)
				err := do(t.Context(), inquiry(t))
				if !errors.Is(err, want) {
					t.Errorf("%s: got %v, want %v", operation, err, want)
				}
				if err != nil {
					impersonal(t, err)
				}
			}
			check(add, l.Enrol, c.enrol)
			check(remove, l.Withdraw, c.withdraw)
		})
	}
}

func TestTroubles(t *testing.T) {
	t.Parallel()
	reply := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, c := range map[string]struct {
		handler http.Handler
		opts    []certtest.Option
		want    error
	}{
		"maintenance":      {reply(503, "text/html", asked), nil, core.ErrRegisterUnavailable},
		"a page":           {reply(200, "text/html", asked), nil, core.ErrRegisterUnavailable},
		"403":              {reply(403, "text/html", asked), nil, core.ErrRegisterRefused},
		"no such endpoint": {reply(404, "text/html", asked), nil, core.ErrRegisterRefused},
		"our certificate":  {&listd{list: map[string]bool{}}, []certtest.Option{certtest.Expired()}, core.ErrRegisterRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := list(t, subscription.Deps{Caller: start(t, c.handler, c.opts...), Context: agreement()})
			for _, do := range []func(context.Context, core.Inquiry) error{l.Enrol, l.Withdraw} {
				err := do(t.Context(), inquiry(t))
				if !errors.Is(err, c.want) {
					t.Fatalf("got %v", err)
				}
				impersonal(t, err)
			}
		})
	}
}

func TestNotSent(t *testing.T) {
	t.Parallel()
	service := &listd{}
	l := list(t, subscription.Deps{Caller: start(t, service), Context: agreement()})
	swedish, err := nationalid.ParseCanonical("SE:199001012385", civil.Date{Year: 2026, Month: 11, Day: 23})
	if err != nil {
		t.Fatal(err)
	}
	long := inquiry(t)
	long.EndUser = strings.Repeat("ø", 256)
	for name, in := range map[string]core.Inquiry{"swedish": {Number: swedish}, "none": {}, "end user": long} {
		for _, do := range []func(context.Context, core.Inquiry) error{l.Enrol, l.Withdraw} {
			if err := do(t.Context(), in); !errors.Is(err, core.ErrRegisterRefused) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Enrol(ctx, inquiry(t)); !errors.Is(err, context.Canceled) || errors.Is(err, core.ErrRegisterUnavailable) {
		t.Errorf("got %v", err)
	}
	if len(service.sent) != 0 {
		t.Error("sent all the same")
	}
}

// one is a register that answers with one person.
type one struct{ person *core.Person }

func (o one) Lookup(context.Context, core.Inquiry) (*core.Person, error) { return o.person, nil }

func TestWith(t *testing.T) {
	t.Parallel()
	service := &listd{list: map[string]bool{}}
	person := &core.Person{}
	var joined core.Register = subscription.With(one{person}, list(t, subscription.Deps{Caller: start(t, service), Context: agreement()}))
	if got, err := joined.Lookup(t.Context(), inquiry(t)); got != person || err != nil {
		t.Error(got, err)
	}
	enroller, ok := joined.(core.Enroller)
	if !ok {
		t.Fatal("no list")
	}
	if err := enroller.Enrol(t.Context(), inquiry(t)); err != nil || len(service.list) != 1 {
		t.Errorf("%v, list %v", err, service.list)
	}
	if err := enroller.Withdraw(t.Context(), inquiry(t)); err != nil || len(service.list) != 0 {
		t.Errorf("%v, list %v", err, service.list)
	}
}

// canned answers without a network: it decodes an envelope as the SOAP client does.
type canned string

// Call implements subscription.Caller.
func (c canned) Call(_ context.Context, _ string, _, answer any) error {
	return soap.Decode(strings.NewReader(string(c)), soap.DefaultMaxAnswer, answer)
}

// Whatever comes back: only the service's own words are taken for a success, and no error repeats the rest.
func FuzzAnswer(f *testing.F) {
	for _, word := range []string{"ADDED", "ALREADY_EXISTED", "REMOVED", "NON_EXISTING_PNR", "SECRET " + asked} {
		f.Add(envelope(says("AddPNRSubscription", word)))
		f.Add(envelope(says("RemovePNRSubscription", word)))
	}
	f.Add(envelope(fault("172", "SECRET")))
	f.Add("")
	f.Fuzz(func(t *testing.T, raw string) {
		l := list(t, subscription.Deps{Caller: canned(raw), Context: agreement()})
		for word, do := range map[string]func(context.Context, core.Inquiry) error{"AddPNRSubscriptionResponse": l.Enrol, "RemovePNRSubscriptionResponse": l.Withdraw} {
			err := do(t.Context(), inquiry(t))
			switch {
			case err != nil:
				impersonal(t, err)
			case !strings.Contains(raw, word) && !strings.Contains(raw, "Fault"):
				t.Error("a success that nobody told")
			}
		}
	})
}
