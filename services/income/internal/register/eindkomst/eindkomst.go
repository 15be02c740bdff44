// Package eindkomst asks eIndkomst, the Danish income register, what employers reported about members: SKAT's own service
// IndkomstOplysningPersonHent over SOAP 1.1, with a signed body (package wssec) or mutual TLS alone.
//
// # What is asked
//
// Several persons at once, each with the reference of the case for SKAT's log (REG-03), over one month: by pay period (any overlap) or by
// basis month, the month to which the income belongs for tax.
//
// # What becomes of an answer
//
// eIndkomst tells raw reports and no totals; also those that were taken back. Each report is read from its three sheets wherever they
// are nested: 11000 (kind of income, basis month, reversal, correction, time of the report), 16000 (kind of benefit, reversal mark) and 16001
// (figures). Hours are field 096, with no field 200: that is a flag, "no relation between pay and hours". Income is 057 + 058, A-income
// with and without labour-market contribution. Field numbers are read with fifteen digits, as registers.md has them, and with eighteen,
// as SKAT's demo system was seen to write them.
//
// Then they are netted (net.go), since nothing else can tell that a report was taken back whole: person, employer, employee number, pay
// period and kind of income make a group, and a group becomes one record. A group in which a reversal leaves neither hours nor
// income is gone, as if nobody had reported. What is left negative is passed on, for the rules to refuse.
//
// A pay period may reach out of the month; a record tells the whole period and all of its hours.
//
// # What is no answer
//
// Whatever can't be read for sure: an answer to another transaction, about somebody who was not asked for, a report without period,
// employer or kind of income, figures that are none, a reversal with the wrong sign. Where it concerns one person, the others are
// answered. A SOAP fault, an HTTP error and a broken connection are no answer either. SKAT's own errors (FejlStruktur) are refusals;
// their codes are not published, so configuration says which of them mean that fewer persons should be asked for at once.
//
// No error of this package holds anything personal: of an error of SKAT it repeats the code, if it looks like one, and never a text.
//
// Sources: the service's WSDL and XSD (SKAT, TIN generation); field lists in public client code; one published exchange with SKAT's
// demo system.
package eindkomst

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/metric"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/resilience"
)

// Action is the SOAP action of the operation.
const Action = "getIndkomstOplysningPersonHent"

// Name is the register's in spans, logs and metrics.
const Name = "eIndkomst"

// Caller sends one SOAP request and reads its answer, as soap.Client does.
type Caller interface {
	// Call sends the body under the SOAP action and decodes the body of the answer.
	Call(ctx context.Context, action string, body, answer any) error
}

// Subscription says on which agreement we ask. SKAT assigns the codes.
type Subscription struct {
	AbonnentType   string // AbonnentTypeKode, digits
	AbonnementType string // AbonnementTypeKode, digits
	Formaal        string // AdgangFormaalTypeKode, digits: for which purpose
	SENumber       string // 8 digits: the subscriber
	Employee       string // who asks, as SKAT logs it: a pseudonym or a system's name; empty to leave it out
}

// Search is by what a month is asked for.
type Search string

// The ways to search.
const (
	ByPayPeriod  Search = "pay_period"  // reports whose pay period lies in the month, wholly or in part
	ByBasisMonth Search = "basis_month" // reports that belong to the month for tax
)

// Reversals is how a report that takes another back (Indberetningsart T, or the mark on sheet 16000) writes its figures. SKAT's
// convention is to be confirmed in its demo system; the wrong one is noticed and is no answer.
type Reversals string

// The conventions.
const (
	ReversalsNegative Reversals = "negative" // figures below zero, to be added
	ReversalsPositive Reversals = "positive" // figures above zero, to be subtracted
)

// Limits of a request.
const (
	DefaultBatch = 50
	MaxBatch     = 500
	maxReference = 100 // characters of a case reference
)

