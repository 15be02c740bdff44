package core

import (
	"fmt"
	"slices"
	"strings"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/match"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/income/internal/core/swedish"
)

// Language is that of an explanation.
type Language uint8

// The languages.
const (
	Danish Language = iota
	English
)

// Step is one step of a calculation.
type Step struct {
	Row  string // of the rule's table, such as R12
	Text string
}

// teller writes steps in one language. Danish comes first everywhere.
type teller struct {
	lang  Language
	steps []Step
}

func (t *teller) say(row, da, en string, args ...any) {
	text := da
	if t.lang == English {
		text = en
	}
	t.steps = append(t.steps, Step{row, fmt.Sprintf(text, args...)})
}

// num writes hours or money as the language does: a comma in Danish.
func (t *teller) num(v fmt.Stringer) string {
	if t.lang == Danish {
		return strings.Replace(v.String(), ".", ",", 1)
	}
	return v.String()
}

// Explain tells step by step how a decision came about. § 46 is calculated again from what was kept, by the values of then, so the
// explanation can't differ from the decision unless the program's rule was changed: then it says so.
func (s *Service) Explain(d *Decision, lang Language) []Step {
	t := &teller{lang: lang}
	set := s.set(d)
	id, law := d.Kind.Rule()
	t.say("", "Afgørelsen følger %s (regel %s, værdier %s) og gælder %s.", "The decision follows %s (rule %s, values %s) and concerns %s.",
		law, id, d.Version, d.Month)
	switch d.Kind {
	case Matching:
		t.matching(set, d)
	case WaitingDay:
		t.waiting(set, d)
	case Shortening:
		t.shortening(d)
	case IncomeCondition:
		t.income(d)
	}
	t.codes(d)
	t.end(d)
	return t.steps
}

func (t *teller) matching(set *rule.Set, d *Decision) {
	if d.Matched == nil {
		return
	}
	m := d.Matched
	in := match.Input{
		Month: d.Month, Today: m.Today, Status: m.Month.Status, Rate: m.Month.Rate, Other: m.Month.Other, Card: m.Month.Card,
		Answered: m.Answered, Records: m.Records, Placement: m.Month.Placement, Ended: m.Month.Ended, Absent: m.Month.Absent, Previous: m.Previous,
	}
	r := match.Evaluate(set, &in)
	t.say("R2", "Måneden kan tidligst afstemmes %s; det skete %s.", "The month can be matched from %s on; this was done on %s.",
		match.Earliest(set, d.Month), m.Today)
	switch r.Outcome {
	case match.Invalid, match.TooEarly, match.Incomplete, match.Skipped, match.Manual:
	default:
		t.compare(set, &in, r)
	}
	if string(r.Outcome) != d.Outcome && d.Verdict == "" {
		t.say("", "Reglen er ændret siden: i dag ville resultatet være %s.", "The rule has changed since: today the result would be %s.", r.Outcome)
	}
}

func (t *teller) compare(set *rule.Set, in *match.Input, r match.Result) {
	t.say("", "Dagpengekortet viser %s timer.", "The benefit card shows %s hours.", t.num(r.Declared))
	if r.Dropped > 0 {
		t.say("R4-R5", "%d arbejdsgiver(e) er holdt ude af beregningen.", "%d employer(s) are left out of the calculation.", r.Dropped)
	}
	t.say("", "Indkomstregisteret viser %s timer.", "The income register shows %s hours.", t.num(r.Covered))
	if r.Partial {
		t.say("R7", "Registeret dækker kun en del af måneden; for resten bruges kortets timer, i alt %s.",
			"The register covers part of the month; for the rest the card's hours are used, %s in all.", t.num(r.Register))
	}
	t.say("", "Forskel: %s − %s = %s timer.", "Difference: %s − %s = %s hours.", t.num(r.Register), t.num(r.Declared), t.num(r.Diff))
	switch r.Outcome {
	case match.IncomeOnly:
		t.say("R8", "Timerne er ens, men indkomsten er ikke; en medarbejder ser på det.", "Hours agree, income does not; a person looks at it.")
	case match.NoDifference:
		t.say("R9", "Der er ingen forskel, og intet reguleres.", "There is no difference, and nothing is regulated.")
	case match.WithinRounding:
		t.say("R10", "Forskellen er højst 1 time og kan skyldes afrunding (%d indtastninger à %d minutter); intet reguleres.",
			"The difference is at most 1 hour and rounding can explain it (%d entries of %d minutes); nothing is regulated.", r.Count, in.Card.Precision)
	default:
		t.regulate(set, in, r)
	}
}

