package sealed_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/insurance/internal/store"
	"samvirke.dev/services/insurance/internal/store/sealed"
	"samvirke.dev/services/insurance/internal/store/sqlstore"
	"samvirke.dev/services/insurance/internal/store/storetest"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// xor is an AEAD that is good enough to see what is sealed, and under which associated data.
type xor struct{ fail error }

func (x xor) Encrypt(plain, ad []byte) ([]byte, error) {
	out := append([]byte(nil), ad...)
	out = append(out, 0)
	for _, b := range plain {
		out = append(out, b^0x5a)
	}
	return out, x.fail
}

func (x xor) Decrypt(sealed, ad []byte) ([]byte, error) {
	body, ok := bytes.CutPrefix(sealed, append(append([]byte(nil), ad...), 0))
	if !ok {
		return nil, keys.ErrDecrypt
	}
	out := make([]byte, len(body))
	for i, b := range body {
		out[i] = b ^ 0x5a
	}
	return out, x.fail
}

func open(t *testing.T) (*sealed.Store, store.Store) {
	t.Helper()
	db := sqltest.Open(t, sqltest.MemoryConfig(t))
	if err := db.Migrate(t.Context(), sqlstore.Migrations(), sqlstore.Service); err != nil {
		t.Fatal(err)
	}
	rows := sqlstore.New(db)
	s, err := sealed.New(rows, xor{})
	if err != nil {
		t.Fatal(err)
	}
	return s, rows
}

// covers: SEC-03
func TestContactIsSealedAndBoundToItsRow(t *testing.T) {
	t.Parallel()
	s, rows := open(t)
	m := &core.Member{Controller: "DK:10000009", Handle: "h-1", Contact: core.Contact{
		FullName: "Åse Prøve", PhoneNumber: "+4500000001", Email: "member1@example.org", From: core.Day{Year: 2020, Month: 2, Day: 29},
		To: core.Day{Year: 2026, Month: 1, Day: 31}, CoverCode: "A1", Channel: "SELF_SERVICE", AdvertisingBlock: true,
	}}
	if err := s.PutMember(t.Context(), m, storetest.Moment(0)); err != nil {
		t.Fatal(err)
	}
	got, err := s.MemberByHandle(t.Context(), m.Controller, m.Handle)
	if err != nil || *got != *m {
		t.Errorf("got %+v, %v", got, err)
	}
	row, err := rows.RowByID(t.Context(), m.ID)
	if err != nil || strings.Contains(string(row.Sealed), "Prøve") {
		t.Errorf("%q %v", row.Sealed, err)
	}
	row.Handle = "h-2" // the same bytes in another row
	if _, err := rows.PutRow(t.Context(), row, storetest.Moment(0)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.MemberByHandle(t.Context(), m.Controller, "h-2"); !errors.Is(err, keys.ErrDecrypt) {
		t.Errorf("moved to another row: %v", err)
	}
}

func TestNobodyAndErased(t *testing.T) {
	t.Parallel()
	s, rows := open(t)
	if m, err := s.MemberByID(t.Context(), 7); err != nil || m.Known() {
		t.Errorf("%+v %v", m, err)
	}
	if _, err := rows.PutRow(t.Context(), store.MemberRow{Controller: "DK:1", Handle: "h"}, storetest.Moment(0)); err != nil {
		t.Fatal(err)
	}
	if m, err := s.MemberByHandle(t.Context(), "DK:1", "h"); err != nil || !m.Known() || !m.Erased {
		t.Errorf("%+v %v", m, err)
	}
}

func TestKeysAway(t *testing.T) {
	t.Parallel()
	_, rows := open(t)
	if _, err := sealed.New(rows, xor{fail: keys.ErrExpired}); !errors.Is(err, core.ErrKeysUnavailable) {
		t.Errorf("%v", err)
	}
}
