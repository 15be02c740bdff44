package registers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"time"

	"samvirke.dev/deploy/registers/cpr"
	"samvirke.dev/deploy/registers/direkte"
	"samvirke.dev/deploy/registers/persons"
	"samvirke.dev/deploy/registers/spar"
	"samvirke.dev/deploy/registers/trouble"
)

// maxAdmin bounds the body of an admin request.
const maxAdmin = 64 << 10

// The names of the registers in admin requests.
const (
	nameSPAR      = "spar"
	nameSF1520    = "sf1520"
	nameEIndkomst = "eindkomst"
)

// errAdmin means a request that is not understood.
var errAdmin = errors.New("not understood")

type (
	troubleRequest struct {
		Register  string       `json:"register"`
		Kind      trouble.Kind `json:"kind"`
		LatencyMS int64        `json:"latency_ms"`
		Requests  int          `json:"requests"`
	}
	swedishAddressRequest struct {
		Number     string `json:"number"`
		CareOf     string `json:"care_of"`
		Line1      string `json:"line1"`
		Line2      string `json:"line2"`
		PostalCode string `json:"postal_code"`
		City       string `json:"city"`
	}
	swedishProtectionRequest struct {
		Number       string `json:"number"`
		Mark         bool   `json:"mark"`
		Registration bool   `json:"registration"`
	}
	deathRequest struct {
		Number string `json:"number"`
		Day    string `json:"day"`
	}
	mostRequest struct {
		Most int `json:"most"`
	}
	danishAddressRequest struct {
		Number       string   `json:"number"`
		Municipality string   `json:"municipality"`
		Road         string   `json:"road"`
		House        string   `json:"house"`
		Floor        string   `json:"floor"`
		Door         string   `json:"door"`
		CareOf       string   `json:"care_of"`
		Locality     string   `json:"locality"`
		Standard     string   `json:"standard"`
		Town         string   `json:"town"`
		Street       string   `json:"street"`
		PostalCode   string   `json:"postal_code"`
		District     string   `json:"district"`
		Extra        []string `json:"extra"`
	}
	danishProtectionRequest struct {
		Number string `json:"number"`
		Type   string `json:"type"`
		On     bool   `json:"on"`
	}
	numbersRequest struct {
		Numbers []string `json:"numbers"`
	}
	nothing        struct{}
	countsResponse struct {
		SPAR      trouble.Counts `json:"spar"`
		SF1520    trouble.Counts `json:"sf1520"`
		EIndkomst trouble.Counts `json:"eindkomst"`
	}
)

// AdminHandler serves the admin interface: JSON by POST. It has no access control, and belongs on a loopback listener only; pages of
// a browser are refused.
func (s *Simulator) AdminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v1/trouble", admin(s.adminTrouble))
	mux.Handle("POST /v1/counts", admin(func(context.Context, nothing) (any, error) {
		return countsResponse{SPAR: s.SPARCounts(), SF1520: s.SF1520Counts(), EIndkomst: s.EIndkomstCounts()}, nil
	}))
	mux.Handle("POST /v1/spar/address", admin(func(_ context.Context, q swedishAddressRequest) (any, error) {
		return nothing{}, s.SetSwedishAddress(q.Number, persons.SwedishAddress{
			CareOf: q.CareOf, Line1: q.Line1, Line2: q.Line2, PostalCode: q.PostalCode, City: q.City,
		})
	}))
	mux.Handle("POST /v1/spar/protection", admin(func(_ context.Context, q swedishProtectionRequest) (any, error) {
		return nothing{}, s.SetSwedishProtection(q.Number, q.Mark, q.Registration)
	}))
	mux.Handle("POST /v1/spar/death", admin(func(_ context.Context, q deathRequest) (any, error) {
		return nothing{}, s.SetSwedishDeath(q.Number, q.Day)
	}))
	mux.Handle("POST /v1/spar/max-answers", admin(func(_ context.Context, q mostRequest) (any, error) {
		return nothing{}, s.SetMaxAnswers(q.Most)
	}))
	mux.Handle("POST /v1/cpr/address", admin(s.adminDanishAddress))
	mux.Handle("POST /v1/cpr/protection", admin(func(_ context.Context, q danishProtectionRequest) (any, error) {
		return nothing{}, s.SetDanishProtection(q.Number, q.Type, q.On)
	}))
	mux.Handle("POST /v1/cpr/death", admin(func(_ context.Context, q deathRequest) (any, error) {
		return nothing{}, s.SetDanishDeath(q.Number, q.Day)
	}))
	mux.Handle("POST /v1/cpr/subscriptions", admin(func(context.Context, nothing) (any, error) {
		return numbersRequest{Numbers: s.Subscribed()}, nil
	}))
	mux.Handle("POST /v1/cpr/subscribe", admin(func(_ context.Context, q numbersRequest) (any, error) {
		return nothing{}, s.Subscribe(q.Numbers...)
	}))
	mux.Handle("POST /v1/cpr/unsubscribe", admin(func(_ context.Context, q numbersRequest) (any, error) {
		s.Unsubscribe(q.Numbers...)
		return nothing{}, nil
	}))
	mux.Handle("POST /v1/cpr/deliver", admin(func(ctx context.Context, _ nothing) (any, error) { return s.Deliver(ctx) }))
	s.adminIncome(mux)
	return http.NewCrossOriginProtection().Handler(mux)
}