func (t *teller) regulate(set *rule.Set, in *match.Input, r match.Result) {
	norm := set.NormOf(in.Status)
	limit := norm - in.Other
	paid := func(h rule.Hours) rule.Hours { return max(0, limit-h) }
	if r.Net == 0 {
		t.say("R10b", "Der er ikke længere noget at regulere for måneden.", "There is nothing to regulate for the month any more.")
	} else {
		t.say("", "Udbetalt: %s timer (%s − %s, mindst 0). Der skulle være udbetalt %s timer. Netto: %s timer.",
			"Paid: %s hours (%s − %s, at least 0). %s hours should have been paid. Net: %s hours.",
			t.num(paid(r.Declared)), t.num(limit), t.num(r.Declared), t.num(paid(r.Register)), t.num(r.Net))
	}
	if in.Previous != 0 {
		t.say("R11", "Tidligere reguleret: %s timer. Rest: %s timer.", "Regulated before: %s hours. Remaining: %s hours.", t.num(in.Previous), t.num(r.Delta))
	}
	amount := []any{t.num(r.Hours), t.num(in.Rate), t.num(norm), t.num(r.Amount)}
	switch r.Outcome {
	case match.Recover:
		t.say("R12", "Du har fået for meget: %s timer × %s kr. / %s timer = %s kr. før skat, som modregnes i de næste udbetalinger.",
			"Too much was paid: %s hours × %s kr / %s hours = %s kr before tax, set off in the next payments.", amount...)
	case match.PayOut:
		t.say("R13", "Du har fået for lidt: %s timer × %s kr. / %s timer = %s kr. før skat, som udbetales.",
			"Too little was paid: %s hours × %s kr / %s hours = %s kr before tax, which is paid out.", amount...)
	default:
		t.say("R11", "Der er intet nyt at regulere.", "There is nothing new to regulate.")
	}
}

func (t *teller) waiting(set *rule.Set, d *Decision) {
	if d.First != 0 {
		terms := make([]string, len(d.Basis.Hours))
		for i, h := range d.Basis.Hours {
			terms[i] = t.num(h)
		}
		t.say("", "Perioden er %s til %s: %s = %s timer.", "The block is %s to %s: %s = %s hours.", d.First, d.Month, strings.Join(terms, " + "), t.num(d.Sum))
		if slices.Contains(d.Codes, rule.CodeExtended) {
			t.say("K1-K2", "Perioden er forlænget med måneder med syge- eller barselsdagpenge eller uddannelse.",
				"The block is longer by months with sickness or parental benefit or education.")
		}
		t.say("K3", "Som %s er man fri for karensdagen med mere end %s timer.", "With %s insurance more than %s hours free from the waiting day.",
			t.insurance(d.Basis.Status), t.num(d.Limit))
	}
	if d.Provision {
		t.say("K8", "Registeret er ikke komplet; kortets timer er brugt foreløbig.", "The register is not complete; the card's hours are used for the time being.")
	}
	switch d.Outcome {
	case "DEDUCT":
		t.say("K4", "Én dags dagpenge er %s timer × %s kr. / %s timer = %s kr. før skat; den trækkes i udbetalingen for %s.",
			"One day's benefit is %s hours × %s kr / %s hours = %s kr before tax; it is deducted from the payment for %s.",
			t.num(rule.Hours(set.Day.Of(d.Basis.Status))), t.num(d.Basis.Rate), t.num(set.NormOf(d.Basis.Status)), t.num(d.Amount), d.Deducted)
	case "NO_DEDUCTION":
		if slices.Contains(d.Codes, rule.CodeNoBenefit) {
			t.say("K5", "Der er ingen dagpenge i den sidste måned, og karensdagen udskydes ikke.", "There is no benefit in the last month, and the waiting day is not carried forward.")
		}
		t.say("", "Der trækkes ingen karensdag.", "No waiting day is deducted.")
	case "POSTPONED":
		t.say("K6", "Karensdagen udskydes til den første måned med dagpenge.", "The waiting day is postponed to the first month with benefit.")
	case "LAPSED":
		t.say("K7", "Den udskudte karensdag bortfalder, fordi en ny dagpengeperiode er begyndt.", "The postponed waiting day lapses because a new benefit period has begun.")
	case "REVERSED":
		t.say("K8", "Karensdagen tilbageføres med %s kr. før skat.", "The waiting day is reversed: %s kr before tax are paid back.", t.num(d.Amount))
	}
}

