package insurance_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	"samvirke.dev/services/insurance"
	"samvirke.dev/services/platform/redact/canary"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/platform/suitetest"
	"samvirke.dev/services/platform/telemetry"
	"samvirke.dev/services/platform/telemetry/oteltest"
)

// leaks collects whatever a caller can see of refused calls.
type leaks struct {
	mu    sync.Mutex
	text  strings.Builder
	codes map[codes.Code]int
}

func (l *leaks) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := status.Convert(err)
	l.codes[st.Code()]++
	fmt.Fprintf(&l.text, "%v\n%s\n", err, protojson.Format(st.Proto()))
}

// Members are pushed through every RPC, rightly and wrongly, while all is well and while the keys or the database fail. Nothing of them may
// be found in spans, metrics, logs, errors, or the bytes of the database.
//
// covers: SEC-03 SEC-06 ACT-14
func TestNoPersonalDataLeaks(t *testing.T) {
	t.Parallel()
	people := canary.People(20)
	collector := oteltest.Start(t)
	cfg := sqltest.FileConfig(t)
	seen := &leaks{codes: map[codes.Code]int{}}
	var logs *suitetest.SafeBuffer
	t.Run("push", func(t *testing.T) { // its end closes the server, so that everything has been exported and written
		w := start(t, on(sqltest.Open(t, cfg)), func(o *suitetest.Options, _ *insurance.Config) {
			o.Telemetry = func(c *telemetry.Config) { c.Endpoint, c.SampleRatio = collector.Endpoint(), 1 }
		})
		pushCanaries(t, w, people, seen)
		logs = w.Logs
	})
	for _, code := range []codes.Code{codes.OK, codes.InvalidArgument, codes.PermissionDenied, codes.NotFound, codes.Unavailable} {
		if seen.codes[code] == 0 {
			t.Errorf("outcomes %v: that proves little", seen.codes)
		}
	}
	corpus, err := canary.NewCorpus(people)
	must(t, err)
	spans, err := collector.Raw()
	must(t, err)
	sources := map[string][]byte{"telemetry": spans, "logs": []byte(logs.String()), "errors": []byte(seen.text.String())}
	files, err := filepath.Glob(strings.TrimPrefix(cfg.URL, "sqlite:") + "*")
	must(t, err)
	for _, f := range files {
		sources[filepath.Base(f)], err = os.ReadFile(f)
		must(t, err)
	}
	for name, b := range sources {
		if len(b) < 1000 {
			t.Errorf("%s: only %d bytes to look at", name, len(b))
		}
		for i, hit := range corpus.Scan(b) {
			if i < 5 {
				t.Errorf("%s: %s in %q", name, hit, b[max(0, hit.Offset-200):min(len(b), hit.Offset+80)])
			}
		}
	}
}

func pushCanaries(t *testing.T, w *world, people []canary.Person, seen *leaks) {
	t.Helper()
	fund, partner := offers(w)
	push := func(i int, p canary.Person) {
		one := member(i)
		one.FullName, one.PhoneNumber, one.Email = p.GivenName+" "+p.FamilyName, strings.NewReplacer(" ", "", "-", "").Replace(p.Phone), p.Email
		_, err := fund.load(one)
		seen.note(err)
		subject, err := fund.send(fund.offer(), agency, i)
		seen.note(err)
		_, err = partner.subject(partner.offer(), subject)
		seen.note(err)
		_, err = partner.fetch(partner.offer(), "")
		seen.note(err)
		wrong(t, fund, partner, p, seen)
		if i%3 == 0 {
			seen.note(fund.optOut(i))
			_, err = fund.send(fund.offer(), agency, i)
			seen.note(err)
		}
		_, err = fund.fund.ListDisclosures(t.Context(), &insurancev1.ListDisclosuresRequest{Context: fund.rights(), Handle: handle(i)})
		seen.note(err)
	}
	for i, p := range people {
		push(i, p)
	}
	w.Wrap.Fail(errors.New("away"))
	w.clock.Advance(2 * time.Hour)
	push(0, people[0])
	w.Wrap.Fail(nil)
	must(t, w.Keys.Refresh(t.Context()))
	_, err := w.DB.Exec(t.Context(), "ALTER TABLE member RENAME TO member_away")
	must(t, err)
	push(1, people[1])
}

// wrong puts the person where it does not belong.
func wrong(t *testing.T, fund, partner *client, p canary.Person, seen *leaks) {
	t.Helper()
	for _, x := range append(canary.IDForms(p.Country, p.ID), p.FamilyName, p.Email, p.Phone, p.Street) {
		_, err := partner.subject(partner.offer(), x)
		seen.note(err)
		_, err = partner.fetch(partner.offer(), x)
		seen.note(err)
		why := partner.offer()
		why.CaseReference = x
		_, err = partner.share.FetchShares(t.Context(), &insurancev1.FetchSharesRequest{Context: why, PageSize: -1})
		seen.note(err)
		_, err = fund.fund.ShareContact(t.Context(), &insurancev1.ShareContactRequest{Context: fund.offer(), Handle: x, PartnerId: x, DocumentReference: x})
		seen.note(err)
		_, err = fund.fund.RecordOptOut(t.Context(), &insurancev1.RecordOptOutRequest{Context: &commonv1.RequestContext{ControllerId: x}, Handle: x, PartnerId: x})
		seen.note(err)
		bad := member(0)
		bad.FullName, bad.PhoneNumber, bad.Email = x, x, x+" "+x
		_, err = fund.load(bad)
		seen.note(err)
	}
}
