package income

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/register/eindkomst"
	"samvirke.dev/services/income/internal/register/eindkomst/wssec"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/resilience"
	"samvirke.dev/services/platform/soap"
)

// EIndkomst is the connection to Denmark's income register. Without a URL nobody is asked, and what funds upload is all there is.
type EIndkomst struct {
	URL           string                  `yaml:"url" class:"internal" doc:"https URL of SKAT's IndkomstOplysningPersonHent; empty to do without the register"`
	CertFile      string                  `yaml:"cert_file" class:"internal" doc:"PEM file with the certificate by which the register knows us, and its intermediates"`
	KeyFile       string                  `yaml:"key_file" class:"internal" doc:"PEM file with that certificate's key; RSA if bodies are signed"`
	CAFile        string                  `yaml:"ca_file" class:"internal" doc:"PEM file with the authorities of the register's own certificate"`
	Signing       Signing                 `yaml:"signing"`
	Subscription  Subscription            `yaml:"subscription"`
	Controllers   map[string]Subscription `yaml:"controllers" class:"internal" doc:"subscriptions of single controllers, whole, by id such as DK:12345678"`
	Search        string                  `yaml:"search" class:"public" doc:"by what a month is asked for: pay_period or basis_month"`
	Reversals     string                  `yaml:"reversals" class:"public" doc:"figures of reports that take others back: negative or positive"`
	IncomeTypes   []int                   `yaml:"income_types" class:"public" doc:"kinds of income (Indkomsttype) that count as paid work"`
	DivideOnCodes []string                `yaml:"divide_on_codes" class:"public" doc:"SKAT's error codes upon which fewer persons are asked for at once"`
	Batch         int                     `yaml:"batch" class:"public" doc:"most persons in one request"`
	Linger        time.Duration           `yaml:"linger" class:"public" doc:"how long a question waits for others to share a request with"`
	Guard         resilience.Config       `yaml:"guard"`
}

// Signing says how messages are signed.
type Signing struct {
	RegisterFile string `yaml:"register_file" class:"internal" doc:"PEM file with the certificates that the register signs answers with; empty for mutual TLS without signatures"`
	Hash         string `yaml:"hash" class:"public" doc:"sha256, or sha1 for a register that keeps to the suite Basic256"`
}

// Subscription is an agreement with SKAT.
type Subscription struct {
	AbonnentType   string `yaml:"abonnent_type" class:"internal" doc:"AbonnentTypeKode"`
	AbonnementType string `yaml:"abonnement_type" class:"internal" doc:"AbonnementTypeKode"`
	Formaal        string `yaml:"formaal" class:"internal" doc:"AdgangFormaalTypeKode"`
	SENumber       string `yaml:"se_number" class:"internal" doc:"SE number of the subscriber"`
	Employee       string `yaml:"employee" class:"internal" doc:"who asks, as SKAT logs it; empty to leave it out"`
}

// DefaultEIndkomst returns the defaults.
func DefaultEIndkomst() EIndkomst {
	guard := resilience.DefaultConfig()
	// A month is asked for in bulk: answers take their time, and questions are better late than not at all.
	guard.Timeout, guard.HedgeAfter, guard.Wait, guard.MaxInFlight, guard.Window = 20*time.Second, 0, time.Minute, 8, 2*time.Minute
	return EIndkomst{
		Signing: Signing{Hash: "sha256"}, Search: string(eindkomst.ByPayPeriod), Reversals: string(eindkomst.ReversalsNegative),
		IncomeTypes: eindkomst.DefaultPay(), Batch: eindkomst.DefaultBatch, Linger: eindkomst.DefaultLinger, Guard: guard,
	}
}

// Validate reports what is missing of a connection that is wanted. What the register itself checks is left to it.
func (e EIndkomst) Validate() error {
	if e.URL == "" {
		return nil
	}
	var problems []error
	want := func(ok bool, text string) {
		if !ok {
			problems = append(problems, errors.New(text))
		}
	}
	want(e.CertFile != "", "cert_file: is missing")
	want(e.KeyFile != "", "key_file: is missing")
	want(e.CAFile != "", "ca_file: is missing")
	want(e.Signing.Hash == "sha256" || e.Signing.Hash == "sha1", "signing.hash: want sha256 or sha1")
	want(e.Linger >= time.Microsecond, "linger: want at least 1µs")
	problems = append(problems, e.Guard.Validate())
	return errors.Join(problems...)
}

// registerDeps is what the register reports to.
type registerDeps struct {
	log    *slog.Logger
	meter  metric.Meter
	traces trace.TracerProvider
	clock  clock.Clock
}

// connect opens the connection; nothing is asked yet. It returns how to make the register, nil without a URL, and what closes it.
func (e EIndkomst) connect(d registerDeps) (_ func(core.Numbers) (core.Register, error), closing func() error, err error) {
	nothing := func() error { return nil }
	if e.URL == "" {
		return nil, nothing, nil
	}
	files, err := mtls.Files(e.CertFile, e.KeyFile, e.CAFile)
	if err != nil {
		return nil, nothing, fmt.Errorf("eindkomst: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("eindkomst: %w", err), files.Close())
		}
	}()
	conf, err := mtls.OutsideConfig(files)
	if err != nil {
		return nil, nothing, err
	}
	own := soap.Deps{URL: e.URL, TLS: conf, Register: eindkomst.Name, Repeatable: true, Timeout: e.Guard.Timeout, TracerProvider: d.traces}
	if own.Security, err = e.security(files, d.clock); err != nil {
		return nil, nothing, err
	}
	client, err := soap.New(own)
	if err != nil {
		return nil, nothing, err
	}
	closing = func() error { client.Close(); return files.Close() }
	return func(numbers core.Numbers) (core.Register, error) { return e.register(client, numbers, d) }, closing, nil
}

// security is how messages are signed; nil for not at all.
func (e EIndkomst) security(files *mtls.FileSource, clk clock.Clock) (soap.Security, error) {
	if e.Signing.RegisterFile == "" {
		return nil, nil //nolint:nilnil // no signatures are wanted
	}
	raw, err := os.ReadFile(e.Signing.RegisterFile)
	if err != nil {
		return nil, fmt.Errorf("signing.register_file: %w", err)
	}
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("signing.register_file: %w", err)
		}
		certificates = append(certificates, c)
	}
	hash := crypto.SHA256
	if e.Signing.Hash == "sha1" {
		hash = crypto.SHA1
	}
	return wssec.New(wssec.Deps{Certificate: files.Certificate, Register: certificates, Hash: hash, Clock: clk})
}

func (e EIndkomst) register(client *soap.Client, numbers core.Numbers, d registerDeps) (core.Register, error) {
	controllers := make(map[string]eindkomst.Subscription, len(e.Controllers))
	for id, s := range e.Controllers {
		controllers[id] = eindkomst.Subscription(s)
	}
	r, err := eindkomst.New(eindkomst.Deps{
		Caller: client, Subscription: eindkomst.Subscription(e.Subscription), Controllers: controllers, Search: eindkomst.Search(e.Search),
		Reversals: eindkomst.Reversals(e.Reversals), Pay: e.IncomeTypes, Divide: e.DivideOnCodes, Batch: e.Batch, Numbers: numbers, Clock: d.clock,
		Guard: e.Guard, Logger: d.log, Meter: d.meter,
	})
	if err != nil {
		return nil, err
	}
	return eindkomst.Gather(r, e.Linger)
}
