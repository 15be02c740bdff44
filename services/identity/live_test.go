package identity_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/identity"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/names"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/importer"
	"samvirke.dev/services/identity/synthetic"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/platform/suitetest"
)

// register is a population register in memory.
type register struct {
	mu      sync.Mutex
	clock   clock.Clock
	persons map[string]core.Person // by canonical number
	fail    error
	asked   int
	last    core.Inquiry
	gate    func() // if set, each question goes through it
}

func newRegister(c clock.Clock) *register {
	return &register{clock: c, persons: map[string]core.Person{}}
}

// Lookup implements core.Register.
func (r *register) Lookup(ctx context.Context, ask core.Inquiry) (*core.Person, error) {
	if r.gate != nil {
		r.gate()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	r.last = ask
	if r.fail != nil {
		return nil, fmt.Errorf("register: %w", r.fail)
	}
	p, ok := r.persons[ask.Number.Canonical()]
	if !ok {
		return nil, core.ErrNotFound
	}
	p.RegisterTime = r.clock.Now()
	p.Earlier = slices.Clone(p.Earlier)
	return &p, ctx.Err()
}

func (r *register) put(t testing.TB, number string, edit func(p *core.Person)) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.persons[number]
	if !ok {
		n, err := nationalid.ParseCanonical(number, civil.Date{Year: 2100, Month: 1, Day: 1})
		must(t, err)
		p = core.Person{
			Number: n, Name: names.Name{Given: "Åse Maria", Family: "Sörensen-Æbelø"}, Birth: n.BirthDate(), Source: core.SourcePublicRegister,
			Address: &core.Address{Lines: []string{"Provgatan 1"}, PostalCode: "00000", City: "Provstad", Country: "SE"},
		}
	}
	if edit != nil {
		edit(&p)
	}
	r.persons[number] = p
}

func (r *register) fails(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = err
}

func (r *register) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// live starts the service with a register for each country and an empty store, on SQLite or PostgreSQL.
func live(t *testing.T, edits ...edit) (w *world, se, dk *register, now *shifted) {
	t.Helper()
	now = &shifted{}
	se, dk = newRegister(now), newRegister(now)
	edits = append(edits, func(o *suitetest.Options, _ *identity.Config) { o.Clock = now })
	w = startLive(t, map[nationalid.Country]core.Register{nationalid.Sweden: se, nationalid.Denmark: dk}, edits...)
	w.parts.SetFresh(nationalid.Sweden, true)
	w.parts.SetFresh(nationalid.Denmark, true)
	return w, se, dk, now
}

// synthSE and synthDK are the canonical numbers of synthetic persons of one country.
func synthSE(i int) string { return synth("SE", i) }
func synthDK(i int) string { return synth("DK", i) }

func synth(country string, i int) string {
	for g := synthetic.NewGenerator(); ; {
		if m := g.Next(); m.Country == country {
			if i--; i < 0 {
				return m.Number
			}
		}
	}
}

// memberOf is a synthetic person by number.
func memberOf(number string) synthetic.Member {
	for g := synthetic.NewGenerator(); ; {
		if m := g.Next(); m.Number == number {
			return m
		}
	}
}

// birthOf is the birth date of a synthetic person.
func birthOf(number string) string { return memberOf(number).Birth.Format(time.DateOnly) }

func (w *world) today() string { return w.clock.Now().Format(time.DateOnly) }

// pass lets time go by; Vault confirms the keys meanwhile.
func (w *world) pass(now *shifted, d time.Duration) {
	w.t.Helper()
	now.Advance(d)
	must(w.t, w.Keys.Refresh(w.t.Context()))
}

// poll fetches everybody who is due.
func (w *world) poll(t testing.TB, country nationalid.Country) core.Polled {
	t.Helper()
	done, err := w.parts.Service().Poll(t.Context(), country, core.Polling{
		Every: time.Hour, Retry: time.Minute, Batch: 1000, Workers: 2, EndUser: "samvirke",
	})
	must(t, err)
	return done
}

