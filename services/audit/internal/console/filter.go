package console

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/audit/internal/store"
)

// filter is the search form as it was filled in, and the query that it means.
type filter struct {
	Organisation, Service, RPC, Trace, From, Until, Decision string
	Purpose                                                  vocabularyv1.Purpose

	Query store.Query
	After string
}

// What may stand in the form. None of it can be a person's: organisations, services, RPCs and traces have their own grammars.
var (
	organisationForm = regexp.MustCompile(`^(DK:[0-9]{8}|SE:[0-9]{10})$`)
	serviceForm      = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)
	rpcForm          = regexp.MustCompile(`^[A-Za-z0-9_.]{1,150}(/[A-Za-z0-9_]{1,50})?$`)
	traceForm        = regexp.MustCompile(`^[0-9a-f]{32}$`)
	afterForm        = regexp.MustCompile(`^([0-9]{1,18})\.([0-9]{1,19})$`)
)

// pageSize is how many exchanges one page shows.
const pageSize = 50

// parseFilter reads the form. Errors: *requestError, which names the field.
func parseFilter(v url.Values) (filter, error) {
	get := func(k string) string { return strings.TrimSpace(v.Get(k)) }
	f := filter{
		Organisation: get("organisation"), Service: get("service"), RPC: get("rpc"), Trace: strings.ToLower(get("trace")),
		From: get("from"), Until: get("until"), Decision: get("decision"), After: get("after"), Query: store.Query{Limit: pageSize},
	}
	for _, c := range []struct {
		value, name, want string
		form              *regexp.Regexp
		to                *string
	}{
		{f.Organisation, "Organisation", "DK: and 8 digits, or SE: and 10", organisationForm, &f.Query.Party},
		{f.Service, "Service", "a service's name, such as identity", serviceForm, &f.Query.Service},
		{f.RPC, "RPC", "an RPC's full name", rpcForm, &f.Query.RPC},
		{f.Trace, "Trace", "32 hexadecimal digits", traceForm, new(string)},
	} {
		if c.value != "" && !c.form.MatchString(c.value) {
			return f, &requestError{c.name + ": want " + c.want + "."}
		}
		*c.to = c.value
	}
	if f.Trace != "" {
		f.Query.Trace, _ = hex.DecodeString(f.Trace) // the form was checked
	}
	if p := get("purpose"); p != "" {
		n, ok := vocabularyv1.Purpose_value[p]
		if !ok {
			return f, &requestError{"Purpose: want one of the list."}
		}
		f.Purpose, f.Query.Purpose = vocabularyv1.Purpose(n), n
	}
	if !narrow(&f.Query, f.Decision) {
		return f, &requestError{"Decision: want one of the list."}
	}
	return f, f.times()
}

func (f *filter) times() (err error) {
	if f.Query.From, err = moment(f.From); err != nil {
		return &requestError{"From: want a date and time."}
	}
	if f.Query.Until, err = moment(f.Until); err != nil {
		return &requestError{"Until: want a date and time."}
	}
	if f.After == "" {
		return nil
	}
	m := afterForm.FindStringSubmatch(f.After)
	if m == nil {
		return &requestError{"The link to the next page is broken; search anew."}
	}
	started, err1 := strconv.ParseInt(m[1], 10, 64)
	id, err2 := strconv.ParseInt(m[2], 10, 64)
	if err1 != nil || err2 != nil {
		return &requestError{"The link to the next page is broken; search anew."}
	}
	f.Query.After = store.Key{Started: started, ID: store.ID(id)}
	return nil
}

// moment reads what browsers send for a date and time field, taken as UTC.
func moment(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, &requestError{"want a date and time"}
}

// link is the address of the same search, going on at a key.
func (f filter) link(path string, next store.Key) string {
	v := url.Values{}
	for k, s := range map[string]string{
		"organisation": f.Organisation, "service": f.Service, "rpc": f.RPC, "trace": f.Trace, "from": f.From, "until": f.Until, "decision": f.Decision,
	} {
		if s != "" {
			v.Set(k, s)
		}
	}
	if f.Purpose != 0 {
		v.Set("purpose", f.Purpose.String())
	}
	if next != (store.Key{}) {
		v.Set("after", fmt.Sprintf("%d.%d", next.Started, next.ID))
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}
