package audit

import (
	"context"
	"sync"
	"time"

	"samvirke.dev/services/audit/internal/console"
	"samvirke.dev/services/platform/rpc"
)

// clockNow tells the time.
type clockNow = func() time.Time

// fleet remembers which instances shipped records lately, by the certificates that they showed.
type fleet struct {
	now clockNow

	mu   sync.Mutex
	seen map[string]console.Member // by serial number of the certificate
}

// gone is how long an instance that ships no more is still listed: a little longer than certificates live.
const gone = 24 * time.Hour

// saw notes the certificate of a call by a service.
func (f *fleet) saw(ctx context.Context, service string) {
	leaf := rpc.PeerCertificate(ctx)
	if leaf == nil || service == "" {
		return
	}
	serial := leaf.SerialNumber.Text(16)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[serial] = console.Member{Service: service, Instance: "certificate " + serial, CertificateExpires: leaf.NotAfter, LastShipped: f.now()}
	for k, m := range f.seen {
		if f.now().Sub(m.LastShipped) > gone {
			delete(f.seen, k)
		}
	}
}

func (f *fleet) members() []console.Member {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]console.Member, 0, len(f.seen))
	for _, m := range f.seen {
		out = append(out, m)
	}
	return out
}
