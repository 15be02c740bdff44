// Package personview answers a person's question: who used my data, for what, on which basis, which of them (DFH-43, GDPR art. 15). It reads the
// same records that are evidence.
//
// How one person's records are found: every service writes its records under a pseudonym made with a key of its own, which never leaves it
// (domain.md C.6). The audit service holds none of these keys. It asks each service, over mutual TLS, under which pseudonyms its
// records know the person (SubjectService), and searches for those. We chose that over one shared key, and over copies of the keys at the
// audit service, because either would let one stolen process name the persons behind the whole ledger; so a thief needs the ledger
// and every service. The asking is itself recorded on both sides. The price is that all services must answer: a list with holes would be
// wrong, so there is none then, and the caller is told to come back.
package personview

import (
	"context"
	"errors"
	"fmt"
	"time"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/platform/clock"
)

// ErrIncomplete says that not every service told its pseudonyms of the person.
var ErrIncomplete = errors.New("personview: not every service answered")

// ErrErased is what Deps.Exchange returns of a record whose time was over.
var ErrErased = errors.New("personview: the record was erased")

// Records is the part of the store that is read.
type Records interface {
	// Search is store.Store's.
	Search(ctx context.Context, q store.Query) (store.Found, error)
	// Shards is store.Store's.
	Shards(ctx context.Context) ([]store.Shard, error)
}

// Subjects finds the pseudonyms of a person in the records of all services. Errors: ErrIncomplete.
type Subjects interface {
	Refs(ctx context.Context, why *commonv1.RequestContext, person *auditv1.Person) ([]string, error)
}

// Hold withholds uses for the sake of an investigation (GDPR art. 23): those of a purpose, or by a kind of recipient, for so long after
// they happened. Then they are shown like all others, and it is said that they were withheld.
type Hold struct {
	Purpose vocabularyv1.Purpose // unspecified: any
	Role    vocabularyv1.Role    // unspecified: any
	For     time.Duration
}

// Deps is what the view needs; all but Names and Holds are required.
type Deps struct {
	Records  Records
	Subjects Subjects
	// Exchange opens the part of a record that both parties may see. ErrErased when only its columns are left.
	Exchange func(ctx context.Context, row store.Row) (*auditv1.Record, error)
	// Names returns an organisation's name, or "".
	Names func(organisation string) string
	Holds []Hold
	// Period is how long records are kept.
	Period time.Duration
	Clock  clock.Clock
}

// View lists uses.
type View struct{ deps Deps }

// New checks the parts.
func New(d Deps) (*View, error) {
	if d.Records == nil || d.Subjects == nil || d.Exchange == nil || d.Clock == nil || d.Period <= 0 {
		return nil, errors.New("personview: a part is missing")
	}
	for _, h := range d.Holds {
		if h.For <= 0 || h.For > maxHold || h.Purpose == 0 && h.Role == 0 {
			return nil, fmt.Errorf("personview: a hold must name a purpose or role and last up to %s", maxHold)
		}
	}
	if d.Names == nil {
		d.Names = func(string) string { return "" }
	}
	return &View{deps: d}, nil
}

// Bounds. A hold is not for ever; one answer looks at a bounded number of records.
const (
	maxHold    = 2 * 366 * 24 * time.Hour
	maxRecords = 10_000
	readAtOnce = 500
)

// Question is what a person asks.
type Question struct {
	Why    *commonv1.RequestContext // names the controller whose uses are meant
	Person *auditv1.Person
	// From and Until bound the period; zero does not.
	From, Until time.Time
	// Organisation is the caller's own, for which uses by others on its responsibility, and its own, are listed.
	Organisation string
	Language     Language
}

// Answer is what there is to tell.
type Answer struct {
	Uses []Use
	// OlderBefore is set when there is more than is looked at in one go.
	OlderBefore time.Time
}

// record is one record with what is kept of it.
type record struct {
	row  store.Row
	rec  *auditv1.Record // nil once erased
	held time.Time       // until when it was withheld; zero when it was not
}

