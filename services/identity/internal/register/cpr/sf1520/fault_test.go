package sf1520_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

// impersonal fails if an error shows anything of question or answer.
func impersonal(t *testing.T, err error) {
	t.Helper()
	for _, secret := range []string{asked, next, third, "Prøve", "1985", "text about", "failed for", "user-7"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows %q: %v", secret, err)
		}
	}
}

// covers: REG-02
func TestFaults(t *testing.T) {
	t.Parallel()
	const unavailable, refused, nobody = "unavailable", "refused", "nobody"
	errs := map[string]error{unavailable: core.ErrRegisterUnavailable, refused: core.ErrRegisterRefused, nobody: core.ErrNotFound}
	for name, c := range map[string]struct {
		answer []byte
		want   string
		says   string
	}{
		"not found":            {fault("172"), nobody, "172"},
		"no number":            {fault("52"), nobody, "52"},
		"zeros and blanks":     {fault(" 0172 "), nobody, "172"},
		"access 4":             {fault("4"), refused, "codes 4"},
		"access 5":             {fault("5"), refused, "codes 5"},
		"access 16":            {fault("16"), refused, "16"},
		"access 184":           {fault("184"), refused, "184"},
		"another":              {fault("99"), unavailable, "99"},
		"not found and access": {fault("172", "5"), refused, "172 5"},
		"not found and other":  {fault("172", "99"), unavailable, "172 99"},
		"both not found":       {fault("172", "52"), nobody, "172 52"},
		"code a person":        {fault(asked), unavailable, "codes other"},
		"code a word":          {fault("Prøve"), unavailable, "codes other"},
		"code empty":           {fault(""), unavailable, "codes other"},
		"no codes":             {fault(), unavailable, "without"},
		"no detail":            {[]byte(`<S:Fault><faultcode>S:Server</faultcode><faultstring>Prøve</faultstring></S:Fault>`), unavailable, "Server"},
		"our mistake":          {[]byte(`<S:Fault><faultcode>S:Client</faultcode><faultstring>Prøve</faultstring></S:Fault>`), refused, "Client"},
		"detail of another service": {
			[]byte(`<S:Fault><faultcode>S:Server</faultcode><faultstring>x</faultstring><detail><ServiceplatformFault xmlns="http://elsewhere.example/">` +
				`<ErrorList><Error><ErrorCode>172</ErrorCode></Error></ErrorList></ServiceplatformFault></detail></S:Fault>`), unavailable, "Server",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _, err := ask(t, map[string][]byte{asked: c.answer})
			if p != nil || err == nil {
				t.Fatal("a fault is an answer")
			}
			for kind, sentinel := range errs {
				if errors.Is(err, sentinel) != (kind == c.want) {
					t.Errorf("%v is %s", err, kind)
				}
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("does not say %q: %v", c.says, err)
			}
			impersonal(t, err)
		})
	}
}

func TestEndedContext(t *testing.T) {
	t.Parallel()
	r := register(t, deps(t, start(t, &cprd{}).client(t)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Lookup(ctx, inquiry(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestNotForThisRegister(t *testing.T) {
	t.Parallel()
	service := &cprd{}
	r := register(t, deps(t, start(t, service).client(t)))
	swedish, err := nationalid.ParseCanonical("SE:199001012385", date(2026, 11, 23))
	if err != nil {
		t.Fatal(err)
	}
	long := inquiry(t)
	long.EndUser = strings.Repeat("ø", 256)
	for name, in := range map[string]core.Inquiry{"swedish": {Number: swedish}, "none": {}, "end user": long} {
		if _, err := r.Lookup(t.Context(), in); !errors.Is(err, core.ErrRegisterRefused) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if len(service.asked) != 0 {
		t.Error("asked all the same")
	}
}
