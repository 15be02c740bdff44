package story

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"

	"samvirke.dev/deploy/internal/stack"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

const transferService = "samvirke.transfer.v1.TransferService/"

// TransferLawDK and TransferLawSE are the legal references of the sandbox's agreements about transfers.
const (
	TransferLawDK = "DK:ALF§41"
	TransferLawSE = "SE:ALF-2024:506"
)

// wholeScope is what a power of attorney for a move must allow.
func wholeScope() []string { return []string{"contact_current_fund", "exit", "data"} }

// moving is one transfer of the story.
type moving struct {
	t        *teller
	who      Person
	from, to stack.Caller
	id       string
	name     string // case reference
}

// transferChapter tells of a Danish member out of work who moves after a rejection and its correction, and of a Swedish one who first takes
// the power of attorney back.
func transferChapter(ctx context.Context, t *teller) error {
	c := t.cast
	danish := &moving{t: t, who: c.Dane, from: c.DanishFund, to: c.OtherDanishFund, name: "move-1"}
	swedish := &moving{t: t, who: c.Swede, from: c.SwedishFund, to: c.OtherSwedishFund, name: "flytt-1"}
	steps := []step{t.resolve("The Swedish fund that the member wants to join asks for a handle", c.OtherSwedishFund, c.Swede, "flytt-1")}
	steps = append(steps, danish.rejected()...)
	steps = append(steps, danish.corrected()...)
	steps = append(steps, danish.delivered()...)
	steps = append(steps, danish.wavered()...)
	steps = append(steps, swedish.withdrawn()...)
	return t.run(ctx, append(steps, swedish.moved()...))
}

func (m *moving) why(who stack.Caller) *commonv1.RequestContext {
	c := because(who, vocabularyv1.Purpose_PURPOSE_FUND_TRANSFER, m.name)
	c.LegalReference = TransferLawDK
	if who.Country == "SE" {
		c.LegalReference, c.LegalBasis = TransferLawSE, vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_E_PUBLIC_INTEREST
	}
	return c
}

// act is a step of the transfer service.
func (m *moving) act(title string, who stack.Caller, rpc string, call func(context.Context, transferv1.TransferServiceClient, *commonv1.RequestContext, grpc.CallOption) (string, string, error)) step {
	why := m.why(who)
	return step{
		title: title, who: who, about: m.who, why: why, rpc: transferService + rpc, service: stack.TransferName,
		call: func(ctx context.Context, conn grpc.ClientConnInterface, trailer grpc.CallOption) (string, string, error) {
			return call(ctx, transferv1.NewTransferServiceClient(conn), why, trailer)
		},
	}
}

func state(t *transferv1.Transfer) string {
	return t.GetState().String()[len("TRANSFER_STATE_"):]
}

// said is the answer of a step: the state of the record.
func said(t *transferv1.Transfer, err error) (string, string, error) {
	if err != nil {
		return "", "", err
	}
	return state(t), "", nil
}

func (m *moving) create(title string) step {
	return m.act(title, m.to, "CreateTransfer", func(ctx context.Context, c transferv1.TransferServiceClient, why *commonv1.RequestContext, trailer grpc.CallOption) (string, string, error) {
		out, err := c.CreateTransfer(ctx, &transferv1.CreateTransferRequest{
			Context: why, ReleasingFundId: m.from.Org(), Handle: m.t.handles[m.t.key(m.to, m.who)], MembershipReference: m.name,
		}, trailer)
		m.id = out.GetTransfer().GetTransferId()
		return said(out.GetTransfer(), err)
	})
}

func (m *moving) submit(title string) step {
	return m.act(title, m.to, "SubmitTransfer", func(ctx context.Context, c transferv1.TransferServiceClient, why *commonv1.RequestContext, trailer grpc.CallOption) (string, string, error) {
		in := &transferv1.SubmitTransferRequest{
			Context: why, TransferId: m.id, Source: transferv1.ApplicationSource_APPLICATION_SOURCE_SELF_SERVICE,
			Application: &transferv1.MembershipApplication{Name: m.who.Name, Email: "member@example.com", NationalId: m.who.id()},
		}
		if m.to.Country == "DK" {
			in.WorkSituation = transferv1.WorkSituation_WORK_SITUATION_OUT_OF_WORK
		}
		out, err := c.SubmitTransfer(ctx, in, trailer)
		return said(out.GetTransfer(), err)
	})
}

