package peer

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"

	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/parcel"
)

// FundKeys are the public keys of other funds, asked once and kept.
type FundKeys struct {
	peers *Peers

	mu   sync.RWMutex
	kept map[string]parcel.Public
}

var _ parcel.Directory = (*FundKeys)(nil)

// FundKeys returns them.
func (p *Peers) FundKeys() *FundKeys { return &FundKeys{peers: p, kept: map[string]parcel.Public{}} }

// Public implements parcel.Directory. The answer is believed because the connection is: it ends at the service that the directory names for
// the fund.
func (k *FundKeys) Public(ctx context.Context, as, of string, fresh bool) (parcel.Public, error) {
	k.mu.RLock()
	kept, ok := k.kept[of]
	k.mu.RUnlock()
	if ok && !fresh {
		return kept, nil
	}
	endpoint, known := k.peers.cfg.Funds[of]
	if !known {
		return parcel.Public{}, fmt.Errorf("%w: %s is not in the directory", core.ErrKeys, of)
	}
	conn, err := k.peers.dial(as, endpoint)
	if err != nil {
		return parcel.Public{}, errors.Join(core.ErrKeys, err)
	}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	out, err := transferv1.NewTransferExchangeServiceClient(conn).GetFundKeys(ctx, &transferv1.GetFundKeysRequest{Context: k.peers.why(of, "keys")})
	if err != nil {
		return parcel.Public{}, errors.Join(core.ErrKeys, err)
	}
	got := parcel.Public{Signing: map[int]ed25519.PublicKey{}, Encryption: out.GetEncryptionKeys()}
	for _, key := range out.GetSigningKeys() {
		got.Signing[int(key.GetVersion())] = key.GetPublicKey()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept[of] = got
	return got, nil
}
