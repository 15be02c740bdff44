// Package wire translates between the messages of samvirke.transfer.v1 and the core. The enumerations of both have the same numbers,
// which a test holds them to.
package wire

import (
	"errors"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/store"
)

// ErrNumber means that a text is no national number in canonical form.
var ErrNumber = errors.New("wire: no canonical national number")

// ToDate writes a date; none is nil.
func ToDate(d civil.Date) *commonv1.Date {
	if d.IsZero() {
		return nil
	}
	y, m, day := d.Parts()
	return &commonv1.Date{Year: int32(y), Month: int32(m), Day: int32(day)} //nolint:gosec // parts of a date
}

// FromDate reads a date; nil is none. Errors: civil.ErrDate for what is no day of the calendar.
func FromDate(d *commonv1.Date) (civil.Date, error) {
	if d == nil {
		return 0, nil
	}
	return civil.New(int(d.GetYear()), int(d.GetMonth()), int(d.GetDay()))
}

// ToNumber writes a canonical national number, such as DK:0709614126, as messages do.
func ToNumber(canonical string) *commonv1.NationalId {
	country := vocabularyv1.Country_COUNTRY_UNSPECIFIED
	if len(canonical) < len("DK:") {
		return &commonv1.NationalId{}
	}
	switch canonical[:2] {
	case "DK":
		country = vocabularyv1.Country_COUNTRY_DK
	case "SE":
		country = vocabularyv1.Country_COUNTRY_SE
	}
	return &commonv1.NationalId{Country: country, Value: canonical[len("DK:"):]}
}

// FromNumber reads a national number that stands in full: ten digits in Denmark, twelve in Sweden, a separator allowed. Whether it is
// one, the identity service says. Errors: ErrNumber.
func FromNumber(n *commonv1.NationalId) (string, error) {
	digits := make([]byte, 0, len(n.GetValue()))
	for _, c := range []byte(n.GetValue()) {
		if c >= '0' && c <= '9' {
			digits = append(digits, c)
		}
	}
	switch {
	case n.GetCountry() == vocabularyv1.Country_COUNTRY_DK && len(digits) == 10:
		return "DK:" + string(digits), nil
	case n.GetCountry() == vocabularyv1.Country_COUNTRY_SE && len(digits) == 12:
		return "SE:" + string(digits), nil
	default:
		return "", ErrNumber
	}
}

// ToKind writes a kind of package.
func ToKind(k cases.PackageKind) transferv1.PackageKind {
	for i := range transferv1.PackageKind_PACKAGE_KIND_SWEDISH_BENEFIT {
		if k == 1<<i {
			return i + 1
		}
	}
	return transferv1.PackageKind_PACKAGE_KIND_UNSPECIFIED
}

// FromKind reads a kind of package; 0 is none.
func FromKind(k transferv1.PackageKind) cases.PackageKind {
	if k <= 0 || k > transferv1.PackageKind_PACKAGE_KIND_SWEDISH_BENEFIT {
		return 0
	}
	return 1 << (k - 1)
}

// ToReceipt writes the receipt of a part.
func ToReceipt(p store.Part) *transferv1.PartReceipt {
	return &transferv1.PartReceipt{
		Part: int32(p.Number), Kind: ToKind(p.Kind), Last: p.Last, Digest: p.Digest, Signature: p.Signature, //nolint:gosec // at most 1000
	}
}

// ToExchange writes a message to the other fund.
func ToExchange(e core.Envelope, why *commonv1.RequestContext) *transferv1.ExchangeRequest {
	out := &transferv1.ExchangeRequest{Context: why, TransferId: e.TransferID, Sequence: e.Seq}
	switch {
	case e.Offer != nil:
		out.Message = &transferv1.ExchangeRequest_Offer{Offer: &transferv1.TransferOffer{
			NationalId: ToNumber(e.Offer.Number), PowerOfAttorney: e.Offer.PoA, WantedOn: ToDate(e.Offer.Wanted), Agreed: e.Offer.Agreed,
		}}
	case e.Report != nil:
		report := &transferv1.TransferReport{
			Kind: transferv1.TransferEventKind(e.Report.Event), Rejection: transferv1.RejectionCode(e.Report.Rejection), //nolint:gosec // small
			EffectiveOn: ToDate(e.Report.Effective), Channel: transferv1.WithdrawalChannel(e.Report.Channel), //nolint:gosec // small
		}
		if e.Part != nil {
			report.Part = &transferv1.PartContent{Receipt: ToReceipt(*e.Part), Content: e.Part.Content}
		}
		out.Message = &transferv1.ExchangeRequest_Report{Report: report}
	default:
		out.Message = &transferv1.ExchangeRequest_Withdrawal{Withdrawal: &transferv1.Withdrawal{Channel: transferv1.WithdrawalChannel(e.Channel)}} //nolint:gosec // small
	}
	return out
}

// FromExchange reads a message of the other fund. Errors: ErrNumber, civil.ErrDate.
func FromExchange(in *transferv1.ExchangeRequest, from string) (core.Envelope, error) {
	e := core.Envelope{TransferID: in.GetTransferId(), From: from, To: in.GetContext().GetControllerId(), Seq: in.GetSequence()}
	switch m := in.GetMessage().(type) {
	case *transferv1.ExchangeRequest_Offer:
		number, err1 := FromNumber(m.Offer.GetNationalId())
		wanted, err2 := FromDate(m.Offer.GetWantedOn())
		if err := errors.Join(err1, err2); err != nil {
			return e, err
		}
		e.Offer = &core.OfferBody{
			Number: number, PoA: m.Offer.GetPowerOfAttorney(), Wanted: wanted, Agreed: m.Offer.GetAgreed(), Country: number[:2],
		}
	case *transferv1.ExchangeRequest_Report:
		effective, err := FromDate(m.Report.GetEffectiveOn())
		if err != nil {
			return e, err
		}
		e.Report = &cases.Report{
			Event: cases.Event(m.Report.GetKind()), Rejection: cases.RejectionCode(m.Report.GetRejection()), Effective: effective,
			Channel: cases.Channel(m.Report.GetChannel()),
		}
		if p := m.Report.GetPart(); p != nil {
			e.Part = fromPart(p)
			e.Report.Part = e.Part.Part
		}
	case *transferv1.ExchangeRequest_Withdrawal:
		e.Withdrawal, e.Channel = true, cases.Channel(m.Withdrawal.GetChannel())
	}
	return e, nil
}

func fromPart(p *transferv1.PartContent) *store.Part {
	r := p.GetReceipt()
	return &store.Part{
		Part:    cases.Part{Number: int(r.GetPart()), Kind: FromKind(r.GetKind()), Last: r.GetLast()},
		Content: p.GetContent(), Digest: r.GetDigest(), Signature: r.GetSignature(),
	}
}