// Whom nobody follows is asked for in the register every time, and only the number is kept.
//
// covers: REG-01 REG-02
func TestLiveLookup(t *testing.T) {
	t.Parallel()
	w, se, dk, _ := live(t)
	swede, dane := synthSE(1), synthDK(1)
	se.put(t, swede, nil)
	dk.put(t, dane, nil)
	for canonical, org := range map[string]string{swede: fundSE, dane: fundDK} {
		c := w.as(org)
		handle := c.handle(canonical)
		if again := c.handle(canonical); again != handle {
			t.Errorf("handles %s and %s of one person", handle, again)
		}
		out, err := c.rpc.VerifyIdentity(t.Context(), &identityv1.VerifyIdentityRequest{
			Context: c.why(verify), NationalId: number(canonical), FullName: "Aase Soerensen Aebeloe",
		})
		must(t, err)
		if out.GetVerdict() != identityv1.Verdict_VERDICT_MATCH || out.GetSource() != vocabularyv1.Source_SOURCE_PUBLIC_REGISTER ||
			w.clock.Now().Sub(out.GetRegisterTime().AsTime()) > time.Minute {
			t.Errorf("verified: %v", out)
		}
		got, err := c.address(handle)
		must(t, err)
		if got.GetAddress().GetCity() != "Provstad" || got.GetSource() != vocabularyv1.Source_SOURCE_PUBLIC_REGISTER {
			t.Errorf("address: %v", got)
		}
	}
	if se.count() != 4 || dk.count() != 4 {
		t.Errorf("asked %d and %d times, want each look-up to ask its own register once", se.count(), dk.count())
	}
	if se.last.Controller != fundSE || se.last.EndUser != "emp-7" {
		t.Errorf("asked as %s for %s", se.last.EndUser, se.last.Controller)
	}
	if _, err := w.as(fundSE).resolve(synthSE(2)); refusalOf(err).reason != "SUBJECT_NOT_FOUND" {
		t.Errorf("nobody: %v", err)
	}
}

// Without the register nothing is said of a number, known here or not; a person behind a handle counts as protected.
//
// covers: REG-01
func TestRegisterUnreachable(t *testing.T) {
	t.Parallel()
	for _, fault := range []error{core.ErrRegisterUnavailable, core.ErrRegisterRefused, core.ErrRegisterTooMany} {
		w, se, dk, _ := live(t)
		known := synthSE(1)
		se.put(t, known, nil)
		c := w.as(fundSE)
		handle := c.handle(known)
		se.fails(fault)
		for _, number := range []string{known, synthSE(2)} {
			_, err := c.resolve(number)
			want(t, err, codes.Unavailable, "REGISTER_UNAVAILABLE")
			_, err = c.verify(number, "Åse", "")
			want(t, err, codes.Unavailable, "REGISTER_UNAVAILABLE")
		}
		got, err := c.address(handle)
		if err != nil || got.GetAddress() != nil || got.GetProtection() != identityv1.ProtectionLevel_PROTECTION_LEVEL_UNKNOWN {
			t.Errorf("address: %v, %v", got, err)
		}
		if l, err := c.level(handle); err != nil || l != identityv1.ProtectionLevel_PROTECTION_LEVEL_UNKNOWN {
			t.Errorf("level: %v, %v", l, err)
		}
		dk.put(t, synthDK(1), nil)
		w.as(fundDK).handle(synthDK(1)) // the other register is none the worse
	}
}