func (m *moving) verify(title string, scopes ...string) step {
	return m.act(title, m.to, "VerifyPowerOfAttorney", func(ctx context.Context, c transferv1.TransferServiceClient, why *commonv1.RequestContext, trailer grpc.CallOption) (string, string, error) {
		text, err := m.t.cast.PowerOfAttorney(m.who.Country+":"+m.who.Number, m.to.Org(), m.from.Org(), scopes...)
		if err != nil {
			return "", "", err
		}
		out, err := c.VerifyPowerOfAttorney(ctx, &transferv1.VerifyPowerOfAttorneyRequest{Context: why, TransferId: m.id, Assertion: text}, trailer)
		return said(out.GetTransfer(), err)
	})
}

func (m *moving) send(title string) step {
	return m.act(title, m.to, "SendRequest", func(ctx context.Context, c transferv1.TransferServiceClient, why *commonv1.RequestContext, trailer grpc.CallOption) (string, string, error) {
		out, err := c.SendRequest(ctx, &transferv1.SendRequestRequest{Context: why, TransferId: m.id}, trailer)
		return said(out.GetTransfer(), err)
	})
}

// sees waits until a fund's record is in a state and also says what it must; every look leaves its record, the last one is shown.
func (m *moving) sees(title string, who stack.Caller, want transferv1.TransferState, also func(*transferv1.GetTransferResponse) (string, error)) step {
	return m.act(title, who, "GetTransfer", func(ctx context.Context, c transferv1.TransferServiceClient, why *commonv1.RequestContext, trailer grpc.CallOption) (string, string, error) {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			out, err := c.GetTransfer(ctx, &transferv1.GetTransferRequest{Context: why, TransferId: m.id}, trailer)
			if err == nil && out.GetTransfer().GetState() == want {
				var text string
				if text, err = also(out); err == nil {
					return state(out.GetTransfer()) + text, "", nil
				}
			}
			select {
			case <-ctx.Done():
				return "", "", errors.Join(ctx.Err(), err)
			case <-tick.C:
			}
		}
	})
}

func nothingMore(*transferv1.GetTransferResponse) (string, error) { return "", nil }

// begin brings the request to the releasing fund.
func (m *moving) begin(first string) []step {
	return []step{
		m.create(first),
		m.submit("The member's application is complete: its day of receipt is fixed"),
		m.verify("The member's power of attorney is signed and wide enough", wholeScope()...),
		m.send("The request goes to the releasing fund: number, power of attorney, wanted day, and nothing more"),
		m.sees("The releasing fund has the request", m.from, transferv1.TransferState_TRANSFER_STATE_REQUESTED, nothingMore),
	}
}

// rejected begins a move that the releasing fund rejects, after two things that must not go through.
func (m *moving) rejected() []step {
	steps := m.begin("A Danish member who is out of work wants to join another fund")
	narrow := m.verify("A power of attorney that does not cover the data is refused", "contact_current_fund", "exit")
	narrow.refused, narrow.granted = commonv1.Reason_REASON_FAILED_PRECONDITION, true
	grab := m.act("The receiving fund can't confirm the exit: that is the other fund's act", m.to, "ConfirmExit",
		func(ctx context.Context, c transferv1.TransferServiceClient, why *commonv1.RequestContext, trailer grpc.CallOption) (string, string, error) {
			out, err := c.ConfirmExit(ctx, &transferv1.ConfirmExitRequest{Context: why, TransferId: m.id}, trailer)
			return said(out.GetTransfer(), err)
		})
	grab.refused, grab.granted = commonv1.Reason_REASON_WRONG_PARTY, true
	reject := m.act("The releasing fund rejects: the day conflicts with what it knows", m.from, "RejectTransfer",
		func(ctx context.Context, c transferv1.TransferServiceClient, why *commonv1.RequestContext, trailer grpc.CallOption) (string, string, error) {
			out, err := c.RejectTransfer(ctx, &transferv1.RejectTransferRequest{
				Context: why, TransferId: m.id, Code: transferv1.RejectionCode_REJECTION_CODE_DATE_CONFLICT,
			}, trailer)
			return said(out.GetTransfer(), err)
		})
	told := m.sees("The receiving fund is told, and that this can be corrected", m.to, transferv1.TransferState_TRANSFER_STATE_REJECTED,
		func(out *transferv1.GetTransferResponse) (string, error) {
			if !out.GetTransfer().GetCorrectable() || out.GetErasure() == nil {
				return "", errors.New("neither correctable nor erased")
			}
			return ", DATE_CONFLICT, correctable", nil
		})
	return append(append(steps[:2:2], narrow), append(steps[2:], grab, reject, told)...)
}