// Deps are what the register needs. Required: Caller, Subscription, Numbers, Clock, Guard, Logger, Meter.
type Deps struct {
	Caller       Caller
	Subscription Subscription
	// Controllers are the subscriptions of single controllers, by id such as `DK:12345678`, whole.
	Controllers map[string]Subscription
	Search      Search    // ByPayPeriod when empty
	Reversals   Reversals // ReversalsNegative when empty
	// Pay are the kinds of income (Indkomsttype) that count; DefaultPay when empty.
	Pay []int
	// Divide are codes of SKAT's errors upon which a batch is asked for again in halves, such as that of too large an answer.
	Divide []string
	Batch  int // most persons in one request; DefaultBatch when 0
	// Numbers gives the national number of a member.
	Numbers core.Numbers
	Clock   clock.Clock
	Guard   resilience.Config
	Logger  *slog.Logger
	Meter   metric.Meter
}

// DefaultPay are the kinds of income that stand for paid work: 00 pay, 03 Greenland, 08 researchers' scheme, 30 pay under special
// circumstances. Benefits of any kind are none: the fund's own would be matched with itself.
func DefaultPay() []int { return []int{0, 3, 8, 30} }

// Register is eIndkomst; it implements core.Register. It is safe for concurrent use if its Caller is.
type Register struct {
	d     Deps
	pay   map[int]bool
	zone  *time.Location // in which SKAT writes moments
	guard *resilience.Guard
}

