package serviceplatform_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr/serviceplatform"
	"samvirke.dev/services/platform/soap"
)

func base() serviceplatform.Context {
	return serviceplatform.Context{
		ServiceAgreementUUID: "11111111-2222-4333-8444-555555555501", UserSystemUUID: "11111111-2222-4333-8444-555555555502",
		UserUUID: "11111111-2222-4333-8444-555555555503", ServiceUUID: "11111111-2222-4333-8444-555555555504",
		MunicipalityCVR: "12345678", AccountingInfo: "Å",
	}
}

func TestAsk(t *testing.T) {
	t.Parallel()
	const other = "aaaaaaaa-2222-4333-8444-555555555501"
	contexts, err := serviceplatform.NewContexts(base(), map[string]serviceplatform.Context{
		"DK:11111111": {ServiceAgreementUUID: other, MunicipalityCVR: "11111111"}, "DK:22222222": {},
	})
	if err != nil {
		t.Fatal(err)
	}
	number, err := nationalid.Parse(nationalid.Denmark, "7403851013", civil.Date{Year: 2026, Month: 11, Day: 23})
	if err != nil {
		t.Fatal(err)
	}
	for controller, want := range map[string]struct{ agreement, cvr string }{
		"DK:11111111": {other, "11111111"},
		"DK:22222222": {base().ServiceAgreementUUID, "12345678"},
		"DK:33333333": {base().ServiceAgreementUUID, "12345678"},
		"":            {base().ServiceAgreementUUID, "12345678"},
	} {
		q, err := contexts.Ask(core.Inquiry{Number: number, Controller: controller, EndUser: "user-7"})
		if err != nil {
			t.Fatal(err)
		}
		wanted := serviceplatform.Question{
			PNR: "7403851013", MunicipalityCVR: want.cvr,
			Invocation: serviceplatform.Invocation{
				ServiceAgreementUUID: want.agreement, UserSystemUUID: base().UserSystemUUID, UserUUID: base().UserUUID,
				ServiceUUID: base().ServiceUUID, OnBehalfOfUser: "user-7", AccountingInfo: "Å",
			},
		}
		if q != wanted {
			t.Errorf("%q: got %+v, want %+v", controller, q, wanted)
		}
	}
	if _, err := contexts.Ask(core.Inquiry{}); !errors.Is(err, core.ErrRegisterRefused) {
		t.Errorf("no number: got %v", err)
	}
}

// Everything that is wrong is named at once.
func TestContextsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := serviceplatform.NewContexts(
		serviceplatform.Context{UserUUID: "A", MunicipalityCVR: "1234567", AccountingInfo: strings.Repeat("ø", 256)},
		map[string]serviceplatform.Context{"DK:11111111": {}},
	)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{"ServiceAgreementUUID", "UserSystemUUID", "UserUUID", "ServiceUUID", "MunicipalityCVR", "AccountingInfo", "DK:11111111"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("nothing said about %s: %v", part, err)
		}
	}
}

func TestMeaning(t *testing.T) {
	t.Parallel()
	// What a fault means by its codes is tested where services give faults: sf1520 and subscription.
	for err, want := range map[error]error{
		soap.ErrUnreachable: core.ErrRegisterUnavailable,
		soap.ErrMalformed:   core.ErrRegisterUnavailable,
		soap.ErrTooLarge:    core.ErrRegisterUnavailable,
		soap.ErrRefused:     core.ErrRegisterRefused,
		fmt.Errorf("%w: %w", soap.ErrUnreachable, context.DeadlineExceeded): core.ErrRegisterUnavailable, // the client's own time
	} {
		got := serviceplatform.Meaning(t.Context(), err)
		if !errors.Is(got, want) || errors.Is(got, context.DeadlineExceeded) {
			t.Errorf("%v means %v", err, got)
		}
	}
	for status, want := range map[int]error{503: core.ErrRegisterUnavailable, 429: core.ErrRegisterUnavailable, 404: core.ErrRegisterRefused} {
		if got := serviceplatform.Meaning(t.Context(), &soap.HTTPError{Status: status}); !errors.Is(got, want) {
			t.Errorf("%d means %v", status, got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := serviceplatform.Meaning(ctx, soap.ErrUnreachable); got != context.Canceled { //nolint:errorlint // as it is
		t.Errorf("got %v", got)
	}
}
