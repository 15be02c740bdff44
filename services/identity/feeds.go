package identity

import (
	"sync"
	"time"

	"samvirke.dev/services/identity/internal/core/nationalid"
)

// feeds knows whether local copies are kept up to date.
type feeds struct {
	mu  sync.RWMutex
	age map[nationalid.Country]time.Duration
}

// Age returns how old a local copy of a country's person may be to count. Until the first look none does.
func (f *feeds) Age(c nationalid.Country) time.Duration {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.age[c]
}

func (f *feeds) set(c nationalid.Country, age time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.age[c] = age
}
