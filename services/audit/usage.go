package audit

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/audit/internal/personview"
	"samvirke.dev/services/platform/rpc"
)

// Uses says how the person's view finds a person's records.
type Uses struct {
	Services []string `yaml:"services" class:"internal" doc:"every service whose records are kept here, as name=host:port; each is asked for its pseudonyms of the person; without any there is no person's view"`
	Withhold []string `yaml:"withhold" class:"public" doc:"what is withheld from the person for the sake of investigations, and for how long, as ROLE_... or PURPOSE_...=duration"`
}

// identityService is the one among the services that knows national numbers.
const identityService = "identity"

// services reads the addresses by name.
func (u Uses) services() (map[string]string, error) {
	out := map[string]string{}
	for _, s := range u.Services {
		service, address, ok := strings.Cut(s, "=")
		if _, _, err := net.SplitHostPort(address); !ok || err != nil || service == "" || out[service] != "" {
			return nil, errors.New("usage.services: want name=host:port, each name once")
		}
		out[service] = address
	}
	return out, nil
}

// holds reads what is withheld.
func (u Uses) holds() ([]personview.Hold, error) {
	var out []personview.Hold
	for _, w := range u.Withhold {
		what, long, _ := strings.Cut(w, "=")
		d, err := time.ParseDuration(long)
		role, isRole := vocabularyv1.Role_value[what]
		purpose, isPurpose := vocabularyv1.Purpose_value[what]
		if err != nil || d <= 0 || role == 0 && purpose == 0 || !isRole && !isPurpose {
			return nil, errors.New("usage.withhold: want ROLE_... or PURPOSE_...=duration, such as ROLE_LAW_ENFORCEMENT=2160h")
		}
		out = append(out, personview.Hold{Role: vocabularyv1.Role(role), Purpose: vocabularyv1.Purpose(purpose), For: d})
	}
	return out, nil
}

func (u Uses) validate() error {
	_, err1 := u.services()
	_, err2 := u.holds()
	return errors.Join(err1, err2)
}

// Dial connects to every service that the configuration names, each over mutual TLS to that service and no other. close ends the connections.
func (u Uses) Dial(source mtls.Source, trustDomain string) (conns map[string]grpc.ClientConnInterface, end func() error, err error) {
	addresses, err := u.services()
	if err != nil {
		return nil, nil, err
	}
	conns = map[string]grpc.ClientConnInterface{}
	var open []*grpc.ClientConn
	end = func() error {
		problems := make([]error, 0, len(open))
		for _, c := range open {
			problems = append(problems, c.Close())
		}
		return errors.Join(problems...)
	}
	for _, service := range slices.Sorted(maps.Keys(addresses)) {
		id, err := workload.Service(trustDomain, service)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("usage.services: %w", err), end())
		}
		config, err := mtls.ClientConfig(source, id)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("usage.services: %w", err), end())
		}
		conn, err := grpc.NewClient(addresses[service], grpc.WithTransportCredentials(credentials.NewTLS(config)))
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("usage.services: %w", err), end())
		}
		conns[service], open = conn, append(open, conn)
	}
	return conns, end, nil
}

// RegisterUsage adds the person's view to the server, if there are services to ask.
func (p *Parts) RegisterUsage(s *rpc.Server, conns map[string]grpc.ClientConnInterface, trustDomain string, names func(string) string) error {
	if len(conns) == 0 {
		return nil
	}
	holds, err := p.cfg.Usage.holds()
	if err != nil {
		return err
	}
	own, err := p.d.Keys.PRF("audit.subjects")
	if err != nil {
		return err
	}
	view, err := personview.New(personview.Deps{
		Records: p.Store, Exchange: p.exchange(personview.ErrErased), Names: names, Holds: holds, Clock: p.d.Clock, Period: keptFor(p.cfg.Keep),
		Subjects: &personview.Services{Conns: conns, Identity: identityService, TrustDomain: trustDomain, Own: own.All},
	})
	if err != nil {
		return err
	}
	auditv1.RegisterUsageServiceServer(s.Registrar(), personview.NewServer(view))
	return nil
}

// keptFor is how long uses can be listed: until records are erased.
func keptFor(k Keep) time.Duration {
	const month = 30 * 24 * time.Hour // the least that a month has, but February: what is promised is there
	return time.Duration(k.Months) * month
}
