package registers

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"slices"

	"samvirke.dev/deploy/registers/eindkomst"
	"samvirke.dev/deploy/registers/eindkomst/signed"
	"samvirke.dev/deploy/registers/eindkomst/upload"
	"samvirke.dev/deploy/registers/soap"
	"samvirke.dev/deploy/registers/trouble"
)

// Income says how eIndkomst is simulated.
type Income struct {
	Listen        string // `host:port`; port 0 takes a free one; empty for no eIndkomst
	Path          string // SKAT's own when empty
	Subscriptions []eindkomst.Subscription
	// Signing is the RSA certificate that answers are signed with; requests must then be signed by somebody whom TLS lets in. Nil
	// for mutual TLS alone.
	Signing *tls.Certificate
	// Most and PositiveReversals are those of eindkomst.Deps.
	Most              int
	PositiveReversals bool
}

// DefaultIncomeSubscription is the agreement under which eIndkomst answers: placeholders, no real one's. The SE number breaks the control
// digit that real ones obey.
func DefaultIncomeSubscription() eindkomst.Subscription {
	return eindkomst.Subscription{AbonnentType: "100", AbonnementType: "1000", Formaal: "10", SENumber: "90000000"}
}

// income is eIndkomst in a simulator.
type income struct {
	book    *eindkomst.Book
	service *eindkomst.Service
	host    *trouble.Host
}

func newIncome(cfg *Config, d Deps) (*income, error) {
	in := &cfg.Income
	in.Path = cmp.Or(in.Path, eindkomst.Path)
	if len(in.Subscriptions) == 0 {
		in.Subscriptions = []eindkomst.Subscription{DefaultIncomeSubscription()}
	}
	var security soap.Security
	if in.Signing != nil {
		signer, err := signed.New(*in.Signing, cfg.TLS.ClientCAs, d.Clock)
		if err != nil {
			return nil, err
		}
		security = signer
	}
	i := &income{book: eindkomst.NewBook(d.Clock)}
	var err error
	i.service, err = eindkomst.New(eindkomst.Deps{
		Clock: d.Clock, Book: i.book, Subscriptions: in.Subscriptions, Most: in.Most, PositiveReversals: in.PositiveReversals, Security: security,
		Count: func(outcome string) { i.host.Count(outcome) },
	})
	if err != nil {
		return nil, err
	}
	i.host, err = host(cfg.TLS, d.Logger.With("register", nameEIndkomst), map[string]simulated{in.Path: i.service})
	return i, err
}

// EIndkomstURL is where clients call eIndkomst; empty without one.
func (s *Simulator) EIndkomstURL() string {
	if s.cfg.Income.Listen == "" {
		return ""
	}
	return "https://" + s.income.host.Addr() + s.cfg.Income.Path
}

// SetEIndkomstTrouble makes eIndkomst misbehave; the zero value ends it.
func (s *Simulator) SetEIndkomstTrouble(ctx context.Context, t trouble.Trouble) error {
	return s.income.host.Set(ctx, t)
}

// EIndkomstCounts tells what eIndkomst has been asked.
func (s *Simulator) EIndkomstCounts() trouble.Counts { return s.income.host.Counts() }

// UploadIncome is eindkomst.Book.Upload.
func (s *Simulator) UploadIncome(r io.Reader) (int, error) { return s.income.book.Upload(r) }

// CorrectIncome is eindkomst.Book.Correct.
func (s *Simulator) CorrectIncome(cpr, employer, month string, hours, ore int64) error {
	return s.income.book.Correct(cpr, employer, month, hours, ore)
}

// TellIncomeTwice is eindkomst.Service.TellTwice.
func (s *Simulator) TellIncomeTwice(requests int) error { return s.income.service.TellTwice(requests) }

type (
	correctRequest struct {
		Number    string `json:"number"`
		Employer  string `json:"employer"`
		Month     string `json:"month"`
		Hours     int64  `json:"hours_centi"`
		IncomeOre int64  `json:"income_ore"`
	}
	twiceRequest struct {
		Requests int `json:"requests"`
	}
	uploadResponse struct {
		Reports int `json:"reports"`
	}
)

// maxUpload bounds an upload file.
const maxUpload = 512 << 20

// adminIncome adds the admin requests of eIndkomst.
func (s *Simulator) adminIncome(mux *http.ServeMux) {
	mux.Handle("POST /v1/eindkomst/correct", admin(func(_ context.Context, q correctRequest) (any, error) {
		return nothing{}, s.CorrectIncome(q.Number, q.Employer, q.Month, q.Hours, q.IncomeOre)
	}))
	mux.Handle("POST /v1/eindkomst/twice", admin(func(_ context.Context, q twiceRequest) (any, error) {
		return nothing{}, s.TellIncomeTwice(q.Requests)
	}))
	mux.HandleFunc("POST /v1/eindkomst/upload", func(w http.ResponseWriter, r *http.Request) {
		n, err := s.UploadIncome(http.MaxBytesReader(w, r.Body, maxUpload))
		reply(w, uploadResponse{Reports: n}, err)
	})
}

// incomeStatus is the HTTP status of an error of eIndkomst's, 0 for another.
func incomeStatus(err error) int {
	switch {
	case errors.Is(err, eindkomst.ErrInvalid), errors.Is(err, upload.ErrMalformed):
		return http.StatusBadRequest
	case errors.Is(err, eindkomst.ErrUnknown):
		return http.StatusNotFound
	}
	return 0
}

// troubled are the registers that can be made to misbehave, by the name of admin requests.
func (s *Simulator) troubled() map[string]*trouble.Host {
	return map[string]*trouble.Host{nameSPAR: s.sparHost, nameSF1520: s.sf1520Host, nameEIndkomst: s.income.host}
}

// troubledNames are their names.
func troubledNames() []string {
	return slices.Sorted(slices.Values([]string{nameSPAR, nameSF1520, nameEIndkomst}))
}
