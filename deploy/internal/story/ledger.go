package story

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/deploy/internal/stack"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/errs"
)

// ledgerChapter proves one of the exchanges before: the fund fetches its receipt, checks it without the suite, and changes a byte.
func ledgerChapter(ctx context.Context, t *teller) error {
	receipt, err := t.receipt(ctx)
	if err = t.failed("a receipt", err); err != nil {
		return err
	}
	return errors.Join(
		t.failed("the receipt is checked", t.holds(ctx, receipt)),
		t.failed("a flipped byte", t.flipped(ctx, receipt)),
	)
}

// receipt fetches the receipt of the Danish fund's first exchange.
func (t *teller) receipt(ctx context.Context) (*auditv1.Receipt, error) {
	t.number++
	t.unrecorded++ // what was recorded of it is not looked at
	who := t.cast.DanishFund
	say.F(t.out, "\n%2d  %s\n", t.number, "The fund fetches the receipt of its first exchange")
	t.line("who", "%s (%s, system %s)", t.name(who), who.Org(), who.System)
	conn, err := t.conn(stack.AuditName, who)
	if err != nil {
		return nil, err
	}
	why := &commonv1.RequestContext{
		ControllerId: who.Org(), Purpose: vocabularyv1.Purpose_PURPOSE_AUDIT, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C,
		LegalReference: "DK:GDPR-5-2", CaseReference: "evidence-1",
	}
	for _, event := range t.events {
		out, err := auditv1.NewLedgerServiceClient(conn).GetReceipt(ctx, &auditv1.GetReceiptRequest{Context: why, EventId: event})
		if errs.ReasonOf(err) == commonv1.Reason_REASON_RECORD_NOT_FOUND {
			continue // another's exchange
		}
		if err != nil {
			return nil, err
		}
		r := out.GetReceipt()
		t.line("answer", "event %s is record %d of %s", event, r.GetIndex(), r.GetOrigin())
		return r, nil
	}
	return nil, errors.New("none of the story's exchanges is the fund's")
}

func (t *teller) holds(ctx context.Context, r *auditv1.Receipt) error {
	t.number++
	t.unrecorded++ // what was recorded of it is not looked at
	say.F(t.out, "\n%2d  %s\n", t.number, "It checks the receipt with samvirke-verify: no server, only the ledger's public key")
	said, err := t.checked(ctx, r)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(said), "\n")
	t.line("says", "%s", lines[len(lines)-1])
	if !strings.Contains(said, "HOLDS: event "+r.GetEventId()) {
		return fmt.Errorf("samvirke-verify says %q", said)
	}
	return nil
}

// flipped changes one bit of what was recorded, as somebody might who would rather have asked for another purpose.
func (t *teller) flipped(ctx context.Context, r *auditv1.Receipt) error {
	t.number++
	t.unrecorded++ // what was recorded of it is not looked at
	say.F(t.out, "\n%2d  %s\n", t.number, "Somebody changes one bit of the record, and it no longer holds")
	bad := proto.CloneOf(r)
	content := bad.GetExchange().GetContent()
	content[len(content)/2] ^= 1
	_, err := t.checked(ctx, bad)
	if err == nil {
		return errors.New("samvirke-verify did not see it")
	}
	_, why, _ := strings.Cut(err.Error(), "samvirke-verify: ")
	t.line("says", "%s", why)
	if !strings.Contains(why, "DOES NOT HOLD") {
		return err
	}
	return nil
}

func (t *teller) checked(ctx context.Context, r *auditv1.Receipt) (string, error) {
	raw, err := protojson.Marshal(r)
	if err != nil {
		return "", err
	}
	return t.suite.Verify(ctx, raw)
}
