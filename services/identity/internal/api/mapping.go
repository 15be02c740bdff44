package api

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

// claimant is what VerifyIdentityRequest and BatchItem have in common.
type claimant interface {
	GetNationalId() *commonv1.NationalId
	GetFullName() string
	GetBirthDate() *commonv1.Date
}

func claim(in claimant) core.Claim {
	return core.Claim{Number: rawNumber(in.GetNationalId()), FullName: in.GetFullName(), Birth: fromDate(in.GetBirthDate())}
}

func rawNumber(in *commonv1.NationalId) core.RawNumber {
	return core.RawNumber{Country: fromCountry(in.GetCountry()), Text: in.GetValue()}
}

func fromCountry(c vocabularyv1.Country) nationalid.Country {
	switch c {
	case vocabularyv1.Country_COUNTRY_DK:
		return nationalid.Denmark
	case vocabularyv1.Country_COUNTRY_SE:
		return nationalid.Sweden
	default:
		return nationalid.CountryUnknown
	}
}

// RoleOf returns the role as the use cases tell roles apart.
func RoleOf(r vocabularyv1.Role) core.Role {
	switch r {
	case vocabularyv1.Role_ROLE_FUND:
		return core.RoleFund
	case vocabularyv1.Role_ROLE_AGENCY, vocabularyv1.Role_ROLE_AGENCY_EMPLOYMENT_SE:
		return core.RoleAgency
	default:
		return core.RoleOther
	}
}

func toVerdict(v core.Verdict) identityv1.Verdict {
	switch v {
	case core.VerdictMatch:
		return identityv1.Verdict_VERDICT_MATCH
	case core.VerdictNoMatch:
		return identityv1.Verdict_VERDICT_NO_MATCH
	default:
		return identityv1.Verdict_VERDICT_UNKNOWN
	}
}

// toLevel writes a level. One that has no name here is shown as the strongest.
func toLevel(l core.Level) identityv1.ProtectionLevel {
	switch l {
	case core.LevelNone:
		return identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE
	case core.LevelSESecrecyMark:
		return identityv1.ProtectionLevel_PROTECTION_LEVEL_SE_SECRECY_MARK
	case core.LevelSEProtectedRegistration:
		return identityv1.ProtectionLevel_PROTECTION_LEVEL_SE_PROTECTED_REGISTRATION
	case core.LevelDKNameAddress:
		return identityv1.ProtectionLevel_PROTECTION_LEVEL_DK_NAME_ADDRESS
	case core.LevelDKSpecial:
		return identityv1.ProtectionLevel_PROTECTION_LEVEL_DK_SPECIAL
	default:
		return identityv1.ProtectionLevel_PROTECTION_LEVEL_UNKNOWN
	}
}

// SourceOf returns a source in the words of the exchange.
func SourceOf(s core.Source) vocabularyv1.Source {
	switch s {
	case core.SourceMember:
		return vocabularyv1.Source_SOURCE_MEMBER
	case core.SourceEmployer:
		return vocabularyv1.Source_SOURCE_EMPLOYER
	case core.SourcePublicRegister:
		return vocabularyv1.Source_SOURCE_PUBLIC_REGISTER
	case core.SourceAuthority:
		return vocabularyv1.Source_SOURCE_AUTHORITY
	case core.SourceOtherFund:
		return vocabularyv1.Source_SOURCE_OTHER_FUND
	case core.SourceHealthcare:
		return vocabularyv1.Source_SOURCE_HEALTHCARE
	case core.SourcePoliceCourt:
		return vocabularyv1.Source_SOURCE_POLICE_COURT
	default:
		return vocabularyv1.Source_SOURCE_UNSPECIFIED
	}
}

func toAddressResponse(a core.AddressAnswer) *identityv1.GetPostalAddressResponse {
	out := &identityv1.GetPostalAddressResponse{
		Source: SourceOf(a.Source), RegisterTime: timestamppb.New(a.RegisterTime), Protection: toLevel(a.Protection),
	}
	if a.Address == nil {
		return out
	}
	out.ValidFrom = toDate(a.Address.ValidFrom)
	out.Address = &identityv1.PostalAddress{
		Addressee: a.Addressee, CareOf: a.Address.CareOf, Lines: a.Address.Lines, PostalCode: a.Address.PostalCode,
		City: a.Address.City, Country: a.Address.Country,
	}
	return out
}

func toStatusResponse(a core.StatusAnswer) *identityv1.GetProtectionStatusResponse {
	return &identityv1.GetProtectionStatusResponse{
		Level: toLevel(a.Protection), RegisterTime: timestamppb.New(a.RegisterTime), Source: SourceOf(a.Source),
	}
}

func toTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
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
