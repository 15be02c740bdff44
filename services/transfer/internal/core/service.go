package core

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/core/rules"
	"samvirke.dev/services/transfer/internal/store"
)

// Deps are what the use cases need. All are required.
type Deps struct {
	Store      store.Store
	Machine    *cases.Machine
	Directory  Directory
	Sealer     Sealer
	Index      Index
	Assertions Assertions
	Parcels    Parcels
	Clock      Clock
	Zone       *time.Location
	Notes      Notes
	Records    Records
	Membership MembershipRules
	NewID      func() string
	// Wake is called when there is something to tell another fund.
	Wake func()
}

// MembershipRules are the periods and tables of admission and deletion.
type MembershipRules struct {
	Pension  rules.PensionTable
	Deletion rules.DeletionTerms
	// Admission and DeletionArea say whether the areas are enabled for automatic decisions (GAP-01).
	AdmissionArea, DeletionArea bool
}

// Service holds the use cases. It keeps no state and is safe for concurrent use.
type Service struct{ Deps }

// New returns the use cases, or an error that names what is missing.
func New(d Deps) (*Service, error) {
	var missing []error
	need := func(ok bool, what string) {
		if !ok {
			missing = append(missing, errors.New("transfer: no "+what))
		}
	}
	need(d.Store != nil, "store")
	need(d.Machine != nil, "machine")
	need(d.Directory != nil, "directory")
	need(d.Sealer != nil, "sealer")
	need(d.Index != nil, "index")
	need(d.Assertions != nil, "assertions")
	need(d.Parcels != nil, "parcels")
	need(d.Clock != nil, "clock")
	need(d.Zone != nil, "time zone")
	need(d.Notes != nil, "notes")
	need(d.Records != nil, "records")
	need(d.NewID != nil, "ids")
	need(d.Wake != nil, "wake")
	return &Service{d}, errors.Join(missing...)
}

// Today is the date by which everything is decided.
func (s *Service) Today() civil.Date { return civil.Of(s.Clock.Now().In(s.Zone)) }

// Application is what a member gives (SEK-23), and what the rules need besides.
type Application struct {
	Number   string `json:"number"` // canonical national number
	Name     string `json:"name"`
	Phone    string `json:"phone,omitempty"`
	Email    string `json:"email,omitempty"`
	Category string `json:"category,omitempty"` // occupational category
	EEAWork  bool   `json:"eea_work,omitempty"`
	Source   string `json:"source,omitempty"`

	Work          rules.WorkSituation `json:"work,omitempty"`
	EducationEnds civil.Date          `json:"education_ends,omitempty"`
	Agreed        civil.Date          `json:"agreed,omitempty"`
}

// complete says whether everything is there that an application must hold.
func (a Application) complete() bool {
	return a.Number != "" && a.Name != "" && (a.Phone != "" || a.Email != "")
}

// details are the personal content of a record.
type details struct {
	Application Application `json:"application"`
	PoA         string      `json:"poa,omitempty"` // the assertion as it was signed
}

func binding(kind, id, fund string) []byte { return []byte(kind + "\x00" + id + "\x00" + fund) }

func (s *Service) putDetails(ctx context.Context, c cases.Case, d details) error {
	plain, err := json.Marshal(d)
	if err != nil {
		return err
	}
	sealed, err := s.Sealer.Encrypt(plain, binding("details", c.ID, c.Fund))
	if err != nil {
		return errors.Join(ErrKeys, err)
	}
	return s.Store.SetDetails(ctx, c.ID, c.Fund, sealed)
}

func (s *Service) details(ctx context.Context, c cases.Case) (details, error) {
	var d details
	sealed, err := s.Store.Details(ctx, c.ID, c.Fund)
	if err != nil {
		return d, err
	}
	plain, err := s.Sealer.Decrypt(sealed, binding("details", c.ID, c.Fund))
	if err != nil {
		return d, errors.Join(ErrKeys, err)
	}
	return d, json.Unmarshal(plain, &d)
}

