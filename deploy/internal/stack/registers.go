package stack

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"samvirke.dev/deploy/internal/localca"
	"samvirke.dev/deploy/registers"
	"samvirke.dev/deploy/registers/eindkomst"
	"samvirke.dev/services/platform/clock"
)

// Registers are simulated registers in this process, to which a stack's services are connected. What they know can be
// changed while they run; see registers.Simulator.
type Registers struct {
	*registers.Simulator

	// CopyAge is how old a copy of a Swede gets before SPAR is asked again.
	CopyAge time.Duration

	deliveries string
	client     localca.Files
	// signing is what the income service signs with, and income the certificate that eIndkomst signs with.
	signing localca.Files
	income  string
}

// StartRegisters starts the registers on free ports of the loopback interface, with an authority of their own: like the real ones they
// know nothing of Vault and SPIFFE. Everything they need lies in dir. Close ends them.
func StartRegisters(ctx context.Context, dir string, log *slog.Logger) (*Registers, error) {
	r := &Registers{CopyAge: copyAge, deliveries: filepath.Join(dir, "deliveries")}
	if err := os.MkdirAll(r.deliveries, 0o700); err != nil {
		return nil, fmt.Errorf("registers: %w", err)
	}
	ca, err := localca.New(clock.System(), "registers", callerLife)
	if err != nil {
		return nil, err
	}
	server, err := ca.IssueLocal(dir, "register", callerLife)
	if err != nil {
		return nil, err
	}
	if r.client, err = ca.IssueLocal(dir, "customer", callerLife); err != nil {
		return nil, err
	}
	if r.signing, err = ca.IssueRSA(dir, "subscriber", callerLife); err != nil {
		return nil, err
	}
	skat, err := ca.IssueRSA(dir, "eindkomst", callerLife)
	if err != nil {
		return nil, err
	}
	r.income = skat.Cert
	pair, err := tls.LoadX509KeyPair(skat.Cert, skat.Key)
	if err != nil {
		return nil, fmt.Errorf("registers: %w", err)
	}
	conf, err := registers.LoadTLS(server.Cert, server.Key, server.CA)
	if err != nil {
		return nil, err
	}
	const free = "127.0.0.1:0"
	r.Simulator, err = registers.New(registers.Config{
		SPAR: free, SF1520: free, Admin: free, TLS: conf, Deliveries: r.deliveries, Income: registers.Income{Listen: free, Signing: &pair},
	}, registers.Deps{Clock: clock.System(), Logger: log})
	if err != nil {
		return nil, err
	}
	return r, r.Start(ctx)
}

// The sandbox is impatient: what takes a day with the real registers takes a moment.
const (
	copyAge   = 2 * time.Second        // of Swedes, about whom SPAR is asked again and again
	openFor   = 500 * time.Millisecond // how long a register that fails is left alone
	lookEvery = 200 * time.Millisecond // for persons who are due, and for deliveries
)

// DeliveryDir is the folder into which CPR Direkte puts its files.
func (r *Registers) DeliveryDir() string { return r.deliveries }

// config is the part of identityd's configuration that connects it.
func (r *Registers) config() map[string]any {
	type m = map[string]any
	access := registers.DefaultInvocation()
	connect := func(url string, age time.Duration, more m) m {
		more["url"], more["cert_file"], more["key_file"], more["ca_file"] = url, r.client.Cert, r.client.Key, r.client.CA
		more["guard"] = m{"open_for": openFor.String()}
		more["copies"] = m{"every": age.String(), "retry": lookEvery.String(), "end_user": "samvirke-sandbox"}
		return more
	}
	return m{
		"look_every": lookEvery.String(),
		"spar": connect(r.SPARURL(), r.CopyAge, m{
			"assignment": m{"recipient": registers.Customer, "customer": registers.Customer, "id": registers.Assignment},
		}),
		"cpr": connect(r.SF1520URL(), time.Hour, m{ // CPR tells by deliveries
			"context": m{
				"service_agreement_uuid": access.ServiceAgreement, "user_system_uuid": access.UserSystem, "user_uuid": access.User,
				"service_uuid": access.Service,
			},
			"subscriptions": m{"url": r.SubscriptionURL(), "service_uuid": registers.DefaultSubscription().Service, "deliveries": r.deliveries},
		}),
	}
}

// incomeConfig is the part of incomed's configuration that connects it.
func (r *Registers) incomeConfig() map[string]any {
	type m = map[string]any
	agreement := registers.DefaultIncomeSubscription()
	return m{
		"url": r.EIndkomstURL(), "cert_file": r.signing.Cert, "key_file": r.signing.Key, "ca_file": r.signing.CA,
		"signing":         m{"register_file": r.income},
		"divide_on_codes": []string{eindkomst.CodeTooMuch},
		"subscription": m{
			"abonnent_type": agreement.AbonnentType, "abonnement_type": agreement.AbonnementType, "formaal": agreement.Formaal,
			"se_number": agreement.SENumber, "employee": "samvirke-sandbox",
		},
	}
}