func (t *teller) shortening(d *Decision) {
	if d.Limit > 0 {
		t.say("S3", "Fra %s til %s er der udbetalt %s timer, som ikke er brugt før. Grænsen er %s timer for %s.",
			"From %s to %s %s hours were paid that were not used before. The threshold is %s hours with %s insurance.",
			d.First, d.Month, t.num(d.Sum), t.num(d.Limit), t.insurance(d.Basis.Status))
	}
	switch d.Outcome {
	case "SHORTEN", "SHORTEN_ACCOUNT", "APPLIED":
		t.say("S4-S5", "Perioden forkortes: %s − %s = %s timer er tilbage.", "The period is shortened: %s − %s = %s hours are left.",
			t.num(d.Left+d.Hours), t.num(d.Hours), t.num(d.Left))
	case "DEFERRED":
		t.say("S6", "Der er for lidt tilbage at forkorte; det udskydes til en ny dagpengeperiode.", "Too little is left to be shortened; it waits for a new benefit period.")
	case "LAPSED":
		t.say("S7", "Forkortelsen er bortfaldet efter 5 år.", "The shortening has lapsed after 5 years.")
	case "NONE":
		t.say("S3", "Grænsen er ikke nået; perioden forkortes ikke.", "The threshold is not reached; the period is not shortened.")
	}
}

// income tells of the Swedish condition, calculated again from the twelve months.
func (t *teller) income(d *Decision) {
	if d.Outcome == string(swedish.Incomplete) {
		t.say("", "Skattemyndigheden har ikke leveret alle 12 måneder til og med %s.", "The tax agency has not delivered all twelve months up to %s.", d.Month)
		return
	}
	r := swedish.Evaluate(d.Basis.Incomes)
	if r.Outcome == swedish.Invalid {
		return
	}
	t.say("", "De 12 måneder til og med %s giver %s kr., og i %d af dem er indkomsten høj nok (højst %d i træk).",
		"The twelve months up to %s come to %s kr, and in %d of them income is high enough (at most %d in a row).", d.Month, t.num(r.Sum), r.Months, r.Run)
	switch r.Outcome {
	case swedish.Main:
		t.say("", "Hovedreglen er opfyldt: %d dage; grundlaget er %s kr.", "The main rule is met: %d days; the benefit's base is %s kr.", r.Days, t.num(r.Base))
	case swedish.Alternative:
		t.say("", "Den alternative regel er opfyldt: %d dage; grundlaget er %s kr.", "The alternative rule is met: %d days; the benefit's base is %s kr.",
			r.Days, t.num(r.Base))
	default:
		t.say("", "Ingen af reglerne er opfyldt.", "Neither rule is met.")
	}
}

// insurance names the status.
func (t *teller) insurance(s rule.Status) string {
	switch {
	case s == rule.PartTime && t.lang == Danish:
		return "deltidsforsikret"
	case s == rule.PartTime:
		return "part-time"
	case t.lang == Danish:
		return "fuldtidsforsikret"
	default:
		return "full-time"
	}
}

func (t *teller) codes(d *Decision) {
	list := func(codes []rule.Code) string {
		out := make([]string, len(codes))
		for i, c := range codes {
			out[i] = string(c)
		}
		return strings.Join(out, ", ")
	}
	if len(d.Codes) > 0 {
		t.say("", "Årsager: %s.", "Reasons: %s.", list(d.Codes))
	}
	if len(d.Against) > 0 {
		t.say("", "Afgøres ikke automatisk: %s.", "Not decided automatically: %s.", list(d.Against))
	}
}

func (t *teller) end(d *Decision) {
	switch d.State {
	case Noticed:
		t.say("", "Du har en uge fra modtagelsen til at svare. Svarer du ikke, træffes afgørelsen automatisk.",
			"There is a week from receipt to answer. Without an answer the decision is made automatically.")
	case DecidedAuto:
		t.say("", "Afgørelsen er truffet automatisk. Du kan altid bede om, at en medarbejder ser på den.", "The decision was made automatically. A review by a person can be asked for at any time.")
	case DecidedHuman, Withdrawn, Forwarded:
		t.say("", "Afgørelsen er truffet af en medarbejder.", "The decision was made by a person.")
	default:
	}
}

// Guidance tells the member in Danish how and until when to complain; "" while nothing is decided.
func (s *Service) Guidance(d *Decision) string {
	until := s.ComplaintUntil(d)
	if until == 0 {
		return ""
	}
	y, m, day := until.YMD()
	text := fmt.Sprintf("Du kan klage til a-kassen senest den %d. %s %d. Din klage behandles af en medarbejder, som ikke har truffet afgørelsen. "+
		"Får du ikke fuldt medhold, sender a-kassen klagen videre til Center for Klager om Arbejdsløshedsforsikring. "+ //nolint:misspell // Danish
		"Afgørelsen gælder, mens klagen behandles.", day, danishMonth(m), y)
	if d.Automatic() {
		text += " Afgørelsen er truffet automatisk, og du kan til enhver tid bede om, at en medarbejder gennemgår den."
	}
	return text
}

func danishMonth(m int) string {
	return [...]string{"", "januar", "februar", "marts", "april", "maj", "juni", "juli", "august", "september", "oktober", "november", "december"}[m]
}

// ComplaintUntil is the last day for a complaint; 0 while nothing is decided.
func (s *Service) ComplaintUntil(d *Decision) civil.Date { return d.ComplaintUntil(s.set(d), s.d.Zone) }
