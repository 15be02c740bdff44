package sealed

import (
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	storev1 "samvirke.dev/proto/gen/go/samvirke/identity/store/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/names"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

// endOfTime makes the parser take any birth date: what is stored was checked when it came in.
func endOfTime() civil.Date { return civil.Date{Year: 9999, Month: 12, Day: 31} }

func toStored(p *core.Person) *storev1.Person {
	m := &storev1.Person{
		Number:         p.Number.Canonical(),
		GivenNames:     p.Name.Given,
		MiddleName:     p.Name.Middle,
		FamilyName:     p.Name.Family,
		AddressingName: p.Name.Addressing,
		BirthDate:      toDate(p.Birth),
		DeathDate:      toDate(p.Death),
		RegisterState:  p.RegisterState,
		RegisterTime:   timestamppb.New(p.RegisterTime),
		Source:         vocabularyv1.Source(p.Source),
	}
	for _, n := range p.Earlier {
		m.EarlierNumbers = append(m.EarlierNumbers, n.Canonical())
	}
	if a := p.Address; a != nil {
		m.Address = &storev1.Address{
			CareOf: a.CareOf, Lines: a.Lines, PostalCode: a.PostalCode, City: a.City, Country: a.Country, ValidFrom: toDate(a.ValidFrom),
		}
	}
	for _, t := range p.Protections {
		m.Protections = append(m.Protections, &storev1.Protection{
			Kind: storev1.ProtectionKind(t.Kind), Since: toDate(t.Since), Ended: toDate(t.Ended),
		})
	}
	for _, s := range p.Memberships {
		m.Memberships = append(m.Memberships, &storev1.Membership{
			ControllerId: s.Controller, From: toDate(s.From), Until: toDate(s.Until), Reference: s.Reference, PhoneNumbers: s.Phones,
		})
	}
	return m
}

func fromStored(m *storev1.Person) (*core.Person, error) {
	number, err := nationalid.ParseCanonical(m.GetNumber(), endOfTime())
	if err != nil {
		return nil, errors.New("sealed: a stored number can't be read")
	}
	p := &core.Person{
		Number: number,
		Name: names.Name{
			Given: m.GetGivenNames(), Middle: m.GetMiddleName(), Family: m.GetFamilyName(), Addressing: m.GetAddressingName(),
		},
		Birth:         fromDate(m.GetBirthDate()),
		Death:         fromDate(m.GetDeathDate()),
		RegisterState: m.GetRegisterState(),
		RegisterTime:  m.GetRegisterTime().AsTime(),
		Source:        source(m.GetSource()),
	}
	for _, s := range m.GetEarlierNumbers() {
		n, err := nationalid.ParseCanonical(s, endOfTime())
		if err != nil {
			return nil, errors.New("sealed: a stored earlier number can't be read")
		}
		p.Earlier = append(p.Earlier, n)
	}
	if a := m.GetAddress(); a != nil {
		p.Address = &core.Address{
			CareOf: a.GetCareOf(), Lines: a.GetLines(), PostalCode: a.GetPostalCode(), City: a.GetCity(), Country: a.GetCountry(),
			ValidFrom: fromDate(a.GetValidFrom()),
		}
	}
	for _, t := range m.GetProtections() {
		p.Protections = append(p.Protections, core.Protection{
			Kind: protectionKind(t.GetKind()), Since: fromDate(t.GetSince()), Ended: fromDate(t.GetEnded()),
		})
	}
	for _, s := range m.GetMemberships() {
		p.Memberships = append(p.Memberships, core.Membership{
			Controller: s.GetControllerId(), From: fromDate(s.GetFrom()), Until: fromDate(s.GetUntil()),
			Reference: s.GetReference(), Phones: s.GetPhoneNumbers(),
		})
	}
	return p, nil
}

// protectionKind reads a kind. One that a later release wrote is unknown here, and so counts as the strongest.
func protectionKind(k storev1.ProtectionKind) core.ProtectionKind {
	if k < 0 || k > storev1.ProtectionKind_PROTECTION_KIND_AD_BLOCK {
		return core.ProtectionUnknown
	}
	return core.ProtectionKind(k)
}

func source(s vocabularyv1.Source) core.Source {
	if s < 0 || s > vocabularyv1.Source_SOURCE_POLICE_COURT {
		return core.SourceUnknown
	}
	return core.Source(s)
}

func toDate(d civil.Date) *commonv1.Date {
	if d.IsZero() {
		return nil
	}
	return &commonv1.Date{Year: int32(d.Year), Month: int32(d.Month), Day: int32(d.Day)} //nolint:gosec // a date's parts are small
}

func fromDate(d *commonv1.Date) civil.Date {
	return civil.Date{Year: int(d.GetYear()), Month: int(d.GetMonth()), Day: int(d.GetDay())}
}
