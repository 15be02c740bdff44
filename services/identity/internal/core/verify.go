package core

import (
	"context"
	"time"

	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/names"
)

// Verdict is what came of a comparison.
type Verdict uint8

// The verdicts.
const (
	VerdictUnknown Verdict = iota // nobody known, or nothing may be said, or the register does not tell
	VerdictMatch                  // all that was said agrees
	VerdictNoMatch                // something that was said does not agree
)

// Claim is what is said about the person under a number. At least one of name and birth date is set.
type Claim struct {
	Number   RawNumber
	FullName string     // empty for none
	Birth    civil.Date // zero for none; unknown parts are not compared
}

// VerifyAnswer is a verdict and where it comes from. Source is unknown and RegisterTime zero when nothing may be said.
type VerifyAnswer struct {
	Verdict      Verdict
	Source       Source
	RegisterTime time.Time
}

// Verify says whether a claim agrees with the register. A person whom the caller must not know gives VerdictUnknown, by the same
// path as a number that nobody has. Where the caller may know the flag only, a name is not compared, since yes and no would both
// tell something of it. Errors: those of the number, ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) Verify(ctx context.Context, c Caller, claim Claim) (VerifyAnswer, error) {
	today := s.today()
	n, err := s.number(claim.Number, today)
	if err != nil {
		return VerifyAnswer{}, err
	}
	found, a, ok, err := s.byNumber(ctx, c, n, today)
	if err != nil {
		return VerifyAnswer{}, err
	}
	verdict := compare(claim, found.Person, a.disclosure == DiscloseAll)
	if !ok {
		return VerifyAnswer{}, nil
	}
	s.notes.Source(ctx, found.Person.Source, found.Person.RegisterTime)
	return VerifyAnswer{Verdict: verdict, Source: found.Person.Source, RegisterTime: found.Person.RegisterTime}, nil
}

// compare says no if anything disagrees, else unknown if anything could not be compared, else yes. The name is compared in any
// case, for the time that it takes.
func compare(claim Claim, p *Person, nameAllowed bool) Verdict {
	name, birth := VerdictMatch, VerdictMatch
	if claim.FullName != "" {
		name = compareName(claim.FullName, p.Name)
		if !nameAllowed {
			name = VerdictUnknown
		}
	}
	if !claim.Birth.IsZero() {
		birth = compareBirth(claim.Birth, p.birth())
	}
	switch {
	case name == VerdictNoMatch || birth == VerdictNoMatch:
		return VerdictNoMatch
	case name == VerdictUnknown || birth == VerdictUnknown:
		return VerdictUnknown
	default:
		return VerdictMatch
	}
}

func compareName(written string, registered names.Name) Verdict {
	match := names.Match(written, registered)
	switch {
	case registered.IsZero():
		return VerdictUnknown
	case match:
		return VerdictMatch
	default:
		return VerdictNoMatch
	}
}

// compareBirth compares the parts that were said. A part that the register does not know leaves the matter open.
func compareBirth(said, registered civil.Date) Verdict {
	verdict := VerdictMatch
	for _, part := range [][2]int{{said.Year, registered.Year}, {said.Month, registered.Month}, {said.Day, registered.Day}} {
		switch {
		case part[0] == 0 || part[0] == part[1]:
		case part[1] == 0:
			verdict = VerdictUnknown
		default:
			return VerdictNoMatch
		}
	}
	return verdict
}
