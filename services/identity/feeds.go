package identity

import (
	"sync"

	"samvirke.dev/services/identity/internal/core/nationalid"
)

// feeds knows whether local copies are kept up to date.
type feeds struct {
	mu    sync.RWMutex
	fresh map[nationalid.Country]bool
}

// Fresh reports whether the local copies of a country are. Until the first look they are not.
func (f *feeds) Fresh(c nationalid.Country) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.fresh[c]
}

func (f *feeds) set(c nationalid.Country, fresh bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fresh[c] = fresh
}
