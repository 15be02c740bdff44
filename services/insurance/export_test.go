package insurance

import "samvirke.dev/services/insurance/internal/core"

// Service returns the use cases.
func (p *Parts) Service() *core.Service { return p.service }
