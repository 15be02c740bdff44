package verify

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/encoding/protojson"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/receipt"
	"samvirke.dev/services/audit/internal/record"
	"samvirke.dev/services/platform/app"

	"github.com/transparency-dev/tessera/client"
)

// Usage is what the program says when it is called wrongly.
const Usage = `samvirke-verify checks evidence of the ledger with its public keys alone: no server, no secret.
usage:
  samvirke-verify receipt     --keys FILE [--request FILE] [--response FILE] RECEIPT   one receipt as JSON, or many, one a line; shows the record;
                                                                                       request and response are bodies that a party kept, as encoded protobuf
  samvirke-verify checkpoint  --keys FILE CHECKPOINT                                   a checkpoint's signature
  samvirke-verify consistency --keys FILE --ledger DIR EARLIER LATER                   that the tree of one checkpoint extends that of an earlier one, by the
                                                                                       tiles in the folder
  samvirke-verify ledger      --keys FILE [--outside CHECKPOINT] DIR                   an exported log with all its records; the checkpoint that was kept
                                                                                       elsewhere shows whether its end was cut off
Exit status: 0 it holds, 1 it does not, 2 the call is wrong or a file can't be read.`

type usageError struct{ why string }

// Error says how to call it.
func (e usageError) Error() string {
	if e.why == "" {
		return Usage
	}
	return e.why + "\n" + Usage
}

// ExitCode implements app.ExitCoder.
func (usageError) ExitCode() int { return app.ExitUsage }

// BadError is the outcome of a check that failed.
type BadError struct{ what string }

// Error says what is wrong.
func (b BadError) Error() string { return "DOES NOT HOLD: " + b.what }

// ExitCode implements app.ExitCoder.
func (BadError) ExitCode() int { return 1 }

// unreadable is a file that can't be read.
type unreadable struct{ error }

// ExitCode implements app.ExitCoder.
func (unreadable) ExitCode() int { return app.ExitUsage }

// call is the command line.
type call struct {
	keys              proofs.Keys
	request, response string
	ledger, outside   string
	args              []string
}

// Main runs a check and writes what it found to out.
func Main(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return usageError{}
	}
	run, files := map[string]func(context.Context, call, io.Writer) error{
		"receipt": receipts, "checkpoint": checkpoint, "consistency": consistency, "ledger": ledger,
	}[args[0]], map[string]int{"receipt": 1, "checkpoint": 1, "consistency": 2, "ledger": 1}[args[0]]
	if run == nil {
		return usageError{}
	}
	c, err := parse(args[1:], files)
	if err != nil {
		return err
	}
	err = run(ctx, c, out)
	if _, coded := errors.AsType[app.ExitCoder](err); err == nil || coded {
		return err
	}
	return unreadable{err}
}

func parse(args []string, files int) (call, error) {
	var c call
	var keys string
	flags := flag.NewFlagSet("samvirke-verify", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&keys, "keys", "", "")
	flags.StringVar(&c.request, "request", "", "")
	flags.StringVar(&c.response, "response", "", "")
	flags.StringVar(&c.ledger, "ledger", "", "")
	flags.StringVar(&c.outside, "outside", "", "")
	if err := flags.Parse(args); err != nil {
		return c, usageError{err.Error()}
	}
	c.args = flags.Args()
	if len(c.args) != files || keys == "" {
		return c, usageError{"name the keys and the file"}
	}
	text, err := os.ReadFile(keys)
	if err != nil {
		return c, unreadable{err}
	}
	if c.keys, err = proofs.ParseKeys(text); err != nil {
		return c, unreadable{fmt.Errorf("%s: %w", keys, err)}
	}
	return c, nil
}

func say(out io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(out, format+"\n", args...)
	return err
}

func receipts(_ context.Context, c call, out io.Writer) error {
	raw, err := os.ReadFile(c.args[0])
	if err != nil {
		return err
	}
	one := &auditv1.Receipt{}
	if protojson.Unmarshal(raw, one) == nil {
		return c.receipt(one, out)
	}
	f, err := os.Open(c.args[0])
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	return each(f, func(r *auditv1.Receipt) error { return c.receipt(r, out) })
}

