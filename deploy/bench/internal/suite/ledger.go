package suite

import (
	"context"
	"fmt"
	"path/filepath"

	"samvirke.dev/certs/workload"
	"samvirke.dev/deploy/internal/localca"
	"samvirke.dev/deploy/internal/scene"
	"samvirke.dev/deploy/internal/stack"
)

// The calls of the ledger. Each is measured in records, not in messages: so many are durable a second.
const (
	// CallShip is what one service alone ships, with as many batches under way as a service has.
	CallShip = "ledger.Ship"
	// CallShipMany is what several services ship at once.
	CallShipMany = "ledger.ShipMany"
	// CallReceipt are services that ship 20 000 records a second together; its latencies are from an event until the fund holds its receipt.
	CallReceipt = "ledger.Receipt"
	// CallCheck is the check of receipts with the public key alone.
	CallCheck = "ledger.Check"
	// callTessera is what Tessera alone takes, in the load process.
	callTessera = "ledger.tessera"
)

const (
	ledgerName = "ledger"
	// senders is how many services ship at once.
	senders = 4
)

func ledgerService() Service {
	return Service{
		Name: ledgerName, Calls: []string{CallShip, CallShipMany, CallReceipt, CallCheck}, Start: startLedger, Prepare: ledgerLanes,
		Special: map[string]Special{
			CallShip:     {InFlight: 1, Baseline: callTessera},
			CallShipMany: {InFlight: senders, Baseline: callTessera},
			CallReceipt:  {InFlight: senders, Alone: true},
			CallCheck:    {InFlight: 1, Alone: true},
		},
	}
}

// ledgerData is what the load process needs to know.
type ledgerData struct {
	Dir          string        `json:"dir"`
	Addr         string        `json:"addr"`
	ServerID     string        `json:"server_id"`
	Service      localca.Files `json:"service"` // certificate of the service that ships
	Organisation string        `json:"organisation"`
	Keys         []byte        `json:"keys"` // the ledger's public keys
}

// startLedger starts auditd alone, with a certificate for the load process in the name of the identity service.
func startLedger(ctx context.Context, in Stage) (*Running, error) {
	in.idle = []string{stack.IdentityName}
	running, err := together(ctx, in, []string{stack.IdentityName, stack.AuditName}, func(ctx context.Context, suite *stack.Stack, s *scene.Scene) (any, error) {
		id, err := workload.Service(stack.TrustDomain, stack.IdentityName)
		if err != nil {
			return nil, err
		}
		files, err := suite.IssueService(ctx, id)
		if err != nil {
			return nil, err
		}
		keys, err := suite.Command(ctx, stack.AuditName, "key")
		return &ledgerData{Dir: filepath.Join(in.Dir, "tessera"), Service: files, Organisation: s.Cast.DanishFund.Org(), Keys: keys}, err
	})
	if err != nil {
		return nil, err
	}
	if data, ok := running.Data.(*ledgerData); ok {
		data.Addr, data.ServerID = running.Connect.Addr, running.Connect.ServerID
		return running, nil
	}
	return nil, fmt.Errorf("data of the ledger: %T", running.Data)
}