// A subscription opens on the day on which the membership takes effect and not before, and closes with it.
//
// covers: SEK-26
func TestSubscriptionEdges(t *testing.T) {
	t.Parallel()
	w, se, _, now := live(t)
	number := synthSE(1)
	se.put(t, number, nil)
	c := w.as(fundSE)
	handle := c.handle(number)
	tomorrow := now.Now().Add(24 * time.Hour).Format(time.DateOnly)
	_, err := c.open(handle, "m-1", tomorrow)
	want(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION")
	if got, _ := c.told("", 0); len(got) != 0 {
		t.Errorf("told before anything was opened: %v", got)
	}
	w.pass(now, 24*time.Hour)
	c.subscribe(handle, "m-1", tomorrow)
	c.subscribe(handle, "m-1", tomorrow) // again: nothing happens
	if done := w.poll(t, nationalid.Sweden); done.Asked != 1 || done.Changed != 1 {
		t.Errorf("polled: %+v", done)
	}
	got, token := c.told("", 2)
	kinds(t, got, identityv1.AddressChangeKind_ADDRESS_CHANGE_KIND_OPENED, identityv1.AddressChangeKind_ADDRESS_CHANGE_KIND_ADDRESS)
	if got[1].GetHandle() != handle || got[1].GetAddress().GetCity() != "Provstad" {
		t.Errorf("told %v", got)
	}
	// The last day still counts.
	must(t, c.close(handle, "m-1", tomorrow))
	se.put(t, number, func(p *core.Person) { p.Address = &core.Address{City: "Nystad"} })
	w.pass(now, 2*time.Hour) // due again, the same day unless the test runs around midnight
	if w.today() == tomorrow {
		w.poll(t, nationalid.Sweden)
		if got, token = c.told(token, 1); got[0].GetAddress().GetCity() != "Nystad" {
			t.Errorf("on the last day: %v", got)
		}
	}
	w.pass(now, 24*time.Hour)
	se.put(t, number, func(p *core.Person) { p.Address = &core.Address{City: "Senstad"} })
	w.poll(t, nationalid.Sweden)
	if n, err := w.parts.Service().EndMemberships(t.Context()); n != 1 || err != nil {
		t.Errorf("ended %d, %v", n, err)
	}
	got, _ = c.told(token, 1)
	kinds(t, got, identityv1.AddressChangeKind_ADDRESS_CHANGE_KIND_CLOSED)
	if got[0].GetAddress() != nil {
		t.Errorf("told an address after the end: %v", got)
	}
	asked := se.count()
	w.poll(t, nationalid.Sweden) // takes leave
	if done := w.poll(t, nationalid.Sweden); done.Asked != 0 || se.count() != asked {
		t.Errorf("still followed: %+v", done)
	}
	_, err = c.open(handle, "m-1", tomorrow)
	want(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION")
	want(t, c.close(handle, "m-9", tomorrow), codes.NotFound, "SUBJECT_NOT_FOUND")
	want(t, w.as(otherFund).close(handle, "m-1", tomorrow), codes.NotFound, "SUBJECT_NOT_FOUND")
}

func kinds(t testing.TB, got []*identityv1.AddressChange, want ...identityv1.AddressChangeKind) {
	t.Helper()
	var have []identityv1.AddressChangeKind
	for _, c := range got {
		have = append(have, c.GetKind())
	}
	if !slices.Equal(have, want) {
		t.Fatalf("told %v, want %v", have, want)
	}
}

// A followed person is answered from the local copy while it is fresh. When a protection is set the copy is purged, the fund is told to
// stop, and no address goes out until the register ends it.
//
// covers: SEK-26 MIN-12
func TestFollowedPerson(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		w, se, _, now := live(t, on(db))
		number := synthSE(1)
		se.put(t, number, nil)
		c := w.as(fundSE)
		handle := c.handle(number)
		c.subscribe(handle, "m-1", w.today(), "+46700000001")
		w.poll(t, nationalid.Sweden)
		asked := se.count()
		if got, err := c.address(handle); err != nil || got.GetAddress().GetCity() != "Provstad" || se.count() != asked {
			t.Errorf("from the local copy: %v, %v, asked %d times", got, err, se.count()-asked)
		}
		for _, how := range [][3]string{{"Soerensen aase", "", ""}, {"", birthOf(number), ""}, {"", "", "+46700000001"}, {"Maria", birthOf(number), "+46700000001"}} {
			if got := c.find(how[0], how[1], how[2]); !slices.Equal(got, []string{handle}) {
				t.Errorf("search %v found %v", how, got)
			}
			if got := w.as(fundDK).find(how[0], how[1], how[2]); len(got) != 0 {
				t.Errorf("another fund's search %v found %v", how, got)
			}
		}
		if got := c.find("Maria", "1901-01-01", ""); len(got) != 0 {
			t.Errorf("found by a wrong birth date: %v", got)
		}
		_, token := c.told("", 2)

		se.put(t, number, func(p *core.Person) {
			p.Protections, p.Name, p.Address = []core.Protection{{Kind: core.ProtectionSESecrecyMark}}, names.Name{}, nil
		})
		w.pass(now, 2*time.Hour)
		w.poll(t, nationalid.Sweden)
		got, token := c.told(token, 1)
		kinds(t, got, identityv1.AddressChangeKind_ADDRESS_CHANGE_KIND_PROTECTION_SET)
		if got[0].GetAddress() != nil || got[0].GetProtection() != identityv1.ProtectionLevel_PROTECTION_LEVEL_SE_SECRECY_MARK {
			t.Errorf("told %v", got)
		}
		if found := c.find("Maria", "", ""); len(found) != 0 {
			t.Errorf("a protected person was found: %v", found)
		}
		if again, _ := c.told("", 3); again[1].GetAddress() != nil {
			t.Errorf("an old change still tells the address: %v", again)
		}
		se.fails(core.ErrRegisterUnavailable)
		if got, err := c.address(handle); err != nil || got.GetAddress() != nil {
			t.Errorf("protected and no register: %v, %v", got, err)
		}
		se.fails(nil)
		se.put(t, number, func(p *core.Person) {
			p.Protections, p.Name, p.Address = nil, names.Name{Given: "Åse"}, &core.Address{City: "Nystad"}
		})
		w.pass(now, 2*time.Hour)
		w.poll(t, nationalid.Sweden)
		got, token = c.told(token, 1)
		kinds(t, got, identityv1.AddressChangeKind_ADDRESS_CHANGE_KIND_PROTECTION_CLEARED)
		if got[0].GetAddress().GetCity() != "Nystad" {
			t.Errorf("told %v", got)
		}
		// Stale copies are not trusted.
		w.parts.SetFresh(nationalid.Sweden, false)
		asked = se.count()
		if _, err := c.address(handle); err != nil || se.count() != asked+1 {
			t.Errorf("a stale copy was answered: %v", err)
		}
		_ = token
	})
}

