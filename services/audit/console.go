package audit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/audit/internal/api"
	"samvirke.dev/services/audit/internal/console"
	"samvirke.dev/services/audit/internal/core"
	"samvirke.dev/services/audit/internal/record"
	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/authz"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/ids"
)

// Console says who may look at the web console and where.
type Console struct {
	Listen  string   `yaml:"listen" class:"public" doc:"address and port of the web console over mutual TLS, for the viewers; none when empty"`
	Viewers []string `yaml:"viewers" class:"public" doc:"SPIFFE ids whose certificates may look at the console"`
	Local   Local    `yaml:"local" class:"public" doc:"a console for a sandbox, with a sign-in instead of certificates"`
}

// Local is a console for this machine alone.
type Local struct {
	Listen    string `yaml:"listen" class:"public" doc:"loopback address and port; outside production only; none when empty"`
	TokenFile string `yaml:"token_file" class:"internal" doc:"file with the token of the one sign-in, 16 random bytes or more as text; deleted when it was read"`
}

func (c Console) enabled() bool { return c.Listen != "" || c.Local.Listen != "" }

// validate reports what is wrong, all at once.
func (c Console) validate(environment string) error {
	var problems []error
	want := func(ok bool, message string) {
		if !ok {
			problems = append(problems, errors.New(message))
		}
	}
	if c.Listen != "" {
		_, _, err := net.SplitHostPort(c.Listen)
		want(err == nil, "console.listen: want address:port or nothing")
		want(len(c.Viewers) > 0, "console.viewers: want the SPIFFE ids of those who may look; without any, leave console.listen empty")
	}
	for _, v := range c.Viewers {
		_, err := workload.Parse(v)
		want(err == nil, "console.viewers: want SPIFFE ids")
	}
	if c.Local.Listen != "" {
		host, _, err := net.SplitHostPort(c.Local.Listen)
		ip := net.ParseIP(host)
		want(err == nil && ip != nil && ip.IsLoopback(), "console.local.listen: want a loopback address and port, or nothing")
		want(environment != chassis.Production, "console.local.listen: a sign-in without certificates is not for production")
		want(c.Local.TokenFile != "", "console.local.token_file: want the file with the sign-in token")
	}
	return errors.Join(problems...)
}

// gate reads who may look.
func (c Console) gate() (*console.Gate, error) {
	var viewers []workload.ID
	for _, v := range c.Viewers {
		id, err := workload.Parse(v)
		if err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
		viewers = append(viewers, id)
	}
	if c.Local.Listen == "" {
		return console.NewGate(viewers, "")
	}
	raw, err := os.ReadFile(c.Local.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("console: sign-in token: %w", err)
	}
	if err := os.Remove(c.Local.TokenFile); err != nil {
		return nil, fmt.Errorf("console: sign-in token: %w", err)
	}
	return console.NewGate(viewers, strings.TrimSpace(string(raw)))
}

// Looks is what the console needs beside the insides.
type Looks struct {
	// Recorder writes the record of each look.
	Recorder *audit.Recorder
	// Names returns an organisation's name, or "".
	Names func(id string) string
	Gate  *console.Gate
}

// NewConsole builds the web console over the insides.
func (p *Parts) NewConsole(l Looks) (*console.Console, error) {
	return console.New(console.Deps{
		Records: p.Store, Exchange: p.exchange(console.ErrErased), Receipt: p.outline, Keys: p.keys, Note: noteLooks(l.Recorder), Names: l.Names,
		Fleet: p.fleet.members, Log: p.state, Clock: p.d.Clock, Logger: p.d.Log, Gate: l.Gate,
	})
}

// exchange opens the part of a row that both parties may see; erased is the error for a row whose time was over.
func (p *Parts) exchange(erased error) func(context.Context, store.Row) (*auditv1.Record, error) {
	return func(_ context.Context, row store.Row) (*auditv1.Record, error) {
		parts, ok, err := p.Core.Exchange(&row)
		switch {
		case err != nil:
			return nil, err
		case !ok:
			return nil, erased
		}
		return record.Join(&parts)
	}
}

