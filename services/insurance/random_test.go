package insurance_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

func protoName(s string) protoreflect.Name { return protoreflect.Name(s) }

func upper(s string) string { return strings.ToUpper(s) }

// model is what must hold of one member, seen from outside.
type model struct {
	final      bool // opted out or objected: can't be taken back
	restricted bool
	protected  bool
	hasData    bool // the partner was given data and was not told to stop since
}

func (m *model) refused() bool { return m.final || m.restricted || m.protected }

// Whatever is done in whatever order: after a no nothing passes, and whoever has data is told to stop.
//
// covers: DFH-30 DFH-47 LED-24 LED-26 MIN-29
func TestRandomLives(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		w := start(t, on(db))
		fund, partner := offers(w)
		next := 0
		rapid.Check(t, func(rt *rapid.T) {
			const members, lives = 3, 40 // each database sees so many: more would cost minutes
			if next >= members*lives {
				return
			}
			first := next
			next += members
			for i := range members {
				_, err := fund.load(member(first + i))
				must(t, err)
			}
			states := map[string]*model{}
			subjects := map[string]int{}
			cursor := tail(w, partner)
			state := func(i int) *model {
				key := strconv.Itoa(i)
				if states[key] == nil {
					states[key] = &model{}
				}
				return states[key]
			}
			read := func() {
				for {
					out, err := partner.fetch(partner.offer(), cursor)
					must(t, err)
					for _, s := range out.GetShares() {
						i, ok := subjects[s.GetPartnerSubjectId()]
						if !ok {
							rt.Fatalf("a share of somebody who was not shared: %v", s.GetKind())
						}
						m := state(i)
						if s.GetKind() == kindStop {
							m.hasData = false
							continue
						}
						if m.refused() {
							rt.Fatalf("data of member %d after a no", i-first)
						}
						m.hasData = true
					}
					cursor = out.GetNextCursor()
					if !out.GetMore() {
						return
					}
				}
			}
			for range rapid.IntRange(3, 12).Draw(rt, "steps") {
				i := first + rapid.IntRange(0, members-1).Draw(rt, "member")
				m := state(i)
				switch step := rapid.SampledFrom([]string{"share", "fetch", "get", "no", "object", "restrict", "lift", "protect", "clear", "change", "end", "sweep"}).Draw(rt, "step"); step {
				case "share":
					subject, err := fund.send(fund.offer(), agency, i)
					if (err == nil) == m.refused() {
						rt.Fatalf("shared %t though refused %t: %v", err == nil, m.refused(), err)
					}
					if err == nil {
						subjects[subject] = i
					}
				case "fetch":
					read()
				case "get":
					for subject, j := range subjects {
						if j != i {
							continue
						}
						if _, err := partner.subject(partner.offer(), subject); err == nil {
							if m.refused() {
								rt.Fatalf("data of member %d after a no", i-first)
							}
							m.hasData = true
						}
					}
				case "no":
					must(t, fund.optOut(i))
					m.final = true
				case "object":
					_, err := fund.fund.RecordMarketingObjection(t.Context(), &insurancev1.RecordMarketingObjectionRequest{Context: fund.rights(), Handle: handle(i), Channel: phoned})
					must(t, err)
					m.final = true
				case "restrict", "lift":
					_, err := fund.fund.SetRestriction(t.Context(), &insurancev1.SetRestrictionRequest{Context: fund.rights(), Handle: handle(i), Restricted: step == "restrict"})
					must(t, err)
					m.restricted = step == "restrict"
				case "protect", "clear":
					w.register.set(handle(i), core.Standing{Protected: step == "protect"})
					m.protected = step == "protect"
				case "change":
					moved := member(i)
					moved.Email = fmt.Sprintf("m%d@example.org", rapid.IntRange(0, 9).Draw(rt, "mail"))
					_, err := fund.load(moved)
					must(t, err)
				case "end":
					_, err := fund.fund.EndShare(t.Context(), &insurancev1.EndShareRequest{Context: fund.admin(), Handle: handle(i), PartnerId: agency, SharedPurpose: offerPurpose})
					must(t, err)
				case "sweep":
					_, err := w.parts.Service().Sweep(t.Context())
					must(t, err)
				}
			}
			_, err := w.parts.Service().Sweep(t.Context())
			must(t, err)
			read()
			for key, m := range states {
				if m.refused() && m.hasData {
					rt.Fatalf("member %s said no, and the partner was not told to stop", key)
				}
			}
		})
	})
}

// tail returns a cursor behind everything that is in the mailbox now.
func tail(w *world, partner *client) string {
	w.t.Helper()
	cursor := ""
	for {
		out, err := partner.fetch(partner.offer(), cursor)
		must(w.t, err)
		cursor = out.GetNextCursor()
		if !out.GetMore() {
			return cursor
		}
	}
}

// Whatever fields are asked for, exactly those come that are asked for, agreed and there.
//
// covers: DFH-29
func TestExactlyTheFieldsAskedFor(t *testing.T) {
	t.Parallel()
	w := start(t)
	fund, partner := offers(w)
	_, err := fund.load(member(0))
	must(t, err)
	subject := fund.sent(fund.offer(), agency, 0)
	rapid.Check(t, func(rt *rapid.T) {
		fields := rapid.SliceOfDistinct(rapid.SampledFrom([]insurancev1.SharedField{1, 2, 3, 4, 5, 6, 7, 8, 9}), func(f insurancev1.SharedField) insurancev1.SharedField { return f }).Draw(rt, "fields")
		beyond := slices.ContainsFunc(fields, func(f insurancev1.SharedField) bool { return f < 2 || f > 4 })
		got, err := partner.subject(partner.offer(), subject, fields...)
		if (err != nil) != beyond {
			rt.Fatalf("%v: %v", fields, err)
		}
		if err != nil {
			return
		}
		has := func(f insurancev1.SharedField) bool { return len(fields) == 0 || slices.Contains(fields, f) }
		c := got.GetAgencyContact()
		if (c.GetFullName() != "") != has(2) || (c.GetPhoneNumber() != "") != has(3) || (c.GetEmail() != "") != has(4) {
			rt.Fatalf("%v: %v", fields, c)
		}
	})
}