// A number that changed is followed to the one in force; the handle stays.
func TestNumberChange(t *testing.T) {
	t.Parallel()
	w, _, dk, now := live(t)
	old, fresh := synthDK(1), synthDK(2)
	dk.put(t, old, nil)
	c := w.as(fundDK)
	handle := c.handle(old)
	c.subscribe(handle, "m-1", w.today())
	w.poll(t, nationalid.Denmark)
	_, token := c.told("", 2)
	dk.put(t, old, func(p *core.Person) {
		n, err := nationalid.ParseCanonical(fresh, civil.Date{Year: 2100, Month: 1, Day: 1})
		must(t, err)
		p.Earlier, p.Number = []nationalid.Number{p.Number}, n
	})
	dk.put(t, fresh, nil)
	w.pass(now, 2*time.Hour)
	w.poll(t, nationalid.Denmark)
	got, _ := c.told(token, 1)
	kinds(t, got, identityv1.AddressChangeKind_ADDRESS_CHANGE_KIND_NUMBER)
	for _, number := range []string{old, fresh} {
		if h := c.handle(number); h != handle {
			t.Errorf("%s is %s now, was %s", number, h, handle)
		}
	}
}

// A register that gives no answer is asked again later and later; the others go on.
func TestPollBacksOff(t *testing.T) {
	t.Parallel()
	w, se, _, now := live(t)
	for i := range 5 {
		se.put(t, synthSE(i), nil)
		c := w.as(fundSE)
		c.subscribe(c.handle(synthSE(i)), "m-1", w.today())
	}
	se.fails(core.ErrRegisterUnavailable)
	if done := w.poll(t, nationalid.Sweden); done.Asked != 5 || done.Failed != 5 || !done.Unavailable {
		t.Errorf("polled %+v", done)
	}
	if done := w.poll(t, nationalid.Sweden); done.Asked != 0 {
		t.Errorf("asked again at once: %+v", done)
	}
	w.pass(now, time.Minute)
	if done := w.poll(t, nationalid.Sweden); done.Failed != 5 {
		t.Errorf("after a minute: %+v", done)
	}
	se.fails(nil)
	w.pass(now, time.Minute)
	if done := w.poll(t, nationalid.Sweden); done.Asked != 0 {
		t.Errorf("the second wait is no longer than the first: %+v", done)
	}
	w.pass(now, time.Minute)
	if done := w.poll(t, nationalid.Sweden); done.Changed != 5 {
		t.Errorf("back again: %+v", done)
	}
}

