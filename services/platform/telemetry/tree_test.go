package telemetry_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/redact"
	"samvirke.dev/services/platform/suitetest"
	"samvirke.dev/services/platform/telemetry"
	"samvirke.dev/services/platform/telemetry/oteltest"
)

const treeAgreement = `{id: fund, version: 1, controller: {id: "DK:10000009", name: Fund}, recipient: {id: "DK:10000009", name: Fund},
role: ROLE_FUND, valid_from: 2020-01-01T00:00:00Z, valid_until: 2100-01-01T00:00:00Z, grants: [
{rpc: samvirke.identity.v1.IdentityService/VerifyIdentity, fields: [verdict], purposes: [{purpose: PURPOSE_IDENTIFICATION, legal_bases: [LEGAL_BASIS_A6_1_C]}]},
{rpc: samvirke.identity.v1.IdentityService/ResolveSubject, fields: [handle], purposes: [{purpose: PURPOSE_IDENTIFICATION, legal_bases: [LEGAL_BASIS_A6_1_C]}]}]}`

// hop answers VerifyIdentity after asking the next service, and ResolveSubject by itself.
type hop struct {
	identityv1.UnimplementedIdentityServiceServer
	next identityv1.IdentityServiceClient
	tel  *telemetry.Telemetry
}

func (h hop) VerifyIdentity(ctx context.Context, r *identityv1.VerifyIdentityRequest) (*identityv1.VerifyIdentityResponse, error) {
	audit.Subject(ctx, "DK:"+r.GetNationalId().GetValue(), false)
	_, err := h.next.ResolveSubject(propagate(ctx, h.tel), &identityv1.ResolveSubjectRequest{Context: treeContext(), NationalId: r.GetNationalId()})
	return &identityv1.VerifyIdentityResponse{Verdict: identityv1.Verdict_VERDICT_MATCH}, err
}

func (h hop) ResolveSubject(ctx context.Context, r *identityv1.ResolveSubjectRequest) (*identityv1.ResolveSubjectResponse, error) {
	audit.Subject(ctx, "DK:"+r.GetNationalId().GetValue(), false)
	return &identityv1.ResolveSubjectResponse{Handle: "k0a1b2c3d.AAAAAAAAAAAAAAAAAAAAAAAAAAA"}, nil
}

// propagate puts the trace into the metadata of a call.
func propagate(ctx context.Context, tel *telemetry.Telemetry) context.Context {
	out := carrier{}
	tel.Propagator().Inject(ctx, out)
	return metadata.AppendToOutgoingContext(ctx, "traceparent", out["traceparent"])
}

type carrier map[string]string

// Get implements propagation.TextMapCarrier.
func (c carrier) Get(k string) string { return c[k] }

// Set implements propagation.TextMapCarrier.
func (c carrier) Set(k, v string) { c[k] = v }

// Keys implements propagation.TextMapCarrier.
func (c carrier) Keys() []string { return nil }

func treeContext() *commonv1.RequestContext {
	return &commonv1.RequestContext{
		ControllerId: "DK:10000009", Purpose: vocabularyv1.Purpose_PURPOSE_IDENTIFICATION,
		LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C, LegalReference: "DK:ALF§41", CaseReference: "case-canary", ActorId: "emp-canary",
	}
}

// hopServer starts a service whose spans go to the collector; the returned function stops it and flushes.
func hopServer(t *testing.T, col *oteltest.Collector, name string, h hop) (*suitetest.Server, identityv1.IdentityServiceClient) {
	t.Helper()
	s := suitetest.Start(t, suitetest.Options{
		Agreements: map[string]string{"fund.yaml": treeAgreement},
		Telemetry:  func(c *telemetry.Config) { c.Endpoint, c.SampleRatio, c.ServiceName = col.Endpoint(), 1, name },
		Register:   func(_ *suitetest.Server, r grpc.ServiceRegistrar) { identityv1.RegisterIdentityServiceServer(r, h) },
	})
	return s, identityv1.NewIdentityServiceClient(s.Dial(s.CA.Organisation("DK", "10000009", "caseworker")))
}

// One exchange over two services is one span tree at the collector, the audit records hold the very same tree, and nothing that
// domain.md C.4 bans is in it.
//
// covers: SEC-06
func TestSpanTreeAcrossServices(t *testing.T) {
	t.Parallel()
	col := oteltest.Start(t)
	var trees []*auditv1.Record
	t.Run("calls", func(t *testing.T) { // its end stops the services, so that everything was exported
		tel, _ := startWith(t, func(c *telemetry.Config) { c.Endpoint, c.ServiceName = col.Endpoint(), "client" })
		inner, next := hopServer(t, col, "inner", hop{})
		outer, client := hopServer(t, col, "outer", hop{next: next, tel: tel})
		ctx, root := tel.TracerProvider().Tracer("test").Start(t.Context(), "job")
		_, err := client.VerifyIdentity(propagate(ctx, tel), &identityv1.VerifyIdentityRequest{
			Context: treeContext(), NationalId: &commonv1.NationalId{Country: vocabularyv1.Country_COUNTRY_DK, Value: "7403851013"}, FullName: "Ane Canary",
		})
		root.End()
		if err != nil {
			t.Fatal(err)
		}
		trees = append(outer.AllRecords(), inner.AllRecords()...)
		if err := tel.ExportAudit(ctx, trees, seal(), time.Now()); err != nil {
			t.Fatal(err)
		}
	})
	by := map[string]oteltest.Span{}
	for _, s := range col.Spans() {
		by[s.Service] = s
	}
	chain := []string{"client", "outer", "inner"}
	if len(by) != len(chain) || len(trees) != 2 || by["client"].ParentID != "" {
		t.Fatalf("spans %v, records %v", by, trees)
	}
	for i, service := range chain[1:] {
		s, parent, r := by[service], by[chain[i]], trees[i]
		if s.ParentID != parent.SpanID || s.TraceID != parent.TraceID {
			t.Errorf("%s hangs on %s, not on %s", service, s.ParentID, parent.SpanID)
		}
		if hex.EncodeToString(r.GetSpanId()) != s.SpanID || hex.EncodeToString(r.GetTraceId()) != s.TraceID ||
			hex.EncodeToString(r.GetParentSpanId()) != s.ParentID || s.Attributes["samvirke.event_id"] != r.GetEventId() {
			t.Errorf("record %v is not span %+v", r, s)
		}
		if s.Attributes["dpl.core.processing_activity_id"] != "urn:samvirke:agreement:fund:PURPOSE_IDENTIFICATION" {
			t.Errorf("attributes %v", s.Attributes)
		}
	}
	raw, err := col.Raw()
	if err != nil {
		t.Fatal(err)
	}
	for _, banned := range []string{"7403851013", "740385", "Canary", "canary", "127.0.0.1", "-----BEGIN", trees[0].GetSubjectRef(), trees[1].GetSubjectRef()} {
		if banned == "" || bytes.Contains(raw, []byte(banned)) {
			t.Errorf("%q was exported", banned)
		}
	}
	for _, s := range col.Spans() {
		for k, v := range s.Attributes {
			if len(redact.Find(v)) > 0 {
				t.Errorf("%s=%q", k, v)
			}
		}
	}
}
