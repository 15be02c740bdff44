package core_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/clock"
)

// steps is everything outside of the rules, and writes down what it is asked.
type steps struct {
	core.Store

	taken []string
	share *core.Share // of whom is asked about; nil for nobody
}

func (s *steps) take(step string) { s.taken = append(s.taken, step) }

func (s *steps) Terms(context.Context, core.Box) (core.Terms, error) {
	s.take("Terms")
	day := core.Day{Year: 2026, Month: 1, Day: 1}
	return core.Terms{
		Agreement: &core.Agreement{
			Partner: "DK:2", Class: core.InsuranceAgency, Country: "DK", Fields: core.FullName, From: day, Until: core.Day{Year: 2030, Month: 1, Day: 1}, BalancingID: "b",
			Purposes: []core.AgreedPurpose{{Purpose: core.InsuranceOffer, Bases: []core.Basis{core.Interest}}},
		},
		Balancing: &core.Balancing{ID: "b", Purpose: core.InsuranceOffer, Assessed: day},
	}, nil
}

func (s *steps) ShareBySubject(context.Context, core.Box, string) (*core.Share, error) {
	s.take("ShareBySubject")
	if s.share == nil {
		return nil, core.ErrNotFound
	}
	out := *s.share
	return &out, nil
}

func (s *steps) MemberByID(_ context.Context, id int64) (*core.Member, error) {
	s.take("MemberByID")
	return &core.Member{ID: id}, nil
}

func (s *steps) Said(context.Context, int64) ([]core.Consent, []core.StoredRefusal, error) {
	s.take("Said")
	return nil, nil, nil
}

func (s *steps) Standings(_ context.Context, _ string, handles []string, _ bool) []core.Standing {
	for range handles {
		s.take("Standings")
	}
	return slices.Repeat([]core.Standing{{Protected: true}}, len(handles))
}

func (s *steps) Prepare(context.Context, string) error          { return nil }
func (s *steps) Subject(string, string, string) (string, error) { return "", nil }

// silent notes nothing.
type silent struct{}

func (silent) Subject(context.Context, string, bool) {}
func (silent) Deny(context.Context, core.Reasons)    {}
func (silent) EventID(context.Context) string        { return "" }

// A question about somebody protected goes the same steps as one about nobody, so that its time can tell nothing.
//
// covers: B.10
func TestProtectedGoesTheSameSteps(t *testing.T) {
	t.Parallel()
	caller := core.Caller{Organisation: "DK:2", Controller: "DK:1", Purpose: core.InsuranceOffer, Basis: core.Interest}
	walk := func(share *core.Share) []string {
		s := &steps{share: share}
		service, err := core.New(core.Deps{
			Store: s, Identity: s, Subjects: s, Notes: silent{}, Clock: clock.NewFake(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)), Zone: time.UTC,
			Policies: []core.Policy{{Controller: "DK:1", Classes: []core.Class{core.InsuranceAgency}, Purposes: []core.Purpose{core.InsuranceOffer}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		in := core.Subject{Subject: "subject"}
		ctx := service.FetchForSubject(t.Context(), caller, in)
		if _, _, err := service.SharedSubject(ctx, caller, in); !errors.Is(err, core.ErrNotFound) {
			t.Fatalf("%v, want nobody", err)
		}
		return s.taken
	}
	hidden := walk(&core.Share{ID: 1, Member: 1, Handle: "h", Purpose: core.InsuranceOffer, Basis: core.Interest, Fields: core.FullName, Delivered: true})
	nobody := walk(nil)
	if !slices.Equal(hidden, nobody) || len(nobody) < 5 {
		t.Errorf("somebody protected: %v\nnobody: %v", hidden, nobody)
	}
}