// What is older by register time than the copy changes nothing, but may tell of something that the copy lacks: the person is fetched again
// at once.
func TestOlderUpdate(t *testing.T) {
	t.Parallel()
	w, se, _, _ := live(t)
	swede := synthSE(1)
	se.put(t, swede, nil)
	c := w.as(fundSE)
	c.subscribe(c.handle(swede), "m-1", w.today())
	w.poll(t, nationalid.Sweden)
	_, token := c.told("", 2)
	se.put(t, swede, func(p *core.Person) { p.Address = &core.Address{City: "Nystad"} })
	older := se.persons[swede]
	older.RegisterTime = w.clock.Now().Add(-time.Hour)
	older.Address = &core.Address{City: "Gammelstad"}
	done, err := w.parts.Service().Apply(t.Context(), []*core.Person{&older})
	must(t, err)
	if done.Stale != 1 || done.Changed != 0 {
		t.Errorf("applied %+v", done)
	}
	if done := w.poll(t, nationalid.Sweden); done.Asked != 1 || done.Changed != 1 {
		t.Errorf("polled %+v", done)
	}
	got, _ := c.told(token, 1)
	if kinds(t, got, identityv1.AddressChangeKind_ADDRESS_CHANGE_KIND_ADDRESS); got[0].GetAddress().GetCity() != "Nystad" {
		t.Errorf("told %v", got)
	}
}

// A copy that is older than the register is asked again counts no longer, also of a person who is followed since a moment ago and was
// imported long before.
func TestOldCopy(t *testing.T) {
	t.Parallel()
	w, se, _, now := live(t)
	w.parts.SetCopyAge(nationalid.Sweden, 24*time.Hour)
	swede := synthSE(1)
	se.put(t, swede, nil)
	c := w.as(fundSE)
	handle := c.handle(swede)
	c.subscribe(handle, "m-1", w.today())
	asks := func(when string, want int) {
		t.Helper()
		before := se.count()
		if _, err := c.address(handle); err != nil || se.count()-before != want {
			t.Errorf("%s: asked %d times, want %d; %v", when, se.count()-before, want, err)
		}
	}
	asks("before the first fetch", 1)
	w.poll(t, nationalid.Sweden)
	asks("fetched", 0)
	w.pass(now, 23*time.Hour)
	asks("a day later, almost", 0)
	w.pass(now, 2*time.Hour)
	asks("too old", 1)
	w.poll(t, nationalid.Sweden)
	asks("fetched again", 0)
}

// Clocks jump. While ours is ahead copies count as old and the register is asked; when it is right again, what was fetched meanwhile does not
// count as fresh for as long as the clock was ahead, nor is anybody left alone for so long, and the next fetch replaces it.
//
// covers: REG-01 SEK-26
func TestClockJumps(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		w, se, _, now := live(t, on(db))
		w.parts.SetCopyAge(nationalid.Sweden, 2*time.Hour)
		swede := synthSE(1)
		se.put(t, swede, nil)
		c := w.as(fundSE)
		handle := c.handle(swede)
		c.subscribe(handle, "m-1", w.today())
		w.poll(t, nationalid.Sweden)
		_, token := c.told("", 2)
		asks := func(when, city string, want int) {
			t.Helper()
			before := se.count()
			got, err := c.address(handle)
			if err != nil || got.GetAddress().GetCity() != city || se.count()-before != want {
				t.Errorf("%s: %v; asked %d times, want %d; %v", when, got, se.count()-before, want, err)
			}
		}
		const ahead = 40 * 24 * time.Hour
		asks("before", "Provstad", 0)
		w.pass(now, ahead)
		asks("ahead", "Provstad", 1)
		if done := w.poll(t, nationalid.Sweden); done.Asked != 1 {
			t.Errorf("ahead: polled %+v", done)
		}
		asks("ahead and fetched", "Provstad", 0)
		w.pass(now, -ahead)
		se.put(t, swede, func(p *core.Person) { p.Address = &core.Address{City: "Nystad"} })
		asks("right again, with a copy of the future", "Nystad", 1)
		w.poll(t, nationalid.Sweden)
		w.pass(now, 61*time.Minute)
		if done := w.poll(t, nationalid.Sweden); done.Asked != 1 || done.Changed != 1 || done.Stale != 0 {
			t.Errorf("right again: polled %+v", done)
		}
		asks("right again and fetched", "Nystad", 0)
		got, _ := c.told(token, 1)
		kinds(t, got, identityv1.AddressChangeKind_ADDRESS_CHANGE_KIND_ADDRESS)
	})
}

