package story

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/deploy/internal/stack"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// shipLimit is how long records may take to the audit service.
const shipLimit = 30 * time.Second

// usageChapter lets the member see all of it: who used the data, for what, on which basis, in plain words.
func usageChapter(ctx context.Context, t *teller) error {
	t.number++
	t.unrecorded++ // what was recorded of it is not looked at
	who := t.cast.DanishFund
	say.F(t.out, "\n%2d  The member opens the fund's portal and asks who used the data, in Danish\n", t.number)
	t.line("who", "%s (%s, system %s), for the member", t.name(who), who.Org(), who.System)
	found, err := t.uses(ctx)
	if err != nil {
		return t.failed("the person's view", err)
	}
	receivers := map[string]bool{}
	for _, u := range found.GetUsages() {
		receivers[u.GetReceiverCode()] = true
		times := ""
		if u.GetCount() > 1 {
			times = fmt.Sprintf(" (%d times)", u.GetCount())
		}
		t.line(u.GetLogtime().AsTime().Format("15:04:05"), "%s%s %s: %s", or(u.GetReceiverName(), u.GetReceiverCode()), times, u.GetAction(), or(strings.Join(u.GetData(), ", "), "-"))
	}
	t.line("answer", "%d uses in all", found.GetTotalUsages())
	if !receivers[t.cast.Insurer.Org()] || !receivers[who.Org()] {
		return t.failed("the person's view", errors.New("the fund or the insurer is missing in the list"))
	}
	return nil
}

// uses asks until the insurer's reading has arrived: services ship their records a moment after the answer.
func (t *teller) uses(ctx context.Context) (*auditv1.FindUsageResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, shipLimit)
	defer cancel()
	conn, err := t.conn(stack.AuditName, t.cast.DanishFund)
	if err != nil {
		return nil, err
	}
	request := &auditv1.FindUsageRequest{
		Context: &commonv1.RequestContext{
			ControllerId: t.cast.DanishFund.Org(), Purpose: vocabularyv1.Purpose_PURPOSE_RIGHTS_FULFILMENT,
			LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C, LegalReference: "DK:GDPR-15", CaseReference: "indsigt-1",
		},
		Person: &auditv1.Person{By: &auditv1.Person_Handle{Handle: t.handles[t.key(t.cast.DanishFund, t.cast.Dane)]}},
		Ground: auditv1.Ground_GROUND_SELF, Language: auditv1.Language_LANGUAGE_DA, Limit: 12,
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		out, err := auditv1.NewUsageServiceClient(conn).FindUsage(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, u := range out.GetUsages() {
			if u.GetReceiverCode() == t.cast.Insurer.Org() {
				return out, nil
			}
		}
		select {
		case <-ctx.Done():
			return out, nil
		case <-tick.C:
		}
	}
}

// lookAgain is how often is looked for records that are still under way.
const lookAgain = 300 * time.Millisecond
