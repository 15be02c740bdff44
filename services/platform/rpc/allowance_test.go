package rpc_test

import (
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/maintenance"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/platform/suitetest"
)

// In a planned window the RPCs that it names answer with the time to wait, and leave a record; the others work on, as does everything
// when it is over.
//
// covers: MIN-01 SEC-07
func TestMaintenance(t *testing.T) {
	t.Parallel()
	midnight := time.Date(2026, 9, 27, 0, 0, 0, 0, time.UTC)
	fake := clock.NewFake(midnight)
	s := suitetest.Start(t, suitetest.Options{
		Clock: fake, Agreements: map[string]string{"fund.yaml": fundAgreement},
		Limits: func(c *rpc.Config) {
			c.Maintenance = []maintenance.Window{{
				From: midnight.Add(-2 * time.Hour), Until: midnight.Add(30 * time.Minute),
				Service: "samvirke.identity.v1.IdentityService", Method: "VerifyIdentity",
			}}
		},
		Register: func(_ *suitetest.Server, r grpc.ServiceRegistrar) {
			identityv1.RegisterIdentityServiceServer(r, &service{})
		},
	})
	_, client := dial(t, s)
	_, err := client.VerifyIdentity(t.Context(), verifyRequest())
	if code, reason, _ := reasonOf(t, err); code != codes.Unavailable || reason != "MAINTENANCE" {
		t.Fatalf("%v %s", code, reason)
	}
	if got := retryDelay(t, err); got != 30*time.Minute {
		t.Errorf("wait %v", got)
	}
	if r := only(t, s); len(r.GetFields()) != 0 {
		t.Errorf("record %v", r)
	}
	if _, err := client.BatchVerify(t.Context()); err != nil {
		t.Errorf("another RPC: %v", err)
	}
	fake.Advance(30 * time.Minute)
	if _, err := client.VerifyIdentity(t.Context(), verifyRequest()); err != nil {
		t.Errorf("after the window: %v", err)
	}
}

// quotaAgreement lets the fund verify twice a minute.
const quotaAgreement = `id: fund
version: 1
controller: {id: "DK:10000009", name: Fund}
recipient: {id: "DK:10000009", name: Fund}
role: ROLE_FUND
valid_from: 2020-01-01T00:00:00Z
valid_until: 2100-01-01T00:00:00Z
grants:
  - rpc: samvirke.identity.v1.IdentityService/VerifyIdentity
    fields: [verdict]
    quota: {requests: 2, per: 60s}
    purposes: [{purpose: PURPOSE_IDENTIFICATION, legal_bases: [LEGAL_BASIS_A6_1_C]}]
`

// retryDelay is how long an error says to wait.
func retryDelay(t *testing.T, err error) time.Duration {
	t.Helper()
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// Whoever has a quota is told on every answer how it stands.
func TestQuotaHeader(t *testing.T) {
	t.Parallel()
	fake := clock.NewFake(time.Date(2026, 9, 27, 0, 0, 30, 0, time.UTC))
	s := suitetest.Start(t, suitetest.Options{
		Clock: fake, Agreements: map[string]string{"fund.yaml": quotaAgreement},
		Register: func(_ *suitetest.Server, r grpc.ServiceRegistrar) {
			identityv1.RegisterIdentityServiceServer(r, &service{})
		},
	})
	_, client := dial(t, s)
	for i, want := range []string{"2;60;1;30", "2;60;0;30", "2;60;0;30"} {
		var header metadata.MD
		_, err := client.VerifyIdentity(t.Context(), verifyRequest(), grpc.Header(&header))
		if got := header.Get(rpc.QuotaHeader); len(got) != 1 || got[0] != want {
			t.Errorf("call %d: header %v, want %s", i+1, got, want)
		}
		if i < 2 && err != nil {
			t.Errorf("call %d: %v", i+1, err)
		}
		if i == 2 {
			if code, _, _ := reasonOf(t, err); code != codes.ResourceExhausted || retryDelay(t, err) != 30*time.Second {
				t.Errorf("call 3: %v, wait %v", code, retryDelay(t, err))
			}
		}
	}
}
