package rule

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"samvirke.dev/services/income/internal/core/civil"
)

//go:embed sets
var embedded embed.FS

// Both is a value for each insurance status.
type Both struct {
	F int64 `json:"F"`
	P int64 `json:"P"`
}

// Of returns the value for a status; 0 for an unknown one.
func (b Both) Of(s Status) int64 {
	switch s {
	case FullTime:
		return b.F
	case PartTime:
		return b.P
	default:
		return 0
	}
}

// Value is a number of law or of a fund's page, with where it was read and how sure that is.
type Value struct {
	Both

	Source     string `json:"source"`
	Read       string `json:"read"`       // date, YYYY-MM-DD
	Confidence string `json:"confidence"` // hi, mid, lo, or D for a choice of ours
}

// Set is one version of the rules' values. Hours are centihours.
type Set struct {
	Version string `json:"version"` // such as DK-2023-10
	From    string `json:"from"`    // first month that it decides, YYYY-MM

	Norm              Value `json:"norm_hours"`                // of a month
	Day               Value `json:"day_hours"`                 // one day's benefit
	WaitingThreshold  Value `json:"waiting_threshold_hours"`   // § 56a: more than these free of the waiting day
	WaitingBlock      Value `json:"waiting_block_months"`      // § 56a
	ConsumptionLimit  Value `json:"consumption_limit_hours"`   // § 56b: from these on the period is shortened
	ConsumptionWindow Value `json:"consumption_window_months"` // § 56b, ending with the month paid
	ShortenAccount    Value `json:"shorten_account_hours"`     // § 56b: on the extended period
	ExtendedMax       Value `json:"extended_max_hours"`        // § 56b: longest extended period after that
	DeferredMonths    Value `json:"deferred_months"`           // § 56b: life of a deferred shortening
	AbsurdHours       Value `json:"absurd_hours"`              // § 46
	RoundingLimit     Value `json:"rounding_limit_hours"`      // § 46
	EarliestDay       Value `json:"earliest_day"`              // § 46: of the month after
	EarliestJanuary   Value `json:"earliest_day_january"`      // § 46: when the month after is January
	NoticeDays        Value `json:"notice_days"`               // § 46
	SetOffMonths      Value `json:"set_off_months"`            // § 46
	ComplaintDays     Value `json:"complaint_days"`

	// Switches. Each has the documented default of domain part B.
	Cap             bool `json:"cap"`              // match.cap
	ExtendEducation bool `json:"extend_education"` // karens.extend_education
	WholePeriods    bool `json:"whole_periods"`    // match.whole_periods: a pay period that touches the month counts with all its hours

	from civil.Month
}

// NormOf returns the norm hours of a month for a status.
func (s *Set) NormOf(st Status) Hours { return Hours(s.Norm.Of(st)) }

// AmountOf returns the benefit for h hours at the member's own monthly rate.
func (s *Set) AmountOf(h Hours, rate Money, st Status) Money { return Amount(h, rate, s.NormOf(st)) }

// Effective returns the first month that the set decides.
func (s *Set) Effective() civil.Month { return s.from }

func (s *Set) values() map[string]Value {
	return map[string]Value{
		"norm_hours": s.Norm, "day_hours": s.Day, "waiting_threshold_hours": s.WaitingThreshold, "waiting_block_months": s.WaitingBlock,
		"consumption_limit_hours": s.ConsumptionLimit, "consumption_window_months": s.ConsumptionWindow,
		"shorten_account_hours": s.ShortenAccount, "extended_max_hours": s.ExtendedMax, "deferred_months": s.DeferredMonths,
		"absurd_hours": s.AbsurdHours, "rounding_limit_hours": s.RoundingLimit, "earliest_day": s.EarliestDay,
		"earliest_day_january": s.EarliestJanuary, "notice_days": s.NoticeDays, "set_off_months": s.SetOffMonths, "complaint_days": s.ComplaintDays,
	}
}

func (s *Set) check() error {
	var problems []error
	if s.Version == "" {
		problems = append(problems, errors.New("version is missing"))
	}
	var err error
	if s.from, err = civil.ParseMonth(s.From); err != nil {
		problems = append(problems, errors.New("from: want YYYY-MM"))
	}
	for name, v := range s.values() {
		if v.F <= 0 || v.P <= 0 {
			problems = append(problems, fmt.Errorf("%s: want positive values for F and P", name))
		}
		if _, err := civil.Parse(v.Read); err != nil || v.Source == "" || !slices.Contains([]string{"hi", "mid", "lo", "D"}, v.Confidence) {
			problems = append(problems, fmt.Errorf("%s: want source, read (YYYY-MM-DD) and confidence (hi, mid, lo, D)", name))
		}
	}
	return errors.Join(problems...)
}

// Sets are all versions of the rules' values, the newest first.
type Sets []*Set

// For returns the set that decides a month: the newest that was in force on its first day. The oldest set decides everything
// before it.
func (s Sets) For(m civil.Month) *Set {
	for _, set := range s {
		if set.from <= m {
			return set
		}
	}
	return s[len(s)-1]
}

// ByVersion returns the set of that version, or nil: an explanation needs the set by which was decided.
func (s Sets) ByVersion(version string) *Set {
	for _, set := range s {
		if set.Version == version {
			return set
		}
	}
	return nil
}

// Builtin returns the sets that the program carries.
func Builtin() (Sets, error) {
	sub, err := fs.Sub(embedded, "sets")
	if err != nil {
		return nil, err
	}
	return Load(sub)
}

// Load reads every *.json of a folder as a set. It reports all problems at once; two sets may not begin in the same month or have
// the same version.
func Load(files fs.FS) (Sets, error) {
	names, err := fs.Glob(files, "*.json")
	if err != nil {
		return nil, err
	}
	var sets Sets
	var problems []error
	for _, name := range names {
		set, err := read(files, name)
		if err != nil {
			problems = append(problems, fmt.Errorf("rules %s: %w", path.Base(name), err))
			continue
		}
		sets = append(sets, set)
	}
	if len(names) == 0 {
		problems = append(problems, errors.New("rules: no *.json in the folder"))
	}
	slices.SortFunc(sets, func(a, b *Set) int { return int(b.from - a.from) })
	for i := 1; i < len(sets); i++ {
		if sets[i].from == sets[i-1].from {
			problems = append(problems, fmt.Errorf("rules: %s and %s begin in the same month", sets[i].Version, sets[i-1].Version))
		}
		if slices.ContainsFunc(sets[:i], func(o *Set) bool { return o.Version == sets[i].Version }) {
			problems = append(problems, fmt.Errorf("rules: %s stands twice", sets[i].Version))
		}
	}
	return sets, errors.Join(problems...)
}

func read(files fs.FS, name string) (*Set, error) {
	raw, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	set := &Set{}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(set); err != nil {
		return nil, err
	}
	if err := set.check(); err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return set, nil
}
