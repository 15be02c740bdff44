package income

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/income/internal/register/agi"
)

// agiLimit is how large a file may be, in bytes.
const agiLimit = 256 << 20

// agiInbox is the folder in which the Swedish tax agency's declarations (AGI) arrive: below it one folder a fund, named after its id as
// SE-8020000017, with files named *.xml that are put in force in the order of their names. Whoever delivers writes a file under
// another name and renames it, so that it is whole. How funds get them is not published (registers.md, 4.3).
type agiInbox struct {
	files     fs.FS
	service   *core.Service
	numbering core.Numbering
	log       *slog.Logger
	seen      map[string]time.Time // files that were read, good or bad, as they were then
}

// collect reads what has arrived. A file that can't be used is reported once, and the others go on; where one can't be read or kept, the later
// ones of its fund wait, since their order counts, and those of other funds go on. The database makes sure that several replicas put each in
// force once.
func (b *agiInbox) collect(ctx context.Context) error {
	funds, err := fs.ReadDir(b.files, ".")
	if err != nil {
		return err
	}
	var errs []error
	for _, fund := range funds {
		controller := strings.Replace(fund.Name(), "-", ":", 1)
		if !fund.IsDir() || !strings.HasPrefix(controller, "SE:") {
			continue
		}
		errs = append(errs, b.ofFund(ctx, controller, fund.Name()))
	}
	return errors.Join(errs...)
}

// ofFund puts the files of one fund in force, up to the first that can't be read or kept.
func (b *agiInbox) ofFund(ctx context.Context, controller, folder string) error {
	names, err := fs.Glob(b.files, folder+"/*.xml")
	if err != nil {
		return err
	}
	for _, name := range names { // sorted
		if err := b.take(ctx, controller, name); err != nil {
			return err
		}
	}
	return nil
}

// take puts one file in force unless that was done.
func (b *agiInbox) take(ctx context.Context, controller, name string) error {
	info, err := fs.Stat(b.files, name)
	if err != nil || b.seen[name].Equal(info.ModTime()) {
		return err
	}
	delivery, skipped, err := b.read(name)
	if errors.Is(err, agi.ErrMalformed) {
		b.seen[name] = info.ModTime()
		b.log.WarnContext(ctx, "an AGI file can't be used; nothing of it is in force", "file", path.Base(name), "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	fresh, err := b.service.DeliverIncomes(ctx, controller, delivery)
	if err != nil {
		return err
	}
	b.seen[name] = info.ModTime()
	if fresh {
		b.log.InfoContext(ctx, "an AGI file is in force", "file", path.Base(name), "statements", len(delivery.Statements), "skipped", skipped)
	}
	return nil
}

// read reads a file. Statements about organisations and about people without a number that may be enrolled here are skipped.
func (b *agiInbox) read(name string) (d core.IncomeDelivery, skipped int, err error) {
	file, err := b.files.Open(name)
	if err != nil {
		return d, 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	about := func(m civil.Month) {
		if !slices.Contains(d.Months, m) {
			d.Months = append(d.Months, m)
		}
	}
	digest := sha256.New()
	err = agi.Read(io.TeeReader(file, digest), agiLimit, agi.Into{
		Total: func(t *agi.Total) error { about(t.Period); return nil },
		Statement: func(st *agi.Statement) error {
			about(st.Key.Period)
			number, err := b.numbering.Canonical("SE", st.Key.Recipient.ID)
			if err != nil {
				skipped++
				return nil //nolint:nilerr // nobody of the fund's
			}
			d.Statements = append(d.Statements, core.IncomeStatement{
				Number: number, Month: st.Key.Period, Employer: st.Key.Employer, Specification: st.Key.Number, Amount: kronor(st), Removed: st.Removed,
			})
			return nil
		},
	})
	d.Digest = digest.Sum(nil)
	return d, skipped, err
}

// kronor is a statement's income, in öre.
func kronor(st *agi.Statement) (sum rule.Money) {
	const ore = 100
	for _, code := range agi.IncomeFields() {
		sum += rule.Money(st.Kronor(code) * ore)
	}
	return sum
}

// watch collects until ctx ends.
func (b *agiInbox) watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := b.collect(ctx); err != nil && ctx.Err() == nil {
			b.log.WarnContext(ctx, "can't look for AGI files", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// inbox returns where AGI files arrive, or nil where none do.
func (s SE) inbox(service *core.Service, numbering core.Numbering, log *slog.Logger) *agiInbox {
	if s.AGI == "" {
		return nil
	}
	return &agiInbox{files: os.DirFS(s.AGI), service: service, numbering: numbering, log: log, seen: map[string]time.Time{}}
}