func (m *moving) corrected() []step {
	return m.begin("Corrected, the move begins anew as a new transfer")
}

func (m *moving) acknowledge(title string) step {
	return m.act(title, m.from, "AcknowledgeTransfer", func(ctx context.Context, c transferv1.TransferServiceClient, why *commonv1.RequestContext, trailer grpc.CallOption) (string, string, error) {
		out, err := c.AcknowledgeTransfer(ctx, &transferv1.AcknowledgeTransferRequest{
			Context: why, TransferId: m.id, MembershipReference: "old-" + m.name, MemberSince: &commonv1.Date{Year: 2019, Month: 3, Day: 1},
		}, trailer)
		return said(out.GetTransfer(), err)
	})
}

// deliver sends one part over a stream.
func (m *moving) deliver(title string, part int32, last bool, content *transferv1.DataPackage) step {
	return m.act(title, m.from, "DeliverPackage", func(ctx context.Context, c transferv1.TransferServiceClient, why *commonv1.RequestContext, trailer grpc.CallOption) (string, string, error) {
		stream, err := c.DeliverPackage(ctx, trailer)
		if err != nil {
			return "", "", err
		}
		if err := stream.Send(&transferv1.DeliverPackageRequest{Context: why, TransferId: m.id, Part: part, Last: last, Package: content}); err != nil {
			return "", "", err
		}
		out, err := stream.Recv()
		if err != nil {
			return "", "", err
		}
		if err := stream.CloseSend(); err != nil {
			return "", "", err
		}
		return fmt.Sprintf("%s, receipt %x…", state(out.GetTransfer()), out.GetReceipt().GetDigest()[:4]), out.GetEventId(), nil
	})
}

func (m *moving) confirm(title string) step {
	return m.act(title, m.from, "ConfirmExit", func(ctx context.Context, c transferv1.TransferServiceClient, why *commonv1.RequestContext, trailer grpc.CallOption) (string, string, error) {
		out, err := c.ConfirmExit(ctx, &transferv1.ConfirmExitRequest{Context: why, TransferId: m.id}, trailer)
		return said(out.GetTransfer(), err)
	})
}

// settled is that the receiving fund knows the day: the first of a month, the day after the other membership ends.
func (m *moving) settled(title string) step {
	return m.sees(title, m.to, transferv1.TransferState_TRANSFER_STATE_EXIT_CONFIRMED, func(out *transferv1.GetTransferResponse) (string, error) {
		d := out.GetTransfer().GetEffectiveOn()
		if d.GetDay() != 1 {
			return "", fmt.Errorf("effective on day %d", d.GetDay())
		}
		return fmt.Sprintf(", effective on %04d-%02d-%02d", d.GetYear(), d.GetMonth(), d.GetDay()), nil
	})
}

// delivered goes on from the request to the day of the move.
func (m *moving) delivered() []step {
	membership := &transferv1.DataPackage{Content: &transferv1.DataPackage_Membership{Membership: &transferv1.MembershipPackage{
		Insurance: []*transferv1.InsurancePeriod{{
			Period:   &transferv1.Period{FirstDay: &commonv1.Date{Year: 2019, Month: 3, Day: 1}},
			Category: transferv1.InsuranceCategory_INSURANCE_CATEGORY_FULL_TIME,
		}},
	}}}
	ledger := &transferv1.ConsumptionLedger{}
	for i := range int32(96) {
		ledger.Months = append(ledger.Months, &transferv1.ConsumedMonth{Month: (2018+i/12)*100 + i%12 + 1, Hours: int64(i) * 100})
	}
	consumption := &transferv1.DataPackage{Content: &transferv1.DataPackage_Consumption{Consumption: ledger}}
	read := m.act("The receiving fund reads what came: signed by the one fund, encrypted for the other", m.to, "ReadPackages",
		func(ctx context.Context, c transferv1.TransferServiceClient, why *commonv1.RequestContext, trailer grpc.CallOption) (string, string, error) {
			out, err := c.ReadPackages(ctx, &transferv1.ReadPackagesRequest{Context: why, TransferId: m.id}, trailer)
			if err != nil {
				return "", "", err
			}
			if got := out.GetPackages(); len(got) != 2 || len(got[1].GetPackage().GetConsumption().GetMonths()) != 96 {
				return "", "", fmt.Errorf("%d packages", len(got))
			}
			return "membership periods, and 96 months of consumption", "", nil
		})
	return []step{
		m.acknowledge("The releasing fund knows the member"),
		m.deliver("It delivers the periods of membership", 1, false, membership),
		m.deliver("It delivers the ledger of 96 months, the last part", 2, true, consumption),
		m.sees("All parts have arrived", m.to, transferv1.TransferState_TRANSFER_STATE_DATA_DELIVERED, nothingMore),
		read,
		m.confirm("The releasing fund confirms the exit"),
		m.settled("Out of work: a month's notice to the end of a month"),
	}
}

