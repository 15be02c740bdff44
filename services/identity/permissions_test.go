package identity_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/services/platform/authz"
	"samvirke.dev/services/platform/suitetest"
)

// Every RPC as every kind of caller. The golden file is the table that stands in the README: who may call what, and which reason
// the others are given.
//
// covers: SEC-01 SEC-02 SEC-05 SEK-03 AF-11
func TestPermissions(t *testing.T) {
	t.Parallel()
	w := start(t)
	person := line(0)
	w.load(person)
	organisations := map[string]string{
		"fund": fundDK, "agency": agency, "Swedish employment agency": employment, "fund, agreement on VerifyIdentity only": narrow,
		"insurer, agreement on another service": partner, "organisation without agreement": nobody, "fund, agreement expired": lapsed,
	}
	handles := map[string]string{}
	for _, org := range []string{fundDK, agency, employment} {
		handles[org] = w.as(org).handle(person.Number)
	}
	w.as(fundDK).subscribe(handles[fundDK], "m-0", "2020-01-01")
	id := w.workloadOf(fundDK)
	foreign := certtest.New(t, suitetest.TrustDomain)
	revoked := w.CA.Issue(id)
	w.CA.Revoke(revoked.Leaf)
	callers := []suitetest.Caller{}
	for _, name := range []string{
		"fund", "agency", "Swedish employment agency", "fund, agreement on VerifyIdentity only",
		"insurer, agreement on another service", "organisation without agreement", "fund, agreement expired",
	} {
		callers = append(callers, suitetest.Caller{Name: name, TLS: w.ClientTLS(w.workloadOf(organisations[name]))})
	}
	callers = append(callers, suitetest.Caller{Name: "one of our own services", TLS: w.ClientTLS(w.CA.Service("transfer"))})
	for _, bad := range []struct {
		name string
		cert *tls.Certificate
	}{
		{"fund, certificate expired", w.CA.Issue(id, certtest.Expired())},
		{"fund, certificate not yet valid", w.CA.Issue(id, certtest.NotYetValid())},
		{"fund, certificate revoked", revoked},
		{"fund, certificate of a foreign authority", foreign.Issue(id)},
		{"fund, certificate with two identities", w.CA.Issue(id, certtest.AddURIs("spiffe://samvirke.example/svc/identity"))},
		{"nobody: no certificate", nil},
	} {
		callers = append(callers, suitetest.Caller{Name: bad.name, TLS: w.Stranger(bad.cert)})
	}
	before := len(w.AllRecords())
	suitetest.Matrix{
		Addr: w.Addr, Methods: w.Methods, Callers: callers, Golden: "testdata/permissions.golden", Update: *update,
		Request: func(method *authz.Method, caller string) proto.Message {
			org := organisations[caller]
			if org == "" {
				org = fundDK
			}
			handle := handles[org]
			if handle == "" {
				handle = invalidHandle
			}
			return requests(org, person, handle)[method.Name]
		},
	}.Check(t)
	// Eight callers got through the handshake; each left a record for each of its calls, two for a batch of two if it was
	// allowed (three batches, three organisations), and the feed of the fund told of two subscriptions. Nobody else left any, because no RPC was reached.
	if got, want := len(w.AllRecords())-before, 8*len(fundRPCs())+10; got != want {
		t.Errorf("%d records, want %d", got, want)
	}
	if refused := strings.Count(w.Logs.String(), "handshake refused"); refused < 6 {
		t.Errorf("%d refused handshakes in the log, want one of each of the six strangers at least", refused)
	}
}