// Find lists the uses, the latest first, alike ones together. Errors: ErrIncomplete and those of the store.
func (v *View) Find(ctx context.Context, q Question) (Answer, error) {
	refs, err := v.deps.Subjects.Refs(ctx, q.Why, q.Person)
	if err != nil {
		return Answer{}, err
	}
	if len(refs) == 0 {
		return Answer{}, nil
	}
	records, older, err := v.read(ctx, q, refs)
	if err != nil {
		return Answer{}, err
	}
	var out Answer
	for _, g := range group(records) {
		out.Uses = append(out.Uses, v.use(g, q.Language))
	}
	out.OlderBefore = older
	return out, nil
}

// read collects the person's records that may be shown now, up to a bound, and says before which moment there are more.
func (v *View) read(ctx context.Context, q Question, refs []string) (out []record, older time.Time, err error) {
	now := v.deps.Clock.Now()
	query := store.Query{Party: q.Why.GetControllerId(), Subjects: refs, From: q.From, Until: q.Until, Limit: readAtOnce}
	for seen := 0; ; {
		found, err := v.deps.Records.Search(ctx, query)
		if err != nil {
			return nil, time.Time{}, err
		}
		for _, row := range found.Rows {
			r, held, err := v.open(ctx, row, now)
			if err != nil {
				return nil, time.Time{}, err
			}
			if !held {
				out = append(out, r)
			}
		}
		seen += len(found.Rows)
		if found.Next == (store.Key{}) {
			return out, time.Time{}, nil
		}
		if seen >= maxRecords {
			return out, time.UnixMicro(found.Next.Started).UTC(), nil
		}
		query.After = found.Next
	}
}

// open reads one record and says whether it is withheld now.
func (v *View) open(ctx context.Context, row store.Row, now time.Time) (r record, held bool, err error) {
	until, held := v.held(row, now)
	if held {
		return record{}, true, nil
	}
	rec, err := v.deps.Exchange(ctx, row)
	switch {
	case errors.Is(err, ErrErased):
		return record{row, nil, until}, false, nil
	case err != nil:
		return record{}, false, err
	}
	// The role is in the record and not in the columns, so that holds by role are seen only now.
	byRole, held := v.heldBy(rec, row, now)
	if byRole.After(until) {
		until = byRole
	}
	return record{row, rec, until}, held, nil
}

// held says whether a row is withheld now, and if not, until when it was.
func (v *View) held(row store.Row, now time.Time) (until time.Time, held bool) {
	return v.longest(row, now, func(h Hold) bool { return h.Role == 0 && int32(h.Purpose) == row.Purpose })
}

func (v *View) heldBy(rec *auditv1.Record, row store.Row, now time.Time) (until time.Time, held bool) {
	return v.longest(row, now, func(h Hold) bool {
		return h.Role != 0 && h.Role == rec.GetRecipient().GetRole() && (h.Purpose == 0 || h.Purpose == rec.GetPurpose())
	})
}

func (v *View) longest(row store.Row, now time.Time, applies func(Hold) bool) (until time.Time, held bool) {
	for _, h := range v.deps.Holds {
		if end := row.Started.Add(h.For); applies(h) && end.After(until) {
			until = end
		}
	}
	return until, until.After(now)
}

// Since says from when on uses can be listed: the start of what is kept, or of the ledger if that is later.
func (v *View) Since(ctx context.Context) (time.Time, error) {
	since := v.deps.Clock.Now().Add(-v.deps.Period)
	shards, err := v.deps.Records.Shards(ctx)
	if err != nil {
		return time.Time{}, err
	}
	for _, s := range shards {
		if s.Dropped {
			continue
		}
		year, month := int(s.Number/100), time.Month(s.Number%100)
		if first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC); first.After(since) {
			since = first
		}
		break // the oldest that is left
	}
	return since, nil
}
