package console

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/audit/internal/record"
	"samvirke.dev/services/audit/internal/store"
)

// exchangePage is one exchange in full.
type exchangePage struct {
	Row         row
	Facts       []fact
	Fields      []string
	Reasons     []reason
	Waterfall   []bar
	Whole       string // how long the whole took
	Erased      bool
	Cut         bool // more records belong to the trace than are drawn
	ReceiptPath string
	Keys        string // of the ledger, one a line
}

// fact is one line of the description.
type fact struct{ Name, Value, Note string }

// named place of a record.
func (c *Console) find(r *http.Request) (store.Row, error) {
	event, err := record.EventID(strings.ToLower(r.PathValue("event")))
	if err != nil {
		return store.Row{}, &requestError{"The event id is not one."}
	}
	item, err := strconv.ParseUint(r.PathValue("item"), 10, 32)
	if err != nil {
		return store.Row{}, &requestError{"The number of the person is not one."}
	}
	return c.deps.Records.Get(r.Context(), event, uint32(item))
}

func (c *Console) exchange(w http.ResponseWriter, r *http.Request, v Viewer) error {
	began := c.deps.Clock.Now()
	found, err := c.find(r)
	if err != nil {
		return err
	}
	data := exchangePage{Row: c.row(found), Keys: strings.Join(c.deps.Keys(), "\n")}
	data.ReceiptPath = fmt.Sprintf("/receipt/%s/%d", data.Row.Event, data.Row.Item)
	rec, err := c.deps.Exchange(r.Context(), found)
	switch {
	case errors.Is(err, ErrErased):
		data.Erased = true
	case err != nil:
		return err
	default:
		data.Facts, data.Fields, data.Reasons = c.facts(rec, found), seenFields(rec.GetFields()), reasonsOf(rec.GetReasons())
	}
	bars, cut, err := c.waterfall(r.Context(), found)
	if err != nil {
		return err
	}
	data.Waterfall, data.Cut = bars, cut
	if len(bars) > 0 {
		data.Whole = bars[0].Whole
	}
	if err := c.note(r.Context(), began, v, ReadEvent, data.Row.Event, 1); err != nil {
		return err
	}
	c.render(w, r, http.StatusOK, "exchange.html", page{Title: "Exchange", Here: "/", Viewer: v.Name(), Local: v.Local, Data: data})
	return nil
}

// facts describes who did what, why and on which basis.
func (c *Console) facts(rec *auditv1.Record, found store.Row) []fact {
	var out []fact
	add := func(name, value, note string) {
		if value != "" {
			out = append(out, fact{name, visible(value), visible(note)})
		}
	}
	org := func(id string) (string, string) {
		o := c.named(id)
		if o.Name == "" {
			return id, ""
		}
		return o.Name, id
	}
	a := rec.GetActor()
	caller, note := org(a.GetOrganisation())
	add("Called by", caller, note)
	add("System", a.GetWorkload(), plain("ACTOR_KIND_", a.GetKind().String()))
	add("Through", a.GetVia(), "")
	recipient, note := org(rec.GetRecipient().GetId())
	add("Data went to", recipient, strings.TrimSpace(note+" "+roleWords(rec.GetRecipient().GetRole())))
	controller, note := org(rec.GetControllerId())
	add("On the responsibility of", controller, note)
	add("Asked", rec.GetRpc(), operationWords(rec.GetOperation()))
	add("Purpose", purposeWords(rec.GetPurpose()), "")
	add("Legal basis", basisWords(rec.GetLegalBasis()), "")
	add("Special basis", specialWords(rec.GetSpecialBasis()), "")
	add("Law", rec.GetLegalReference(), "")
	add("Case", rec.GetCaseReference(), "the caller's own reference")
	if g := rec.GetAgreement(); g.GetId() != "" {
		add("Agreement", fmt.Sprintf("%s, version %d", g.GetId(), g.GetVersion()), hex.EncodeToString(g.GetDigest()))
	}
	add("Third country", rec.GetRecipient().GetTransferBasis(), "")
	add("Source", sourceWords(rec.GetSource()), "")
	add("Register asked", stampOf(rec), "")
	add("Answer", statusWords(found.Status), strconv.FormatUint(uint64(rec.GetResultCount()), 10)+" persons or rows")
	writer := rec.GetWriter()
	add("Recorded by", writer.GetService(), strings.TrimSpace(writer.GetVersion()+" "+writer.GetInstance()))
	add("Received", stamp(found.Received), "by the ledger's clock")
	add("Kept by", rec.GetRetentionClass(), "")
	add("Trace", hex.EncodeToString(rec.GetTraceId()), "")
	return out
}

func seenFields(in []string) []string {
	out := make([]string, 0, len(in))
	for _, f := range in {
		out = append(out, visible(f))
	}
	return out
}

func stampOf(rec *auditv1.Record) string {
	if rec.GetRetrievedAt() == nil {
		return ""
	}
	return stamp(rec.GetRetrievedAt().AsTime())
}

// receipt gives the proof as JSON, to be checked in the page or by samvirke-verify.
func (c *Console) receipt(w http.ResponseWriter, r *http.Request, v Viewer) error {
	began := c.deps.Clock.Now()
	found, err := c.find(r)
	if err != nil {
		return err
	}
	event := record.EventText(found.Event)
	receipt, err := c.deps.Receipt(r.Context(), event, found.Item)
	if err != nil {
		return err
	}
	if err := c.note(r.Context(), began, v, ReadReceipt, event, 1); err != nil {
		return err
	}
	raw, err := protojson.Marshal(receipt)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Has("download") {
		w.Header().Set("Content-Disposition", `attachment; filename="receipt-`+event+`.json"`)
	}
	_, _ = w.Write(raw) // the viewer has gone: nobody to tell
	return nil
}
