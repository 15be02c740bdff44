package identity

import (
	"time"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

// Service returns the use cases.
func (p *Parts) Service() *core.Service { return p.service }

// SetFresh says whether the local copies of a country are kept up to date.
func (p *Parts) SetFresh(c nationalid.Country, fresh bool) {
	age := time.Duration(0)
	if fresh {
		age = 20 * 365 * day
	}
	p.feeds.set(c, age)
}

// SetCopyAge says how old a local copy of a country's person may be.
func (p *Parts) SetCopyAge(c nationalid.Country, age time.Duration) { p.feeds.set(c, age) }
