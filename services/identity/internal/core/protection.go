package core

import (
	"samvirke.dev/services/identity/internal/core/civil"
)

// ProtectionKind is a kind of protection in the words of its register.
type ProtectionKind uint8

// The kinds. Whatever is none of these counts as the strongest.
const (
	ProtectionUnknown ProtectionKind = iota
	ProtectionSESecrecyMark
	ProtectionSEProtectedRegistration
	ProtectionDKNameAddress
	ProtectionDKSpecial
	ProtectionAdBlock // a block on marketing: it hides nothing
)

// Protection is one protection. It ends by an event of the register and never by our own arithmetic (domain rule B.10, 5): a
// Danish one normally runs for a year, but may have been prolonged without our knowing.
type Protection struct {
	Kind  ProtectionKind
	Since civil.Date
	Ended civil.Date // when the register said that it ended; zero while it holds
}

// Level is how a person is protected. A greater level is a stronger one.
type Level uint8

// The levels.
const (
	LevelNone Level = iota
	LevelSESecrecyMark
	LevelDKNameAddress
	LevelSEProtectedRegistration
	LevelDKSpecial
	LevelUnknown // nobody knows how, so as strongly as can be
)

// level returns what the protection amounts to today. One that begins later counts already; one whose end is not certainly past
// still does.
func (p Protection) level(today civil.Date) Level {
	if !p.Ended.IsZero() && p.Ended.CertainlyNotAfter(today) {
		return LevelNone
	}
	switch p.Kind {
	case ProtectionAdBlock:
		return LevelNone
	case ProtectionSESecrecyMark:
		return LevelSESecrecyMark
	case ProtectionDKNameAddress:
		return LevelDKNameAddress
	case ProtectionSEProtectedRegistration:
		return LevelSEProtectedRegistration
	case ProtectionDKSpecial:
		return LevelDKSpecial
	default:
		return LevelUnknown
	}
}

// Disclosure is how much a caller may learn about a person. A smaller one tells less.
type Disclosure uint8

// The disclosures.
const (
	DiscloseNothing Disclosure = iota // the person looks unknown
	DiscloseFlag                      // that there is such a person, and the flag; a human handles the case
	DiscloseAll                       // name and address as well
)

// access is what a caller may learn about one person, and why not more.
type access struct {
	level      Level // strongest protection
	disclosure Disclosure
}

// rule is one cell of the table of domain rule B.10.
type rule uint8

const (
	nothing       rule = iota // looks unknown
	flag                      // flag only
	ifNeedStated              // name and address when law and case are named, else flag only
	ifLawAllows               // name and address when the law named is on the list, else flag only
	allDisclosed              // everything
	levels        = int(LevelUnknown) + 1
	relationships = int(ownFundSE) + 1
)

// protectionTable is domain rule B.10 for what the store knows: one row for each relationship of the caller to the person, one
// column for each level. Cells that the rule leaves empty, such as a Swedish fund's member with a Danish protection, take the
// strictest of their row. A fund that is not the person's own gets the flag whether or not a transfer is under way: the flag is
// what makes it handle the case by hand.
func protectionTable() [relationships][levels]rule {
	return [relationships][levels]rule{
		//           none          SE mark  DK name+addr   SE prot.  DK special  unknown
		stranger:  {allDisclosed, nothing, nothing, nothing, nothing, nothing},
		agency:    {allDisclosed, flag, ifLawAllows, flag, flag, flag},
		otherFund: {allDisclosed, flag, flag, flag, flag, flag},
		ownFundDK: {allDisclosed, flag, ifNeedStated, flag, flag, flag},
		ownFundSE: {allDisclosed, flag, flag, flag, flag, flag},
	}
}

// accessOf applies the table to each protection of the person and takes the least.
func (s *Service) accessOf(caller Caller, p *Person, today civil.Date) access {
	row := protectionTable()[caller.relationshipTo(p, today)]
	a := access{disclosure: s.decide(row[LevelNone], caller)}
	for _, protection := range p.Protections {
		level := protection.level(today)
		a.level = max(a.level, level)
		a.disclosure = min(a.disclosure, s.decide(row[level], caller))
	}
	return a
}

func (s *Service) decide(r rule, caller Caller) Disclosure {
	switch r {
	case allDisclosed:
		return DiscloseAll
	case flag:
		return DiscloseFlag
	case ifNeedStated:
		if caller.LegalReference != "" && caller.CaseReference != "" {
			return DiscloseAll
		}
		return DiscloseFlag
	case ifLawAllows:
		if _, ok := s.protectedAddressLaws[caller.LegalReference]; ok {
			return DiscloseAll
		}
		return DiscloseFlag
	default:
		return DiscloseNothing
	}
}
