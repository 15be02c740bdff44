package stack

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"samvirke.dev/deploy/internal/localca"
	"samvirke.dev/deploy/registers"
	"samvirke.dev/services/platform/clock"
)

// Registers are simulated population registers in this process, to which a stack's identity service is connected. What they know can be
// changed while they run; see registers.Simulator.
type Registers struct {
	*registers.Simulator

	deliveries string
	client     localca.Files
}

// StartRegisters starts the registers on free ports of the loopback interface, with an authority of their own: like the real ones they
// know nothing of Vault and SPIFFE. Everything they need lies in dir. Close ends them.
func StartRegisters(ctx context.Context, dir string, log *slog.Logger) (*Registers, error) {
	r := &Registers{deliveries: filepath.Join(dir, "deliveries")}
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
	conf, err := registers.LoadTLS(server.Cert, server.Key, server.CA)
	if err != nil {
		return nil, err
	}
	const free = "127.0.0.1:0"
	r.Simulator, err = registers.New(registers.Config{SPAR: free, SF1520: free, Admin: free, TLS: conf, Deliveries: r.deliveries},
		registers.Deps{Clock: clock.System(), Logger: log})
	if err != nil {
		return nil, err
	}
	return r, r.Start(ctx)
}

// The sandbox is impatient: what takes a day with the real registers takes a moment.
const (
	copyAge   = 2 * time.Second
	lookEvery = 200 * time.Millisecond
)

// config is the part of identityd's configuration that connects it.
func (r *Registers) config() map[string]any {
	type m = map[string]any
	access := registers.DefaultInvocation()
	connect := func(url string, more m) m {
		more["url"], more["cert_file"], more["key_file"], more["ca_file"] = url, r.client.Cert, r.client.Key, r.client.CA
		more["copies"] = m{"every": copyAge.String(), "retry": lookEvery.String(), "end_user": "samvirke-sandbox"}
		return more
	}
	return m{
		"look_every": lookEvery.String(),
		"spar": connect(r.SPARURL(), m{
			"assignment": m{"recipient": registers.Customer, "customer": registers.Customer, "id": registers.Assignment},
		}),
		"cpr": connect(r.SF1520URL(), m{
			"context": m{
				"service_agreement_uuid": access.ServiceAgreement, "user_system_uuid": access.UserSystem, "user_uuid": access.User,
				"service_uuid": access.Service,
			},
			"subscriptions": m{"url": r.SubscriptionURL(), "service_uuid": registers.DefaultSubscription().Service, "deliveries": r.deliveries},
		}),
	}
}