func (p *Parts) outline(ctx context.Context, event string, item uint32) (*auditv1.Receipt, error) {
	id, err := record.EventID(event)
	if err != nil {
		return nil, err
	}
	receipt, err := p.Core.Outline(ctx, id, item)
	switch {
	case errors.Is(err, core.ErrNotFound):
		return nil, store.ErrNotFound
	case err != nil:
		return nil, err
	}
	return api.ReceiptOf(receipt), nil
}

func (p *Parts) keys() (out []string) {
	for _, k := range p.Ledger.Keys() {
		out = append(out, k.String())
	}
	return out
}

// state tells how far the present log is signed. The checkpoint bears no time of its own; its file does.
func (p *Parts) state(ctx context.Context) (console.Log, error) {
	shards, err := p.Store.Shards(ctx)
	if err != nil || len(shards) == 0 {
		return console.Log{}, err
	}
	last := shards[len(shards)-1]
	out := console.Log{Size: last.Size}
	cp, err := p.Ledger.Checkpoint(ctx, last.Number)
	if err != nil {
		out.Problem = "There is no checkpoint that can be read and is signed by the ledger's key."
		p.d.Log.WarnContext(ctx, "the console found no checkpoint", "shard", last.Number, "error", err)
		return out, nil
	}
	out.Origin, out.Signed, out.Checkpoint = cp.Origin, cp.Size, string(cp.Raw)
	if info, err := os.Stat(filepath.Join(p.Ledger.Dir(last.Number), "checkpoint")); err == nil {
		out.SignedAt = info.ModTime()
	}
	return out, nil
}

// noteLooks records each look like an exchange: who, when, which event, how many records.
func noteLooks(recorder *audit.Recorder) func(context.Context, console.Reading) error {
	return func(ctx context.Context, r console.Reading) error {
		return recorder.CloseRead(ctx, &audit.Entry{
			EventID: ids.NewEventID(), RPC: r.What, Started: r.Began, Caller: r.Viewer.ID, Count: uint32(r.Count), Validated: true, //nolint:gosec // a page at most
			Decision: &authz.Decision{
				Organisation: r.Viewer.ID.Org(),
				Context:      &commonv1.RequestContext{Purpose: vocabularyv1.Purpose_PURPOSE_AUDIT, CaseReference: r.Event},
			},
		})
	}
}

// ConsoleComponents returns the console's listeners as the configuration wants them; none when it wants none.
func (p *Parts) ConsoleComponents(ctx context.Context, source mtls.Source, trustDomain string, l Looks) ([]app.Component, error) {
	cfg := p.cfg.Console
	if !cfg.enabled() {
		return nil, nil
	}
	var err error
	if l.Gate, err = cfg.gate(); err != nil {
		return nil, err
	}
	handler, err := p.NewConsole(l)
	if err != nil {
		return nil, err
	}
	var out []app.Component
	if cfg.Local.Listen != "" {
		serve, err := console.Listen(ctx, cfg.Local.Listen, nil, handler, p.d.Log)
		if err != nil {
			return nil, err
		}
		out = append(out, app.Component{Name: "console-local", Run: serve})
	}
	if cfg.Listen == "" {
		return out, nil
	}
	accept := mtls.Accept{TrustDomains: []string{trustDomain}, Kinds: []workload.Kind{workload.KindOrganisation, workload.KindService}, NextProtos: []string{"h2", "http/1.1"}}
	for _, v := range cfg.Viewers {
		id, err := workload.Parse(v)
		if err != nil {
			return nil, err
		}
		accept.IDs = append(accept.IDs, id)
		if id.TrustDomain() != trustDomain {
			accept.TrustDomains = append(accept.TrustDomains, id.TrustDomain())
		}
	}
	config, err := mtls.ServerConfig(source, accept)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	serve, err := console.Listen(ctx, cfg.Listen, config, handler, p.d.Log)
	if err != nil {
		return nil, err
	}
	return append(out, app.Component{Name: "console", Run: serve}), nil
}