func (s *Simulator) adminTrouble(ctx context.Context, q troubleRequest) (any, error) {
	if q.LatencyMS < 0 || q.LatencyMS > trouble.MaxLatency.Milliseconds() {
		return nil, trouble.ErrInvalid
	}
	t := trouble.Trouble{Kind: q.Kind, Latency: time.Duration(q.LatencyMS) * time.Millisecond, Requests: q.Requests}
	host := s.troubled()[q.Register]
	if host == nil {
		return nil, fmt.Errorf("%w: register is one of %s", errAdmin, strings.Join(troubledNames(), ", "))
	}
	return nothing{}, host.Set(ctx, t)
}

func (s *Simulator) adminDanishAddress(_ context.Context, q danishAddressRequest) (any, error) {
	return nothing{}, s.SetDanishAddress(q.Number, persons.DanishAddress{
		Municipality: q.Municipality, Road: q.Road, House: q.House, Floor: q.Floor, Door: q.Door, CareOf: q.CareOf, Locality: q.Locality,
		Standard: q.Standard, Town: q.Town, Street: q.Street, PostalCode: q.PostalCode, District: q.District, Extra: q.Extra,
	})
}

// admin makes a handler of a function from a request to a response.
func admin[Q any](do func(context.Context, Q) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q Q
		err := decode(w, r, &q)
		var response any
		if err == nil {
			response, err = do(r.Context(), q)
		}
		reply(w, response, err)
	})
}

// reply answers with a response or an error.
func reply(w http.ResponseWriter, response any, err error) {
	status := http.StatusOK
	if err != nil {
		status, response = statusOf(err), map[string]string{"error": err.Error()}
	}
	raw, err := json.Marshal(response)
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n')) // the caller may have gone away
}

func statusOf(err error) int {
	if status := incomeStatus(err); status != 0 {
		return status
	}
	for target, status := range map[error]int{
		errAdmin: http.StatusBadRequest, trouble.ErrInvalid: http.StatusBadRequest, spar.ErrInvalid: http.StatusBadRequest,
		cpr.ErrInvalid: http.StatusBadRequest, direkte.ErrNumber: http.StatusBadRequest, spar.ErrUnknown: http.StatusNotFound,
		cpr.ErrUnknown: http.StatusNotFound, direkte.ErrExists: http.StatusConflict,
	} {
		if errors.Is(err, target) {
			return status
		}
	}
	return http.StatusInternalServerError
}

// decode reads one JSON object with known keys in their exact spelling, each once. Its errors never repeat the input.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return fmt.Errorf("%w: the content type is application/json", errAdmin)
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdmin))
	if err != nil {
		return fmt.Errorf("%w: the body can't be read or is too large", errAdmin)
	}
	if err := checkKeys(raw); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%w: an unknown key or a value of a wrong type", errAdmin)
	}
	return nil
}

// checkKeys refuses what encoding/json lets through: keys that differ in case, keys that occur twice, and anything after the object.
// Our requests are flat, so only the outermost object has keys.
func checkKeys(raw []byte) error {
	spelling := regexp.MustCompile(`^[a-z0-9_]+$`)
	dec := json.NewDecoder(bytes.NewReader(raw))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return fmt.Errorf("%w: a JSON object is expected", errAdmin)
	}
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		key, ok := tok.(string)
		if err != nil || !ok || seen[key] || !spelling.MatchString(key) {
			return fmt.Errorf("%w: a key that is unknown or occurs twice", errAdmin)
		}
		seen[key] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return fmt.Errorf("%w: no valid JSON", errAdmin)
		}
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("%w: no valid JSON", errAdmin)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something after the object", errAdmin)
	}
	return nil
}
