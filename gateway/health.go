package gateway

import (
	"encoding/json"
	"net/http"
)

// alive says that the process runs; whether traffic can pass is what ready says.
func alive(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// health is what readiness tells: which services serve.
type health struct {
	Ready    bool            `json:"ready"`
	Services map[string]bool `json:"services"`
}

// ready says whether traffic can pass: our certificate is valid, every required service serves, and at least one does. All replicas stand
// before the same services: a replica that went away for each service that is away would take the routes of the others along.
func (a *App) ready(w http.ResponseWriter, r *http.Request) {
	h := health{Services: a.backends.Serving(r.Context())}
	for _, serving := range h.Services {
		h.Ready = h.Ready || serving
	}
	for _, name := range a.cfg.Required {
		h.Ready = h.Ready && h.Services[name]
	}
	h.Ready = h.Ready && a.certified()
	a.tell(w, r, h)
}

// readyFor says whether traffic to one service can pass, for those who watch.
func (a *App) readyFor(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("service")
	serving, known := a.backends.Serving(r.Context())[name]
	if !known {
		http.NotFound(w, r)
		return
	}
	a.tell(w, r, health{Ready: serving && a.certified(), Services: map[string]bool{name: serving}})
}

func (a *App) certified() bool {
	_, err := a.source.Certificate()
	return err == nil
}

func (a *App) tell(w http.ResponseWriter, r *http.Request, h health) {
	status := http.StatusOK
	if !h.Ready {
		status = http.StatusServiceUnavailable
		a.log.WarnContext(r.Context(), "not ready", "services", h.Services, "certificate", a.certified())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if body, err := json.Marshal(h); err == nil { // it always can be
		_, _ = w.Write(body) // whoever does not listen any more is told nothing
	}
}