func (c call) receipt(r *auditv1.Receipt, out io.Writer) error {
	p := receipt.Of(r)
	cp, err := p.Verify(c.keys)
	if err != nil {
		return BadError{fmt.Sprintf("receipt of event %s: %v", r.GetEventId(), err)}
	}
	seen, err := record.Join(&p.Parts)
	if err != nil {
		return BadError{fmt.Sprintf("receipt of event %s: %v", r.GetEventId(), err)}
	}
	if seen.GetEventId() != "" && seen.GetEventId() != r.GetEventId() || seen.GetItem() != r.GetItem() {
		return BadError{fmt.Sprintf("receipt of event %s holds the record of another", r.GetEventId())}
	}
	for _, body := range []struct {
		what, file string
		digest     []byte
	}{{"request", c.request, seen.GetRequestDigest()}, {"response", c.response, seen.GetResponseDigest()}} {
		if body.file == "" {
			continue
		}
		raw, err := os.ReadFile(body.file)
		if err != nil {
			return err
		}
		if !proofs.Proves(seen.GetDigestKey(), raw, body.digest) {
			return BadError{fmt.Sprintf("event %s: this is not the %s of the exchange", r.GetEventId(), body.what)}
		}
		if err := say(out, "the %s is that of the exchange", body.what); err != nil {
			return err
		}
	}
	text, err := protojson.Marshal(seen)
	if err != nil {
		return err
	}
	if err := say(out, "%s", text); err != nil {
		return err
	}
	return say(out, "HOLDS: event %s is record %d of %s, by the checkpoint of %d records", r.GetEventId(), p.Index, cp.Origin, cp.Size)
}

func (c call) open(file string) (proofs.Checkpoint, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return proofs.Checkpoint{}, err
	}
	cp, err := c.keys.Open(raw, "")
	if err != nil {
		return cp, BadError{fmt.Sprintf("%s: %v", file, err)}
	}
	return cp, nil
}

func checkpoint(_ context.Context, c call, out io.Writer) error {
	cp, err := c.open(c.args[0])
	if err != nil {
		return err
	}
	return say(out, "HOLDS: %s has %d records with root %x", cp.Origin, cp.Size, cp.Root)
}

func consistency(ctx context.Context, c call, out io.Writer) error {
	if c.ledger == "" {
		return usageError{"name the folder of the log's tiles by --ledger"}
	}
	earlier, err1 := c.open(c.args[0])
	later, err2 := c.open(c.args[1])
	if err := errors.Join(err1, err2); err != nil {
		return errors.Join(err1, err2)
	}
	if earlier.Size > later.Size || earlier.Origin != later.Origin {
		return BadError{proofs.ErrConsistency.Error()}
	}
	var path [][]byte
	if earlier.Size > 0 && earlier.Size < later.Size {
		builder, err := client.NewProofBuilder(ctx, later.Size, client.FileFetcher{Root: c.ledger}.ReadTile)
		if err == nil {
			path, err = builder.ConsistencyProof(ctx, earlier.Size, later.Size)
		}
		if err != nil {
			return err
		}
	}
	if err := proofs.Consistent(earlier, later, path); err != nil {
		return BadError{err.Error()}
	}
	return say(out, "HOLDS: the tree of %d records extends that of %d", later.Size, earlier.Size)
}

func ledger(ctx context.Context, c call, out io.Writer) error {
	var outside []byte
	if c.outside != "" {
		var err error
		if outside, err = os.ReadFile(c.outside); err != nil {
			return err
		}
	}
	found, err := Ledger(ctx, c.keys, c.args[0], outside)
	switch {
	case err != nil:
		return err
	case found.Fault == proofs.CheckpointInvalid || found.Fault == proofs.CheckpointReplaced:
		return BadError{found.Fault.String()}
	case found.Fault != proofs.NoFault && found.Event != "":
		return BadError{fmt.Sprintf("record %d (event %s): %s", found.Index, found.Event, found.Fault)}
	case found.Fault != proofs.NoFault:
		return BadError{fmt.Sprintf("record %d: %s", found.Index, found.Fault)}
	}
	return say(out, "HOLDS: %d records, %d of them read and %d erased", found.Size, found.Records, found.Erased)
}
