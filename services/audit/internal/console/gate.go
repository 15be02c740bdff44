package console

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"samvirke.dev/certs/workload"
)

// Viewer is who looks.
type Viewer struct {
	ID    workload.ID // of the client certificate; zero for a local sign-in
	Local bool
}

// Name is shown at the top of each page.
func (v Viewer) Name() string {
	if v.Local {
		return "local sign-in"
	}
	return v.ID.String()
}

// Gate says who may look: holders of named certificates over mutual TLS, and, where a sandbox asks for it, whoever has the one-time token,
// from this machine alone.
type Gate struct {
	viewers []workload.ID

	mu       sync.Mutex
	token    *[sha256.Size]byte // nil when there is no local sign-in, or it was used
	local    bool
	sessions map[[sha256.Size]byte]time.Time // digest of the cookie to its end
}

// minToken is the shortest sign-in token, in characters: 128 bits in base64.
const minToken = 22

// Sessions of a local sign-in.
const (
	cookieName  = "samvirke-console"
	sessionLife = 12 * time.Hour
	maxSessions = 16
)

// NewGate lets the viewers in and, with a token, one local sign-in. Errors: a token that could be guessed.
func NewGate(viewers []workload.ID, token string) (*Gate, error) {
	g := &Gate{viewers: slices.Clone(viewers), sessions: map[[sha256.Size]byte]time.Time{}}
	if token == "" {
		return g, nil
	}
	if len(token) < minToken {
		return nil, errors.New("console: the sign-in token is too short: want 16 random bytes or more")
	}
	digest := sha256.Sum256([]byte(token))
	g.token, g.local = &digest, true
	return g, nil
}

func (g *Gate) closed() bool { return len(g.viewers) == 0 && !g.local }

// viewer says who sends the request. A certificate counts only when the TLS layer verified it.
func (g *Gate) viewer(r *http.Request, now time.Time) (Viewer, bool) {
	if r.TLS != nil {
		id, ok := certificate(r.TLS)
		return Viewer{ID: id}, ok && slices.Contains(g.viewers, id)
	}
	if !g.local || !fromHere(r) {
		return Viewer{}, false
	}
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return Viewer{}, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	ends, ok := g.sessions[sha256.Sum256([]byte(cookie.Value))]
	return Viewer{Local: true}, ok && now.Before(ends)
}

func certificate(state *tls.ConnectionState) (workload.ID, bool) {
	if len(state.VerifiedChains) == 0 {
		return workload.ID{}, false
	}
	id, err := workload.FromCertificate(state.VerifiedChains[0][0])
	return id, err == nil
}

// fromHere says whether the request comes from this machine and was meant for it: a page elsewhere whose name is made to resolve to
// loopback still sends its own name.
func fromHere(r *http.Request) bool {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || !loopback(peer) {
		return false
	}
	host, _, err := net.SplitHostPort(r.Host)
	return err == nil && (host == "localhost" || loopback(host))
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// redeem exchanges the token, once, for a session's cookie value.
func (g *Gate) redeem(token string, now time.Time) (string, bool) {
	digest := sha256.Sum256([]byte(token))
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.token == nil || subtle.ConstantTimeCompare(digest[:], g.token[:]) != 1 || len(g.sessions) >= maxSessions {
		return "", false
	}
	g.token = nil
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // does not fail: it ends the process rather than return short
	value := base64.RawURLEncoding.EncodeToString(raw[:])
	g.sessions[sha256.Sum256([]byte(value))] = now.Add(sessionLife)
	return value, true
}

func (g *Gate) end(value string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.sessions, sha256.Sum256([]byte(value)))
}

// refuse sends a stranger to the sign-in where there is one, and away otherwise.
func (c *Console) refuse(w http.ResponseWriter, r *http.Request) {
	if r.TLS == nil && c.deps.Gate.local && fromHere(r) && r.Method == http.MethodGet {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return
	}
	c.problem(w, r, http.StatusForbidden, "You may not look here. Call with the certificate of a configured viewer.")
}

func (c *Console) signInPage(w http.ResponseWriter, r *http.Request) {
	if r.TLS != nil || !c.deps.Gate.local || !fromHere(r) {
		c.refuse(w, r)
		return
	}
	c.render(w, r, http.StatusOK, "sign-in.html", page{Title: "Sign in"})
}

// signIn takes the token in the body, so that it stands in no log of addresses.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	if r.TLS != nil || !c.deps.Gate.local || !fromHere(r) {
		c.problem(w, r, http.StatusForbidden, "There is no sign-in here.")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	value, ok := c.deps.Gate.redeem(r.PostFormValue("token"), c.deps.Clock.Now())
	if !ok {
		c.problem(w, r, http.StatusForbidden, "The token is wrong or was used before. Start the sandbox anew for another.")
		return
	}
	// Not Secure: the sign-in exists on loopback alone, where there is no TLS. Browsers send it to this host only.
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // see above
		Name: cookieName, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: int(sessionLife.Seconds()),
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(cookieName); err == nil && fromHere(r) {
		c.deps.Gate.end(cookie.Value)
	}
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}
