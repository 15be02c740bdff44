package suite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"samvirke.dev/deploy/internal/localca"
	"samvirke.dev/deploy/internal/scene"
	"samvirke.dev/deploy/internal/stack"
)

// movers is how many Danish persons can move at least: nobody moves twice.
const movers = 10_000

func transferService() Service {
	return Service{
		Name: stack.TransferName, Calls: []string{CallRecordDues, CallCreate, CallMove}, Start: startTransfer, Prepare: transferLanes,
	}
}

// transferData is what the load process needs to know.
type transferData struct {
	Movers   string        `json:"movers"`   // file of mover lines
	To       string        `json:"to"`       // the fund that they move to, which calls over the target's connections
	From     string        `json:"from"`     // the fund that they leave
	Address  string        `json:"address"`  // of the transfer service, for the fund that they leave
	Server   string        `json:"server"`   // its SPIFFE id
	Files    localca.Files `json:"files"`    // of the fund that they leave
	Identity string        `json:"identity"` // address of the identity service, which knows handles
	Register string        `json:"register"` // its SPIFFE id
	Own      localca.Files `json:"own"`      // of the fund that they move to
}

// startTransfer starts transferd for two Danish funds with the identity service behind it, as an operator would.
func startTransfer(ctx context.Context, in Stage) (*Running, error) {
	if slices.Contains(in.Calls, CallMove) {
		in.Persons = max(in.Persons, 3*movers) // of whom half are Danes
	}
	return together(ctx, in, []string{stack.IdentityName, stack.TransferName}, func(ctx context.Context, suite *stack.Stack, s *scene.Scene) (any, error) {
		to, from := s.Cast.DanishFund, s.Cast.OtherDanishFund
		data := transferData{
			To: to.Org(), From: from.Org(), Address: suite.Addr(stack.TransferName), Files: suite.Files(from), Identity: suite.Addr(stack.IdentityName),
			Own: suite.Files(to), Movers: filepath.Join(in.Dir, "movers.tsv"),
		}
		for name, into := range map[string]*string{stack.TransferName: &data.Server, stack.IdentityName: &data.Register} {
			id, err := stack.ServiceID(name)
			if err != nil {
				return nil, err
			}
			*into = id.String()
		}
		people, err := importPeople(ctx, suite, in)
		if err != nil {
			return nil, err
		}
		return data, writeMovers(data, people, s)
	})
}

// writeMovers writes each Dane with a power of attorney: number, name and assertion, separated by tabs.
func writeMovers(data transferData, people string, s *scene.Scene) (err error) {
	all, err := os.ReadFile(people)
	if err != nil {
		return fmt.Errorf("people: %w", err)
	}
	f, err := os.Create(data.Movers)
	if err != nil {
		return fmt.Errorf("movers: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriter(f)
	for line := range strings.Lines(string(all)) {
		rest, danish := strings.CutPrefix(line, "DK\t")
		if !danish {
			continue
		}
		number, _, _ := strings.Cut(rest, "\t")
		poa, err := s.Cast.PowerOfAttorney("DK:"+number, data.To, data.From, "contact_current_fund", "exit", "data")
		if err != nil {
			return err
		}
		// The writer keeps its first error for Flush.
		_, _ = out.WriteString(strings.TrimSuffix(rest, "\n") + "\t" + poa + "\n")
	}
	return out.Flush()
}
