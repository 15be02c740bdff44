package sf1520

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/names"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr"
)

// Ways in which an answer contradicts the question.
var (
	errNoPerson    = errors.New("cpr sf1520: an answer without a person")
	errOtherPerson = errors.New("cpr sf1520: an answer about another number")
)

// personOf returns the person that a record tells of, and the number in force if that is another one.
func personOf(r *Record, asked nationalid.Number, now time.Time, zone *time.Location) (*core.Person, nationalid.Number, error) {
	data := r.Person
	if data == nil {
		return nil, nationalid.Number{}, errNoPerson
	}
	today := civil.Of(now.In(zone))
	if told := strings.TrimSpace(data.Number); told != "" && "DK:"+told != asked.Canonical() {
		return nil, nationalid.Number{}, errOtherPerson
	}
	state := stateOf(data.Status.Code)
	p := &core.Person{
		Number: asked,
		Name: names.Name{
			Given: strings.TrimSpace(data.Name.Given), Middle: strings.TrimSpace(data.Name.Middle),
			Family: strings.TrimSpace(data.Name.Family), Addressing: strings.TrimSpace(data.Name.Addressing),
		},
		Birth:         data.Birth.Day.In(zone),
		Death:         deathOf(data, state, zone),
		Address:       addressOf(&r.Address, state, today, zone),
		Protections:   protectionsOf(r, state, zone),
		RegisterState: state,
		RegisterTime:  now.UTC(),
		Source:        core.SourcePublicRegister,
	}
	return p, successor(data, state, asked, today), nil
}

// stateOf pads a status code to the two digits of CPR's other services.
func stateOf(code Code) string {
	if code == 0 {
		return ""
	}
	return fmt.Sprintf("%02d", code)
}

// deathOf returns the date of death: since when the person has the status dead, else the end of the number. The time of day and the
// mark of doubt are left out.
func deathOf(data *PersonData, state string, zone *time.Location) civil.Date {
	if state != cpr.StateDead {
		return civil.Date{}
	}
	if since := data.Status.Since.Day.In(zone); !since.IsZero() {
		return since
	}
	return data.Until.Day.In(zone)
}

// protectionsOf returns the protections that hold. A protected name and address together with the registration on a special road is
// taken for the strongest kind, as nothing in the answer tells a homeless person from a threatened one.
func protectionsOf(r *Record, state string, zone *time.Location) []core.Protection {
	var out []core.Protection
	add := func(kind core.ProtectionKind, p Protection) {
		out = append(out, core.Protection{Kind: kind, Since: p.From.In(zone)})
	}
	if p := r.Person.NameAddress; p.Holds() {
		add(core.ProtectionDKNameAddress, p)
		if cpr.SpecialRoad(state, int(r.Address.Current.RoadCode)) {
			add(core.ProtectionDKSpecial, p)
		}
	}
	if p := r.Person.Marketing; p.Holds() {
		add(core.ProtectionAdBlock, p)
	}
	return out
}

// successor returns the number in force if the register says that the asked one no longer is and names another.
func successor(data *PersonData, state string, asked nationalid.Number, today civil.Date) nationalid.Number {
	if !cpr.Replaced(state) {
		return nationalid.Number{}
	}
	n, err := nationalid.Parse(nationalid.Denmark, strings.TrimSpace(data.Current), today)
	if err != nil || n == asked {
		return nationalid.Number{}
	}
	return n
}