// get returns the fund's own record; nobody learns of one that is not his.
func (s *Service) get(ctx context.Context, fund, id string) (cases.Case, error) {
	c, err := s.Store.Get(ctx, id, fund)
	if errors.Is(err, store.ErrNotFound) {
		return c, ErrNotFound
	}
	if err == nil {
		s.note(ctx, c)
	}
	return c, err
}

// SubjectID is what stands for a fund's member in audit records.
func SubjectID(fund, handle string) string { return fund + " " + handle }

// note names the subject in the audit record: by the fund's handle, by which the person's view finds it again, or by the keyed index of the
// number where a releasing fund knows the person by that alone.
func (s *Service) note(ctx context.Context, c cases.Case) {
	s.Notes.Subject(ctx, subjectOf(c.Fund, c.Handle, c.Subject), c.Protected)
}

func subjectOf(fund, handle string, index []byte) string {
	if handle == "" {
		return hex.EncodeToString(index)
	}
	return SubjectID(fund, handle)
}

// step is one event of a record: the transition, and what follows in the same transaction.
type step struct {
	event cases.Event
	actor cases.Party
	// timed means that no call asked for it, so that it needs an audit record of its own.
	timed bool
	// move is the transition.
	move func(ctx context.Context, c cases.Case) (cases.Case, error)
	// then is done when the transition was made; it may change what the record counts. May be nil.
	then func(ctx context.Context, c *cases.Case) error
}

// apply takes a step of the fund's record in one transaction.
func (s *Service) apply(ctx context.Context, fund, id string, st step) (cases.Case, error) {
	var out cases.Case
	err := s.Store.InTx(ctx, func(ctx context.Context) error {
		c, err := s.get(ctx, fund, id)
		if err != nil {
			return err
		}
		out, err = s.take(ctx, c, st)
		return err
	})
	return out, err
}

// take takes a step of a record that was read in the transaction of ctx.
func (s *Service) take(ctx context.Context, c cases.Case, st step) (cases.Case, error) {
	before := c.State
	c, err := st.move(ctx, c)
	if err != nil {
		return c, err
	}
	if st.then != nil {
		if err := st.then(ctx, &c); err != nil {
			return c, err
		}
	}
	e := store.Event{Event: st.event, Actor: st.actor, At: s.Clock.Now()}
	if err := s.Store.Update(ctx, c, e); err != nil {
		if errors.Is(err, store.ErrDuplicate) && before == cases.Submitted {
			return c, ErrPoAReused
		}
		return c, fmt.Errorf("transfer: keep: %w", err)
	}
	if st.timed {
		if err := s.Records.Timed(ctx, e.Event, e.At, []Timed{{c.Fund, c.ID, subjectOf(c.Fund, c.Handle, c.Subject), c.Protected}}); err != nil {
			return c, err
		}
	}
	return c, s.erase(ctx, c, before)
}

// erasureRule is named in certificates.
const erasureRule = "B.9"

// erase drops what came only through this transfer when it ends without a move: from the receiving fund the data packages, from the
// releasing fund the packages that wait and what the request told. The hash of the power of attorney stays, and with the receiving fund
// the member's own application.
func (s *Service) erase(ctx context.Context, c cases.Case, before cases.State) error {
	if !before.Open() || c.State.Open() || c.State == cases.Effective || c.State == cases.Cancelled {
		return nil
	}
	parts, err := s.Store.DropParts(ctx, c.ID, c.Fund)
	if err != nil {
		return err
	}
	if c.Side == cases.Releasing {
		if err := s.Store.DropDetails(ctx, c.ID, c.Fund); err != nil {
			return err
		}
	}
	return s.Store.Certify(ctx, c.ID, c.Fund, store.Erasure{
		At: s.Clock.Now(), Parts: parts, Rule: erasureRule, Digest: certificate(c, parts, s.Clock.Now()),
	})
}
