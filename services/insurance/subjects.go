package insurance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/keys"
)

// PartnerKEK returns the name of the key-encryption key for a partner's pseudonyms, such as insurance-partner-dk-70000063. An operator
// creates it in Vault before the first agreement with the partner is registered.
func PartnerKEK(partner string) string { return chassis.KEK(name, "partner-"+slug(partner)) }

// slug writes a partner as names of keys allow: dk-70000063.
func slug(partner string) string { return strings.ToLower(strings.ReplaceAll(partner, ":", "-")) }

// subjects are the partners' pseudonym keys: one each, so that two partners can't join what they know (domain C.6).
type subjects struct {
	ring *keys.Ring
	mu   sync.RWMutex
	prfs map[string]*keys.PRF // by partner
}

func (s *subjects) of(partner string) *keys.PRF {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.prfs[partner]
}

// Prepare implements core.Subjects: it loads or makes the key of a partner.
func (s *subjects) Prepare(ctx context.Context, partner string) error {
	if s.of(partner) != nil {
		return nil
	}
	spec := keys.Spec{Name: "partner." + slug(partner), Kind: keys.KindPRF, KEK: PartnerKEK(partner)}
	if err := s.ring.Ensure(ctx, spec); err != nil {
		return fmt.Errorf("%w: pseudonyms of %s: %w", core.ErrKeysUnavailable, partner, err)
	}
	prf, err := s.ring.PRF(spec.Name)
	if err != nil {
		return fmt.Errorf("%w: pseudonyms of %s: %w", core.ErrKeysUnavailable, partner, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prfs[partner] = prf
	return nil
}

// Subject implements core.Subjects.
func (s *subjects) Subject(partner, controller, handle string) (string, error) {
	prf := s.of(partner)
	if prf == nil {
		return "", core.ErrKeysUnavailable
	}
	out, err := prf.Pseudonym(controller + " " + handle)
	if err != nil {
		return "", errors.Join(core.ErrKeysUnavailable, err)
	}
	return out, nil
}