// New returns the register, or an error that names everything that is missing or would break the service's schema.
func New(d Deps) (*Register, error) {
	if d.Search == "" {
		d.Search = ByPayPeriod
	}
	if d.Reversals == "" {
		d.Reversals = ReversalsNegative
	}
	if d.Batch == 0 {
		d.Batch = DefaultBatch
	}
	if len(d.Pay) == 0 {
		d.Pay = DefaultPay()
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	guard, err := resilience.New(d.Guard, resilience.Deps{
		Name: Name, Logger: d.Logger, Meter: d.Meter,
		Failure: func(err error) bool { return errors.Is(err, core.ErrRegisterUnavailable) },
	})
	if err != nil {
		return nil, fmt.Errorf("eindkomst: %w", err)
	}
	zone, err := time.LoadLocation("Europe/Copenhagen")
	if err != nil {
		return nil, fmt.Errorf("eindkomst: %w", err)
	}
	r := &Register{d: d, pay: map[int]bool{}, zone: zone, guard: guard}
	for _, kind := range d.Pay {
		r.pay[kind] = true
	}
	return r, nil
}

func (d *Deps) check() error {
	var bad []error
	need := func(ok bool, what string) {
		if !ok {
			bad = append(bad, errors.New("eindkomst: "+what))
		}
	}
	need(d.Caller != nil, "no caller")
	need(d.Numbers != nil, "no numbers")
	need(d.Clock != nil, "no clock")
	need(d.Logger != nil && d.Meter != nil, "no logger or no meter")
	need(d.Search == ByPayPeriod || d.Search == ByBasisMonth, "search: want pay_period or basis_month")
	need(d.Reversals == ReversalsNegative || d.Reversals == ReversalsPositive, "reversals: want negative or positive")
	need(d.Batch > 0 && d.Batch <= MaxBatch, "batch: want 1 to "+strconv.Itoa(MaxBatch))
	for _, kind := range d.Pay {
		need(kind >= 0 && kind <= 99, "pay: want kinds of income from 0 to 99")
	}
	if err := d.Subscription.check(); err != nil {
		bad = append(bad, fmt.Errorf("eindkomst: subscription: %w", err))
	}
	for id, s := range d.Controllers {
		if err := s.check(); err != nil {
			bad = append(bad, fmt.Errorf("eindkomst: subscription of %s: %w", id, err))
		}
	}
	return errors.Join(bad...)
}

// check reports what the schema or SKAT would not accept.
func (s Subscription) check() error {
	var bad []error
	for _, f := range []struct{ name, value string }{
		{"AbonnentTypeKode", s.AbonnentType}, {"AbonnementTypeKode", s.AbonnementType}, {"AdgangFormaalTypeKode", s.Formaal},
	} {
		if !digits(f.value, 1, 9) {
			bad = append(bad, fmt.Errorf("%s: want a number", f.name))
		}
	}
	if !digits(s.SENumber, 8, 8) {
		bad = append(bad, errors.New("SE number: want 8 digits"))
	}
	if len(s.Employee) > maxReference {
		bad = append(bad, fmt.Errorf("employee: want at most %d characters", maxReference))
	}
	return errors.Join(bad...)
}

// digits reports whether s is so many digits.
func digits(s string, least, most int) bool {
	return len(s) >= least && len(s) <= most && strings.Trim(s, "0123456789") == ""
}

// Result is what came of one question.
type Result struct {
	Answer facts.Answer
	Err    error
}

// Month implements core.Register: a batch of one.
func (r *Register) Month(ctx context.Context, q core.Question) (facts.Answer, error) {
	res := r.Months(ctx, []core.Question{q})[0]
	return res.Answer, res.Err
}

// Months asks for several members, in batches of those of one controller and month, and returns a result for each question in its place.
// Two questions about the same person are answered alike.
func (r *Register) Months(ctx context.Context, questions []core.Question) []Result {
	results := make([]Result, len(questions))
	type key struct {
		controller string
		month      civil.Month
	}
	batches := map[key][]asked{}
	flush := func(k key) {
		r.ask(ctx, k.controller, k.month, batches[k], results)
		batches[k] = nil
	}
	for i, q := range questions {
		number, err := r.number(ctx, q)
		if err != nil {
			results[i].Err = err
			continue
		}
		k := key{q.Controller, q.Month}
		batches[k] = append(batches[k], asked{at: i, number: number, reference: q.CaseReference})
		if len(batches[k]) == r.d.Batch {
			flush(k)
		}
	}
	for k := range batches {
		if len(batches[k]) > 0 {
			flush(k)
		}
	}
	return results
}

// asked is one question of a batch.
type asked struct {
	at        int    // its place among the questions
	number    string // ten digits
	reference string
}

// number returns the ten digits of the member.
func (r *Register) number(ctx context.Context, q core.Question) (string, error) {
	canonical, err := r.d.Numbers.Number(ctx, q.Controller, q.Handle)
	if err != nil {
		return "", fmt.Errorf("eindkomst: %w", err)
	}
	number, danish := strings.CutPrefix(canonical, "DK:")
	switch {
	case !danish || !digits(number, 10, 10):
		return "", fmt.Errorf("eindkomst: not a CPR number: %w", core.ErrRegisterRefused)
	case len(q.CaseReference) > maxReference:
		return "", fmt.Errorf("eindkomst: case reference: more than %d characters: %w", maxReference, core.ErrRegisterRefused)
	case q.Month < 1:
		return "", fmt.Errorf("eindkomst: no month: %w", core.ErrRegisterRefused)
	}
	return number, nil
}

// ask sends one batch, and again in halves where that may help.
func (r *Register) ask(ctx context.Context, controller string, month civil.Month, batch []asked, results []Result) {
	got, err := resilience.Do(ctx, r.guard, func(ctx context.Context) (*reading, error) {
		return r.call(ctx, controller, month, batch)
	})
	switch {
	case err == nil:
		for _, a := range batch {
			results[a.at] = r.result(got, a.number)
		}
	case len(batch) > 1 && errors.Is(err, errDivide):
		half := len(batch) / 2
		r.ask(ctx, controller, month, batch[:half], results)
		r.ask(ctx, controller, month, batch[half:], results)
	default:
		for _, a := range batch {
			results[a.at].Err = notAsked(err)
		}
	}
}

// notAsked says in the core's words that the guard gave up.
func notAsked(err error) error {
	if errors.Is(err, resilience.ErrOpen) || errors.Is(err, resilience.ErrFull) || errors.Is(err, resilience.ErrTimeout) {
		return fmt.Errorf("%w: %w", core.ErrRegisterUnavailable, err)
	}
	return err
}

// result nets what was read about one person.
func (r *Register) result(got *reading, number string) Result {
	if err := got.bad[number]; err != nil {
		return Result{Err: fmt.Errorf("%w: %w", core.ErrRegisterUnavailable, err)}
	}
	records, err := r.net(got.reports[number])
	if err != nil {
		return Result{Err: fmt.Errorf("%w: %w", core.ErrRegisterUnavailable, err)}
	}
	return Result{Answer: facts.Answer{Records: records, Retrieved: got.at, Reference: got.transaction}}
}

var _ core.Register = (*Register)(nil)