// A protection that a question brings to light purges the copy and is told at once, without waiting for the next fetch.
//
// covers: B.10
func TestProtectionFoundByQuestion(t *testing.T) {
	t.Parallel()
	w, se, _, now := live(t)
	followed, imported := synthSE(1), synthSE(2)
	c := w.as(fundSE)
	for _, number := range []string{followed, imported} {
		se.put(t, number, nil)
		m := lineOf(memberOf(number))
		w.load(m)
	}
	handle := c.handle(followed)
	c.subscribe(handle, "m-1", w.today())
	w.poll(t, nationalid.Sweden)
	_, token := c.told("", 2)
	for _, number := range []string{followed, imported} {
		se.put(t, number, func(p *core.Person) {
			p.Protections = []core.Protection{{Kind: core.ProtectionSEProtectedRegistration}}
		})
	}
	w.parts.SetFresh(nationalid.Sweden, false) // or the followed one would not be asked for
	w.pass(now, time.Minute)
	for _, number := range []string{followed, imported} {
		if got, err := c.address(c.handle(number)); err != nil || got.GetAddress() != nil || got.GetProtection() != seProt {
			t.Errorf("address: %v, %v", got, err)
		}
		n, err := nationalid.ParseCanonical(number, civil.Date{Year: 2100, Month: 1, Day: 1})
		must(t, err)
		f, err := w.parts.Persons().ByNumber(t.Context(), n)
		if must(t, err); !f.Known || f.Person.Address != nil || !f.Person.Name.IsZero() || len(f.Person.Protections) != 1 {
			t.Errorf("at rest: %v", f.Known)
		}
		if len(f.Person.Memberships) == 0 {
			t.Error("the memberships are gone")
		}
	}
	got, _ := c.told(token, 1)
	kinds(t, got, identityv1.AddressChangeKind_ADDRESS_CHANGE_KIND_PROTECTION_SET)
}

// The items of a batch are asked for at the same time, several at once: each waits here until three others are under way. Each leaves a
// record of its own all the same.
func TestBatchIsAskedTogether(t *testing.T) {
	t.Parallel()
	w, se, _, _ := live(t)
	const together, persons = 4, 32
	var lines []importer.Line
	for i := range persons {
		number := synthSE(i)
		se.put(t, number, nil)
		lines = append(lines, importer.Line{Number: number, BirthDate: birthOf(number)})
	}
	var mu sync.Mutex
	waiting, open := 0, make(chan struct{})
	se.gate = func() {
		mu.Lock()
		at := open
		if waiting++; waiting == together {
			waiting, open = 0, make(chan struct{})
			close(at)
		}
		mu.Unlock()
		<-at
	}
	out, err := w.as(fundSE).batch(lines...)
	must(t, err)
	for i, r := range out.GetResults() {
		if r.GetVerdict() != match {
			t.Errorf("item %d: %v", i, r)
		}
	}
	subjects := map[string]bool{}
	for _, r := range w.AllRecords() {
		subjects[r.GetSubjectRef()] = true
	}
	if len(out.GetResults()) != persons || len(subjects) != persons {
		t.Errorf("%d results, %d subjects", len(out.GetResults()), len(subjects))
	}
}