func (m *moving) swedishPart(title string) step {
	return m.deliver(title, 1, true, &transferv1.DataPackage{Content: &transferv1.DataPackage_SwedishMembership{
		SwedishMembership: &transferv1.SwedishMembershipPackage{
			Periods: []*transferv1.Period{{FirstDay: &commonv1.Date{Year: 2019, Month: 3, Day: 1}}}, FundId: m.from.Org(), LastMonth: 202612,
			PaidThroughMonth: 202612,
		},
	}})
}

func (m *moving) withdraw(title string) step {
	return m.act(title, m.to, "WithdrawPowerOfAttorney", func(ctx context.Context, c transferv1.TransferServiceClient, why *commonv1.RequestContext, trailer grpc.CallOption) (string, string, error) {
		out, err := c.WithdrawPowerOfAttorney(ctx, &transferv1.WithdrawPowerOfAttorneyRequest{
			Context: why, TransferId: m.id, Channel: transferv1.WithdrawalChannel_WITHDRAWAL_CHANNEL_PHONE,
		}, trailer)
		return said(out.GetTransfer(), err)
	})
}

// wavered is a member who takes the power of attorney back when the exit is confirmed already, and then wants to move after all.
func (m *moving) wavered() []step {
	manual := func(want int, text string) func(out *transferv1.GetTransferResponse) (string, error) {
		return func(out *transferv1.GetTransferResponse) (string, error) {
			if got := len(out.GetTransfer().GetManual()); got != want {
				return "", fmt.Errorf("a person is called in for %d reasons, not %d", got, want)
			}
			return text, nil
		}
	}
	decide := m.act("The member calls again and wants to move after all: an employee lets the exit stand", m.from, "DecideWithdrawal",
		func(ctx context.Context, c transferv1.TransferServiceClient, why *commonv1.RequestContext, trailer grpc.CallOption) (string, string, error) {
			out, err := c.DecideWithdrawal(ctx, &transferv1.DecideWithdrawalRequest{
				Context: why, TransferId: m.id, Decision: transferv1.ExitDecision_EXIT_DECISION_KEEP,
			}, trailer)
			return said(out.GetTransfer(), err)
		})
	return []step{
		m.withdraw("The member takes the power of attorney back, by telephone: too late to end the case"),
		m.sees("No machine undoes a confirmed exit: a person is called in", m.from, transferv1.TransferState_TRANSFER_STATE_EXIT_CONFIRMED, manual(1, ", for a person")),
		decide,
		m.sees("The receiving fund is told: the move goes on", m.to, transferv1.TransferState_TRANSFER_STATE_EXIT_CONFIRMED, manual(0, "")),
	}
}

// withdrawn is a Swedish member who changes her mind.
func (m *moving) withdrawn() []step {
	steps := m.begin("A Swedish member wants to join another fund")
	return append(steps,
		m.acknowledge("The releasing fund knows her"),
		m.swedishPart("It delivers her periods of membership"),
		m.sees("They have arrived", m.to, transferv1.TransferState_TRANSFER_STATE_DATA_DELIVERED, nothingMore),
		m.withdraw("She takes the power of attorney back, by telephone"),
		m.sees("The case ends, and what came through it is erased, with a certificate", m.to, transferv1.TransferState_TRANSFER_STATE_WITHDRAWN,
			func(out *transferv1.GetTransferResponse) (string, error) {
				if out.GetErasure().GetParts() != 1 {
					return "", errors.New("no certificate of the erasure")
				}
				return ", 1 part erased", nil
			}),
	)
}

// moved is that she moves after all.
func (m *moving) moved() []step {
	return append(m.begin("She decides to move after all: a new application, a new power of attorney"),
		m.acknowledge("The releasing fund knows her"),
		m.swedishPart("It delivers her periods of membership"),
		m.confirm("It confirms the exit, to the end of the month in which it got the request"),
		m.settled("Her membership begins the day after"),
	)
}
