package api

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/redact"
)

// Prefixes of enum values; the core uses the names without them.
const (
	purposePrefix = "PURPOSE_"
	basisPrefix   = "LEGAL_BASIS_"
	specialPrefix = "SPECIAL_BASIS_"
	classPrefix   = "PARTNER_CLASS_"
)

// PurposeOf returns the purpose as the core names it; "" when it is unspecified.
func PurposeOf(p vocabularyv1.Purpose) core.Purpose {
	if p == vocabularyv1.Purpose_PURPOSE_UNSPECIFIED {
		return ""
	}
	return core.Purpose(strings.TrimPrefix(p.String(), purposePrefix))
}

func toPurpose(p core.Purpose) vocabularyv1.Purpose {
	return vocabularyv1.Purpose(vocabularyv1.Purpose_value[purposePrefix+string(p)])
}

// BasisOf returns the legal basis as the core names it.
func BasisOf(b vocabularyv1.LegalBasis) core.Basis {
	return core.Basis(strings.TrimPrefix(b.String(), basisPrefix))
}

// SpecialOf returns the special basis as the core names it; "" when there is none.
func SpecialOf(b vocabularyv1.SpecialBasis) core.Special {
	if b == vocabularyv1.SpecialBasis_SPECIAL_BASIS_UNSPECIFIED {
		return ""
	}
	return core.Special(strings.TrimPrefix(b.String(), specialPrefix))
}

func fromFields(in []insurancev1.SharedField) core.Fields {
	var out core.Fields
	for _, f := range in {
		out |= 1 << f
	}
	return out
}

func toFields(in core.Fields) []insurancev1.SharedField {
	var out []insurancev1.SharedField
	for n := range insurancev1.SharedField_name {
		if in.Has(1 << n) {
			out = append(out, insurancev1.SharedField(n))
		}
	}
	slices.Sort(out)
	return out
}

func fromChannels(in []insurancev1.ContactChannel) []int {
	out := make([]int, len(in))
	for i, c := range in {
		out[i] = int(c)
	}
	return out
}

func fromDate(field string, d *commonv1.Date) (core.Day, error) {
	out, err := core.NewDay(int(d.GetYear()), int(d.GetMonth()), int(d.GetDay()))
	if err != nil {
		return core.Day{}, &core.InvalidError{Field: field, Want: "must be a day of the calendar"}
	}
	return out, nil
}

func toDate(d core.Day) *commonv1.Date {
	if d.IsZero() {
		return nil
	}
	return &commonv1.Date{Year: int32(d.Year), Month: int32(d.Month), Day: int32(d.Day)} //nolint:gosec // a date's parts are small
}

func toTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func fromTime(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func fromMember(i int, in *insurancev1.Member) (core.Member, error) {
	at := func(field string) string { return fmt.Sprintf("members[%d].%s", i, field) }
	from, err := fromDate(at("membership_from"), in.GetMembershipFrom())
	if err != nil {
		return core.Member{}, err
	}
	var to core.Day
	if in.GetMembershipTo() != nil {
		if to, err = fromDate(at("membership_to"), in.GetMembershipTo()); err != nil {
			return core.Member{}, err
		}
		if from.After(to) {
			return core.Member{}, &core.InvalidError{Field: at("membership_to"), Want: "must not be before membership_from"}
		}
	}
	if err := freeHandle(at("handle"), in.GetHandle()); err != nil {
		return core.Member{}, err
	}
	return core.Member{Handle: in.GetHandle(), Contact: core.Contact{
		FullName: in.GetFullName(), PhoneNumber: in.GetPhoneNumber(), Email: in.GetEmail(), From: from, To: to, CoverCode: in.GetCoverCode(),
		Channel: in.GetSourceChannel(), AdvertisingBlock: in.GetAdvertisingBlock(),
	}}, nil
}

// free checks an id that a controller chooses by itself: it is kept as it is, so nothing that looks like a national number, an e-mail address
// or a phone number may stand in it (SEC-03, SEC-06).
func free(field, id string) error {
	if redact.Text(id) != id {
		return &core.InvalidError{Field: field, Want: "must not hold what looks like a national number, a phone number or an e-mail address: use an id of your own"}
	}
	return nil
}

// freeHandle checks a handle that a controller brings along. Those that the identity service makes are full of random digits, so that only
// what looks like a national number counts, also behind the dot.
func freeHandle(field, handle string) error {
	_, body, _ := strings.Cut(handle, ".")
	for _, found := range append(redact.Find(handle), redact.Find(body)...) {
		if found.Mark == nationalID {
			return &core.InvalidError{Field: field, Want: "must be a handle of the identity service, not a national number"}
		}
	}
	return nil
}

// nationalID is what redact writes for a national number.
const nationalID = "[national-id]"

func fromAgreement(in *insurancev1.PartnerAgreement) (*core.Agreement, error) {
	from, err := fromDate("agreement.valid_from", in.GetValidFrom())
	if err != nil {
		return nil, err
	}
	until, err := fromDate("agreement.valid_until", in.GetValidUntil())
	if err != nil {
		return nil, err
	}
	if err := errors.Join(
		free("agreement.agreement_id", in.GetAgreementId()), free("agreement.balancing_id", in.GetBalancingId()),
		free("agreement.processing_agreement_id", in.GetProcessingAgreementId()), free("agreement.partner_id", in.GetPartnerId()),
		free("agreement.partner_name", in.GetPartnerName()),
	); err != nil {
		return nil, err
	}
	out := &core.Agreement{
		ID: in.GetAgreementId(), Version: in.GetVersion(), Partner: in.GetPartnerId(), Name: in.GetPartnerName(),
		Class: core.Class(strings.TrimPrefix(in.GetPartnerClass().String(), classPrefix)), Country: in.GetProcessingCountry(),
		Transfer: in.GetTransferBasis(), Fields: fromFields(in.GetFields()), From: from, Until: until,
		ProcessingID: in.GetProcessingAgreementId(), BalancingID: in.GetBalancingId(),
	}
	for _, p := range in.GetPurposes() {
		agreed := core.AgreedPurpose{Purpose: PurposeOf(p.GetPurpose())}
		for _, b := range p.GetLegalBases() {
			agreed.Bases = append(agreed.Bases, BasisOf(b))
		}
		out.Purposes = append(out.Purposes, agreed)
	}
	return out, nil
}
