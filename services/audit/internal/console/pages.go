package console

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"

	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/audit/internal/record"
	"samvirke.dev/services/audit/internal/store"
)

// page is what every template is given.
type page struct {
	Title  string
	Here   string // path of the menu's entry
	Viewer string
	Local  bool
	Data   any
}

// parse reads the templates: each page with the common frame.
func (c *Console) parse() error {
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	c.pages = map[string]*template.Template{}
	for _, name := range names {
		t, err := template.New(path.Base(name)).Funcs(template.FuncMap{"org": c.named}).ParseFS(files, "templates/frame.html", name)
		if err != nil {
			return fmt.Errorf("console: %w", err)
		}
		c.pages[path.Base(name)] = t
	}
	return nil
}

// organisation is shown with its name, where an agreement tells it.
type organisation struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (c *Console) named(id string) organisation {
	return organisation{visible(id), visible(c.deps.Names(id))}
}

// render writes a whole page or none: what fails half-way must not look like an answer.
func (c *Console) render(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	var out bytes.Buffer
	if err := c.pages[name].ExecuteTemplate(&out, "frame", p); err != nil {
		c.deps.Logger.ErrorContext(r.Context(), "console page failed", "name", name, "error", err)
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the viewer has gone: nobody to tell
}

func (c *Console) problem(w http.ResponseWriter, r *http.Request, status int, text string) {
	c.render(w, r, status, "problem.html", page{Title: http.StatusText(status), Data: text})
}

// row is one exchange in a list, also as JSON for the live view.
type row struct {
	Event    string       `json:"event"`
	Item     uint32       `json:"item"`
	Key      string       `json:"key"`
	At       string       `json:"at"`
	Caller   organisation `json:"caller"`
	Owner    organisation `json:"owner"`
	Service  string       `json:"service"`
	RPC      string       `json:"rpc"`
	Method   string       `json:"method"`
	Purpose  string       `json:"purpose"`
	Verdict  verdict      `json:"verdict"`
	Status   string       `json:"status"`
	Lasted   string       `json:"lasted"`
	Trace    string       `json:"trace"`
	Path     string       `json:"path"`
	Internal bool         `json:"internal"` // called by a service of ours
}

func (c *Console) row(r store.Row) row {
	event := record.EventText(r.Event)
	return row{
		Event: event, Item: r.Item, Key: event + "/" + strconv.FormatUint(uint64(r.Item), 10), At: stamp(r.Started),
		Caller: c.named(r.Caller), Owner: c.named(r.Owner), Service: visible(r.Service), RPC: visible(r.RPC), Method: method(r.RPC),
		Purpose: purposeWords(vocabularyv1.Purpose(r.Purpose)), Verdict: verdictOf(r.Outcome), Status: statusWords(r.Status),
		Lasted: short(r.Lasted), Trace: hex.EncodeToString(r.Trace), Path: fmt.Sprintf("/exchange/%s/%d", event, r.Item), Internal: r.Caller == "",
	}
}

func (c *Console) rows(in []store.Row) []row {
	out := make([]row, 0, len(in))
	for _, r := range in {
		out = append(out, c.row(r))
	}
	return out
}

// exchangesPage is the search.
type exchangesPage struct {
	Filter    filter
	Purposes  []option
	Decisions []option
	Rows      []row
	Next      string // address of the next page, or ""
	Live      string // address of the live view; "" on later pages
	First     string
}

func (c *Console) exchanges(w http.ResponseWriter, r *http.Request, v Viewer) error {
	began := c.deps.Clock.Now()
	f, err := parseFilter(r.URL.Query())
	if err != nil {
		return err
	}
	found, err := c.deps.Records.Search(r.Context(), f.Query)
	if err != nil {
		return err
	}
	if err := c.note(r.Context(), began, v, ReadSearch, "", len(found.Rows)); err != nil {
		return err
	}
	data := exchangesPage{Filter: f, Purposes: purposes(f.Purpose), Decisions: decisions(f.Decision), Rows: c.rows(found.Rows), First: f.link("/", store.Key{})}
	if found.Next != (store.Key{}) {
		data.Next = f.link("/", found.Next)
	}
	if f.After == "" && f.Until == "" {
		data.Live = f.link("/live", store.Key{})
	}
	c.render(w, r, http.StatusOK, "exchanges.html", page{Title: "Exchanges", Here: "/", Viewer: v.Name(), Local: v.Local, Data: data})
	return nil
}
