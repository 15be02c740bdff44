package identity

import (
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

// Service returns the use cases.
func (p *Parts) Service() *core.Service { return p.service }

// SetFresh says whether the local copies of a country are kept up to date.
func (p *Parts) SetFresh(c nationalid.Country, fresh bool) { p.feeds.set(c, fresh) }
