// Package sealed turns members into rows that a store can't read, and back. Contact data are sealed as a whole with authenticated
// encryption whose associated data are controller and handle: moved to another row they can't be opened. Inside is a
// samvirke.insurance.store.v1.Contact, so that rows outlive releases.
package sealed

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	storev1 "samvirke.dev/proto/gen/go/samvirke/insurance/store/v1"
	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/insurance/internal/store"
	"samvirke.dev/services/platform/keys"
)

// AEAD encrypts contact data at rest. *keys.AEAD is one.
type AEAD interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// Store is a core.Store. It keeps nothing in memory about anybody. It is safe for concurrent use.
type Store struct {
	store.Store

	aead  AEAD
	decoy atomic.Pointer[store.MemberRow]
}

// New returns the store, after having made the decoy that is opened when nobody is found. Errors: core.ErrKeysUnavailable.
func New(rows store.Store, aead AEAD) (*Store, error) {
	if rows == nil || aead == nil {
		return nil, errors.New("sealed: store and keys are required")
	}
	s := &Store{Store: rows, aead: aead}
	return s, s.newDecoy()
}

// MemberByHandle implements core.Members.
func (s *Store) MemberByHandle(ctx context.Context, controller, handle string) (*core.Member, error) {
	return s.found(s.RowByHandle(ctx, controller, handle))
}

// MemberByID implements core.Members.
func (s *Store) MemberByID(ctx context.Context, id int64) (*core.Member, error) {
	return s.found(s.RowByID(ctx, id))
}

// ItemsAfter implements core.Members.
func (s *Store) ItemsAfter(ctx context.Context, box core.Box, seq int64, limit int) (items []core.Item, more bool, err error) {
	rows, err := s.ItemRows(ctx, box, seq, limit+1)
	if err != nil {
		return nil, false, err
	}
	if more = len(rows) > limit; more {
		rows = rows[:limit]
	}
	items = make([]core.Item, len(rows))
	for i, row := range rows {
		items[i] = row.Item
		share := row.Share
		items[i].Known.Member, err = s.open(store.MemberRow{ID: share.Member, Controller: share.Controller, Handle: share.Handle, Sealed: row.Sealed})
		if err != nil {
			return nil, false, err
		}
	}
	return items, more, nil
}

// found opens the row, or the decoy if there is none.
func (s *Store) found(row store.MemberRow, err error) (*core.Member, error) {
	switch {
	case errors.Is(err, core.ErrNotFound):
		if _, err := s.open(*s.decoy.Load()); err != nil { // the key that sealed it may have been retired
			if err := s.newDecoy(); err != nil {
				return nil, err
			}
		}
		return &core.Member{}, nil
	case err != nil:
		return nil, err
	default:
		return s.open(row)
	}
}

func (s *Store) open(row store.MemberRow) (*core.Member, error) {
	m := &core.Member{ID: row.ID, Controller: row.Controller, Handle: row.Handle}
	if len(row.Sealed) == 0 {
		m.Erased = true
		return m, nil
	}
	plain, err := s.aead.Decrypt(row.Sealed, associated(row.Controller, row.Handle))
	if err != nil {
		return nil, keyError(err)
	}
	var c storev1.Contact
	if err := proto.Unmarshal(plain, &c); err != nil {
		return nil, errors.New("sealed: a stored contact can't be read") // the library's text may repeat the content
	}
	m.Contact = core.Contact{
		FullName: c.GetFullName(), PhoneNumber: c.GetPhoneNumber(), Email: c.GetEmail(), From: fromDate(c.GetMembershipFrom()),
		To: fromDate(c.GetMembershipTo()), CoverCode: c.GetCoverCode(), Channel: c.GetSourceChannel(), AdvertisingBlock: c.GetAdvertisingBlock(),
	}
	return m, nil
}

// PutMember implements core.Members.
func (s *Store) PutMember(ctx context.Context, m *core.Member, now time.Time) error {
	sealed, err := s.seal(m)
	if err != nil {
		return err
	}
	m.ID, err = s.PutRow(ctx, store.MemberRow{Controller: m.Controller, Handle: m.Handle, Sealed: sealed, Ended: m.Contact.To}, now)
	return err
}

func (s *Store) seal(m *core.Member) ([]byte, error) {
	c := m.Contact
	plain, err := proto.Marshal(&storev1.Contact{
		FullName: c.FullName, PhoneNumber: c.PhoneNumber, Email: c.Email, MembershipFrom: toDate(c.From), MembershipTo: toDate(c.To),
		CoverCode: c.CoverCode, SourceChannel: c.Channel, AdvertisingBlock: c.AdvertisingBlock,
	})
	if err != nil {
		return nil, errors.New("sealed: a contact can't be written: text that is not UTF-8")
	}
	out, err := s.aead.Encrypt(plain, associated(m.Controller, m.Handle))
	if err != nil {
		return nil, keyError(err)
	}
	return out, nil
}

// newDecoy seals a member who does not exist, about as large as a real one.
func (s *Store) newDecoy() error {
	m := &core.Member{Contact: core.Contact{
		FullName: "Anna Maria Provsson", PhoneNumber: "+46701740605", Email: "member@example.org", From: core.Day{Year: 2020, Month: 1, Day: 1},
		Channel: "SELF_SERVICE",
	}}
	sealed, err := s.seal(m)
	if err != nil {
		return err
	}
	s.decoy.Store(&store.MemberRow{Sealed: sealed})
	return nil
}

func associated(controller, handle string) []byte {
	return []byte("insurance.member " + controller + " " + handle)
}

// keyError sorts an error of the keys: those that pass with time, and those that don't.
func keyError(err error) error {
	for _, away := range [...]error{keys.ErrExpired, keys.ErrUnknownVersion, keys.ErrUnreachable, keys.ErrUnwrap} {
		if errors.Is(err, away) {
			return fmt.Errorf("%w: %w", core.ErrKeysUnavailable, err)
		}
	}
	return fmt.Errorf("sealed: %w", err)
}

func toDate(d core.Day) *commonv1.Date {
	if d.IsZero() {
		return nil
	}
	return &commonv1.Date{Year: int32(d.Year), Month: int32(d.Month), Day: int32(d.Day)} //nolint:gosec // a date's parts are small
}

func fromDate(d *commonv1.Date) core.Day {
	return core.Day{Year: int(d.GetYear()), Month: int(d.GetMonth()), Day: int(d.GetDay())}
}

var _ core.Store = (*Store)(nil)
