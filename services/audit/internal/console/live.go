package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"samvirke.dev/services/audit/internal/store"
)

// writeLimit bounds one write to a live view: a viewer who reads nothing is let go.
const writeLimit = 10 * time.Second

// maxBurst bounds the rows that one look of a live view sends; when more came, the view says so and shows the latest.
const maxBurst = 50

// burst is one message of a live view.
type burst struct {
	Rows    []row `json:"rows"` // the latest first
	Skipped bool  `json:"skipped"`
}

// live sends what is recorded from now on, as server-sent events, until the viewer leaves. It is noted once: its records would feed itself.
func (c *Console) live(w http.ResponseWriter, r *http.Request, v Viewer) error {
	began := c.deps.Clock.Now()
	f, err := parseFilter(r.URL.Query())
	if err != nil {
		return err
	}
	select {
	case c.lives <- struct{}{}:
		defer func() { <-c.lives }()
	default:
		return &requestError{"Too many live views are open; close one."}
	}
	if err := c.note(r.Context(), began, v, ReadLive, "", 0); err != nil {
		return err
	}
	f.Query.Limit = maxBurst
	seen, err := c.newest(r, f.Query)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	ticker := time.NewTicker(c.period)
	defer ticker.Stop()
	for quiet := 0; ; quiet++ {
		message, next, err := c.since(r, f.Query, seen)
		switch {
		case err != nil && r.Context().Err() == nil:
			c.deps.Logger.WarnContext(r.Context(), "live view ended", "error", err)
			return nil // the browser comes back by itself
		case len(message.Rows) > 0:
			seen, quiet = next, 0
			err = send(w, out, message)
		case quiet%15 == 0:
			err = beat(w, out) // lets a dead connection be found
		}
		if err != nil {
			return nil // the viewer has gone: nobody to tell
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-ticker.C:
		}
	}
}

// newest returns the IDs of the latest rows, from which on everything is new. Order of search is by start, of recording by ID: a slow call
// is recorded after a quick one that started later, so what was seen is remembered by ID.
func (c *Console) newest(r *http.Request, q store.Query) (store.ID, error) {
	found, err := c.deps.Records.Search(r.Context(), q)
	if err != nil {
		return 0, err
	}
	return highest(found.Rows, 0), nil
}

func highest(rows []store.Row, least store.ID) store.ID {
	for _, r := range rows {
		least = max(least, r.ID)
	}
	return least
}

func (c *Console) since(r *http.Request, q store.Query, seen store.ID) (burst, store.ID, error) {
	found, err := c.deps.Records.Search(r.Context(), q)
	if err != nil {
		return burst{}, seen, err
	}
	fresh := slices.DeleteFunc(found.Rows, func(row store.Row) bool { return row.ID <= seen })
	return burst{Rows: c.rows(fresh), Skipped: len(fresh) == maxBurst}, highest(fresh, seen), nil
}

func send(w http.ResponseWriter, out *http.ResponseController, message burst) error {
	raw, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return write(w, out, fmt.Sprintf("event: rows\ndata: %s\n\n", raw))
}

func beat(w http.ResponseWriter, out *http.ResponseController) error {
	return write(w, out, ": quiet\n\n")
}

func write(w http.ResponseWriter, out *http.ResponseController, text string) error {
	// Without TLS in tests a recorder has no deadline to set.
	if err := out.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil && !errors.Is(err, http.ErrNotSupported) { //nolint:forbidigo // a socket's deadline is of the real time
		return err
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return err
	}
	return out.Flush()
}
