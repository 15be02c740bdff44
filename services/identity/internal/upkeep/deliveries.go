package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr/direkte"
	"samvirke.dev/services/platform/telemetry"
)

// unfinished are the states in which a periodic job takes in the next one.
func unfinished() []rivertype.JobState {
	return []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}
}

// deliveries applies, in the order of their names, those deliveries in the folder that were not applied yet. The first that can't be applied
// stops the go: what is behind it must wait, and what is known stays as it is. Somebody must put a sound one in its place. Names beginning
// with a dot, and what is no plain file, are left alone: files are put there under such a name and then renamed.
//
// One that is not sound is an error, and so a line in the log, when it is met first; as long as it lies there unchanged it is only counted.
func (u *Upkeep) deliveries(ctx context.Context) error {
	entries, err := os.ReadDir(u.cfg.Deliveries)
	if err != nil {
		return fmt.Errorf("deliveries: %w", err)
	}
	for _, e := range entries { // sorted by name
		if !e.Type().IsRegular() || e.Name()[0] == '.' {
			continue
		}
		err := u.delivery(ctx, filepath.Join(u.cfg.Deliveries, e.Name()))
		switch {
		case errors.Is(err, errKnown):
			u.deliveryIs(ctx, "refused")
			return nil
		case err != nil:
			u.deliveryIs(ctx, "refused")
			return fmt.Errorf("delivery %s: %w", e.Name(), err)
		}
	}
	return nil
}

func (u *Upkeep) deliveryIs(ctx context.Context, outcome string) {
	u.read.Add(ctx, 1, metric.WithAttributes(attribute.String(string(telemetry.KeyOutcome), outcome)))
}

// errKnown means that a delivery is as it was when it was refused.
var errKnown = errors.New("refused before")

// refusal is a file that was refused, and the delivery before it: its coming may fill a gap.
type refusal struct {
	file fs.FileInfo
	last civil.Date
}

// same reports whether the file is as it was.
func (r refusal) same(o refusal) bool {
	return r.file != nil && os.SameFile(r.file, o.file) && r.file.Size() == o.file.Size() && r.file.ModTime().Equal(o.file.ModTime()) && r.last == o.last
}

// isRefusal reports whether an error lies in the delivery and not with us.
func isRefusal(err error) bool {
	_, unsound := errors.AsType[*direkte.RefusedError](err)
	return unsound || errors.Is(err, direkte.ErrGap)
}

func (u *Upkeep) delivery(ctx context.Context, path string) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	last, err := u.deps.Ledger.LastDelivery(ctx)
	if err != nil {
		return err
	}
	now := refusal{file: info, last: last}
	if u.refused.same(now) {
		return errKnown
	}
	if err = u.apply(ctx, file, last); isRefusal(err) {
		u.refused = now
	}
	return err
}

// apply applies a delivery that comes after the last one.
func (u *Upkeep) apply(ctx context.Context, file io.ReadSeeker, last civil.Date) error {
	if !last.IsZero() {
		// Reading the first line is enough to know those that were applied long ago.
		if made := produced(file); !made.IsZero() && !made.CertainlyAfter(last) {
			return nil
		}
		if _, err := file.Seek(0, 0); err != nil {
			return err
		}
	}
	d, err := direkte.New().Open(ctx, file)
	if err != nil {
		return err
	}
	switch err := d.Summary.Follows(last); {
	case errors.Is(err, direkte.ErrRepeated):
		return nil
	case err != nil:
		return err
	}
	b := &batch{upkeep: u}
	if err := d.Apply(ctx, func(one direkte.Update) error { return b.add(ctx, one) }); err != nil {
		return err
	}
	if err := b.flush(ctx); err != nil {
		return err
	}
	u.deliveryIs(ctx, "applied")
	u.deps.Logger.InfoContext(ctx, "delivery applied", "register", register(nationalid.Denmark), "produced", d.Summary.Produced.String(),
		"persons", d.Summary.Persons, "changed", b.done.Changed, "ignored", b.done.Ignored, "unknown_records", d.Summary.Skipped)
	return u.deps.Ledger.Delivered(ctx, d.Summary.Produced, d.Summary.Records)
}

// produced returns the day that the first record of a delivery names; zero if it names none.
func produced(file io.Reader) civil.Date {
	lines := direkte.New().NewScanner(file)
	if !lines.Scan() {
		return civil.Date{}
	}
	compact := lines.Record().Text("PRODDTO")
	if len(compact) != len("20060102") {
		return civil.Date{}
	}
	made, err := civil.Parse(compact[:4] + "-" + compact[4:6] + "-" + compact[6:])
	if err != nil {
		return civil.Date{}
	}
	return made
}

// batchSize is how many persons go into one transaction.
const batchSize = 500

// batch gathers updates. When the service dies half-way the delivery is applied again: what it told already changes nothing.
type batch struct {
	upkeep  *Upkeep
	persons []*core.Person
	recheck []nationalid.Number
	done    core.Applied
}

func (b *batch) add(ctx context.Context, one direkte.Update) error {
	switch {
	case one.Person != nil:
		b.persons = append(b.persons, one.Person)
	case one.Superseded != nil || len(one.Events) > 0:
		// Something happened that is not told whole: ask.
		b.recheck = append(b.recheck, one.Number)
	}
	if len(b.persons)+len(b.recheck) < batchSize {
		return nil
	}
	return b.flush(ctx)
}

func (b *batch) flush(ctx context.Context) error {
	if len(b.persons) > 0 {
		done, err := b.upkeep.deps.UseCases.Apply(ctx, b.persons)
		if err != nil {
			return err
		}
		b.upkeep.counted(ctx, nationalid.Denmark, done)
		b.done.Changed, b.done.Ignored = b.done.Changed+done.Changed, b.done.Ignored+done.Ignored
	}
	if len(b.recheck) > 0 {
		if err := b.upkeep.deps.UseCases.Recheck(ctx, slices.Clone(b.recheck)); err != nil {
			return err
		}
	}
	b.persons, b.recheck = b.persons[:0:0], b.recheck[:0]
	return nil
}
