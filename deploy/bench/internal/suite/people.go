package suite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"samvirke.dev/deploy/bench/internal/load"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// prepareLanes is how many persons are resolved at once.
const prepareLanes = 32

// asked are the persons asked for.
type asked struct {
	all     []person
	handles []string
	// verify and address are the contexts in which calls are made.
	verify  *commonv1.RequestContext
	address *commonv1.RequestContext
}

// person is one line of the people file: country, national number and full name, separated by tabs.
type person struct {
	country vocabularyv1.Country
	number  string
	name    string
}

// personLine writes a person as the people file has it.
func personLine(country, number, name string) string {
	return country + "\t" + number + "\t" + name + "\n"
}

// readPeople reads the persons and resolves some of them to handles.
func readPeople(ctx context.Context, t *load.Target, conf identityData) (*asked, error) {
	all, err := readFile(conf.People)
	if err != nil {
		return nil, err
	}
	p := &asked{
		all:     all,
		verify:  requestContext(conf, vocabularyv1.Purpose_PURPOSE_IDENTIFICATION),
		address: requestContext(conf, vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE),
	}
	return p, p.resolve(ctx, t, conf.Handles)
}

func requestContext(p identityData, purpose vocabularyv1.Purpose) *commonv1.RequestContext {
	return &commonv1.RequestContext{
		ControllerId:   p.Controller,
		Purpose:        purpose,
		LegalBasis:     vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C,
		LegalReference: p.LegalReference,
		CaseReference:  "bench-1",
	}
}

func readFile(path string) ([]person, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("people: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	var all []person
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		part := strings.Split(lines.Text(), "\t")
		if len(part) != 3 {
			return nil, fmt.Errorf("people: line %d has %d columns", len(all)+1, len(part))
		}
		country := vocabularyv1.Country(vocabularyv1.Country_value["COUNTRY_"+part[0]])
		all = append(all, person{country: country, number: part[1], name: part[2]})
	}
	if len(all) == 0 {
		return nil, errors.New("people: file is empty")
	}
	return all, lines.Err()
}

// resolve asks for the handles of n persons spread evenly over all of them.
func (p *asked) resolve(ctx context.Context, t *load.Target, n int) error {
	n = min(n, len(p.all))
	p.handles = make([]string, n)
	if n == 0 {
		return nil
	}
	errs := make([]error, prepareLanes)
	var wg sync.WaitGroup
	for l := range prepareLanes {
		wg.Go(func() {
			conn, err := t.Conn(l)
			if err != nil {
				errs[l] = err
				return
			}
			client := identityv1.NewIdentityServiceClient(conn)
			for i := l; i < n && errs[l] == nil; i += prepareLanes {
				who := p.all[i*len(p.all)/n]
				resp, err := client.ResolveSubject(ctx, &identityv1.ResolveSubjectRequest{Context: p.verify, NationalId: who.id()})
				p.handles[i], errs[l] = resp.GetHandle(), err
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("resolve persons: %w", err)
	}
	return nil
}

func (p person) id() *commonv1.NationalId {
	return &commonv1.NationalId{Country: p.country, Value: p.number}
}
