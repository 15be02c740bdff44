package identity

import "context"

// Noted returns the ids under which records of this service know the person behind a controller's handle: the number in force and those before
// it. It is a subjects.Noted.
func (p *Parts) Noted(ctx context.Context, controller, handle string) ([]string, error) {
	found, err := p.persons.ByHandle(ctx, controller, handle)
	if err != nil || !found.Known {
		return nil, err
	}
	out := []string{found.Person.Number.Canonical()}
	for _, n := range found.Person.Earlier {
		out = append(out, n.Canonical())
	}
	return out, nil
}
