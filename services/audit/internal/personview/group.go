package personview

import (
	"slices"
	"strings"
	"time"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// massFrom is how many alike uses in a calendar month are told as one, with their number and times.
const massFrom = 10

// kind is what makes uses alike: all that the person is told of them but the time.
type kind struct {
	month                      time.Time
	rpc, caller, owner, system string
	purpose, decision          int32
	basis                      vocabularyv1.LegalBasis
	reference, fields          string
	erased, wasHeld            bool
}

func kindOf(r record) kind {
	at := r.row.Started.UTC()
	return kind{
		month: time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC), rpc: r.row.RPC, caller: r.row.Caller, owner: r.row.Owner,
		system: systemOf(r.rec), purpose: r.row.Purpose, decision: r.row.Decision, basis: r.rec.GetLegalBasis(), reference: r.rec.GetLegalReference(),
		fields: strings.Join(r.rec.GetFields(), ","), erased: r.rec == nil, wasHeld: !r.held.IsZero(),
	}
}

// group puts alike records together where there are many, each group and each record in its place, the latest first. No record is left out.
func group(records []record) [][]record {
	slices.SortStableFunc(records, func(a, b record) int { return b.row.Started.Compare(a.row.Started) })
	counts := map[kind]int{}
	for _, r := range records {
		counts[kindOf(r)]++
	}
	var out [][]record
	at := map[kind]int{}
	for _, r := range records {
		k := kindOf(r)
		i, begun := at[k]
		if counts[k] >= massFrom && begun {
			out[i] = append(out[i], r)
			continue
		}
		at[k] = len(out)
		out = append(out, []record{r})
	}
	return out
}

// Use is one use, or many alike, in the person's words.
type Use struct {
	At, First  time.Time // the latest and, of many, the first
	Count      int
	Action     string
	Receiver   string // organisation
	Name       string
	System     string
	Controller string
	Data       []string
	Purpose    string
	Basis      string
	Reference  string
	Allowed    bool
	HeldUntil  time.Time
}

func (v *View) use(g []record, lang Language) Use {
	latest := g[0]
	r := latest.row
	receiver := r.Caller
	if receiver == "" { // a service of ours, which works for the controller
		receiver = r.Owner
	}
	allowed := r.Decision == int32(auditv1.Decision_DECISION_ALLOW) && r.Status == 0
	out := Use{
		At: r.Started, Count: len(g), Receiver: receiver, Name: v.deps.Names(receiver), System: systemOf(latest.rec), Controller: r.Owner,
		Purpose: purposeText(vocabularyv1.Purpose(r.Purpose), lang), Basis: basisText(latest.rec.GetLegalBasis(), lang),
		Reference: latest.rec.GetLegalReference(), Allowed: allowed, HeldUntil: latest.held,
	}
	if len(g) > 1 {
		out.First = g[len(g)-1].row.Started
	}
	if allowed {
		out.Data = dataTexts(r.RPC, latest.rec.GetFields(), lang)
	}
	if out.System == "" {
		out.System = r.Service
	}
	out.Action = actionText(latest.rec.GetOperation(), out, latest.rec == nil, lang)
	return out
}

// systemOf is the caller's system, the last part of its workload's name.
func systemOf(rec *auditv1.Record) string {
	workload := rec.GetActor().GetWorkload()
	return workload[strings.LastIndexByte(workload, '/')+1:]
}
