// Package ledgertest is what the benchmark needs of the audit service's insides: records to ship, a bare log to compare with, and the check of
// a receipt.
package ledgertest

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"k8s.io/klog/v2"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/audit/internal/ledger"
	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/receipt"
	"samvirke.dev/services/platform/ids"
)

// Writer makes records as the identity service writes them when a fund looks a member's address up.
type Writer struct{ same []byte }

// NewWriter returns a writer of records by an organisation, such as DK:10000009, about itself.
func NewWriter(organisation string) (*Writer, error) {
	same, err := proto.Marshal(&auditv1.Record{
		Writer:       &auditv1.Writer{Service: "identity", Version: "bench", Instance: "identity-1"},
		Actor:        &auditv1.Actor{Kind: auditv1.ActorKind_ACTOR_KIND_HUMAN, Workload: "spiffe://samvirke.example/org/DK/10000009/caseworker", Organisation: organisation, Employee: "emp-7"},
		ControllerId: organisation, SubjectClass: auditv1.SubjectClass_SUBJECT_CLASS_NORMAL,
		Rpc: "samvirke.identity.v1.IdentityService/GetPostalAddress", Operation: vocabularyv1.Operation_OPERATION_RETRIEVE,
		Fields:  []string{"address.lines", "address.postal_code", "address.city"},
		Purpose: vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C, LegalReference: "DK:ALF§90b",
		Agreement: &auditv1.AgreementRef{Id: "dk-fund", Version: 1, Digest: make([]byte, 32)},
		Recipient: &auditv1.Recipient{Id: organisation, Role: vocabularyv1.Role_ROLE_FUND}, Decision: auditv1.Decision_DECISION_ALLOW,
		Source: vocabularyv1.Source_SOURCE_PUBLIC_REGISTER, ResultCount: 1, RetentionClass: "RET-13",
		RequestDigest: make([]byte, 32), ResponseDigest: make([]byte, 32), DigestKey: make([]byte, 16),
	})
	return &Writer{same: same}, err
}

// Record returns a new record of an event that ends now, encoded, with its event id. Event, person, case and trace differ from record to
// record.
func (w *Writer) Record(now time.Time) (event string, encoded []byte, err error) {
	event = ids.NewEventID()
	bare := event[:8] + event[9:13] + event[14:18] + event[19:23] + event[24:]
	encoded, err = proto.MarshalOptions{}.MarshalAppend(append(make([]byte, 0, 640), w.same...), &auditv1.Record{
		EventId: event, StartedAt: timestamppb.New(now.Add(-3 * time.Millisecond)), EndedAt: timestamppb.New(now),
		SubjectRef: "k00000001." + bare[5:], CaseReference: "case-" + bare[20:], TraceId: []byte(bare[16:]), SpanId: []byte(bare[24:]),
	})
	return event, encoded, err
}

// Bare is a log of Tessera alone, with the ledger's settings.
type Bare struct{ log *ledger.Bare }

// OpenBare makes one in a new folder; Close it.
func OpenBare(ctx context.Context, dir string) (*Bare, error) {
	const origin = "bench.samvirke.example/ledger"
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("bare log: %w", err)
	}
	klog.SetSlogLogger(slog.New(slog.DiscardHandler)) // Tessera's own log
	log, err := ledger.OpenBare(ctx, dir, origin, ledger.NewLocalSigner(origin, key))
	return &Bare{log: log}, err
}

// Add adds as many leaves as a batch has, of the size of the ledger's, and returns when they are part of the tree.
func (b *Bare) Add(ctx context.Context, n int) error {
	leaves := make([][]byte, n)
	for i := range leaves {
		leaves[i] = make([]byte, proofs.HashSize)
	}
	return b.log.Add(ctx, leaves)
}

// Close ends it.
func (b *Bare) Close() { b.log.Close() }

// Check checks a receipt by the public keys alone, given as auditd prints them.
func Check(r *auditv1.Receipt, keys []byte) error {
	known, err := proofs.ParseKeys(keys)
	if err != nil {
		return err
	}
	p := receipt.Of(r)
	_, err = p.Verify(known)
	return err
}
