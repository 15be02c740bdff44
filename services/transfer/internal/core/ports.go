// Package core holds the use cases of the transfer service: what a fund may ask, what the other fund tells, and what the calendar brings
// about. It decides by packages cases and rules, and knows neither wire format, transport, database nor key holder.
package core

import (
	"context"
	"errors"
	"time"

	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/store"
)

// Errors of use cases, beside those of packages cases, rules and store.
var (
	// ErrNotFound means that the fund has no such transfer or membership; one of another fund looks the same.
	ErrNotFound = errors.New("transfer: not found")
	// ErrPerson means that the identity service knows nobody under the handle or number, or another person.
	ErrPerson = errors.New("transfer: person not known")
	// ErrRegister means that the identity service can't be asked.
	ErrRegister = errors.New("transfer: identity service unavailable")
	// ErrKeys means that keys can't be had, ours or the other fund's.
	ErrKeys = errors.New("transfer: keys unavailable")
	// ErrPart means that a part is not what its signature says, not for this fund, or holds what no package may hold.
	ErrPart = errors.New("transfer: part refused")
	// ErrAssertion means that an assertion can't be verified.
	ErrAssertion = errors.New("transfer: assertion refused")
	// ErrHosted means that the fund is not served here.
	ErrHosted = errors.New("transfer: fund is not served here")
	// ErrPoAReused means that the power of attorney was used before.
	ErrPoAReused = errors.New("transfer: power of attorney used before")
)

// Caller is the fund that calls.
type Caller struct {
	Fund  string // as DK:12345678
	Actor string // the fund's pseudonym for its employee; empty when a system acts by itself
}

// Human says whether an employee is behind the call.
func (c Caller) Human() bool { return c.Actor != "" }

// Fund is an organisation of the directory.
type Fund struct {
	ID      string
	Country string
	IsFund  bool // false for a union, which can't be a party (GAP-11)
	Hosted  bool // served here
}

// Directory knows the organisations that may take part.
type Directory interface {
	// Find returns an organisation; false if there is none of that name.
	Find(id string) (Fund, bool)
	// Hosted returns the funds that are served here.
	Hosted() []string
}

// Sealer encrypts content at rest; keys.AEAD is one.
type Sealer interface {
	Encrypt(plain, associated []byte) ([]byte, error)
	Decrypt(sealed, associated []byte) ([]byte, error)
}

// Index makes the keyed index under which a person's periods and transfers are found.
type Index interface {
	// Subject returns 20 bytes that stand for a canonical national number.
	Subject(canonical string) ([]byte, error)
}

// Assertions verifies powers of attorney.
type Assertions interface {
	// Verify checks signature, issuer and form, and returns what the assertion says; dates are in the service's zone. Errors: ErrAssertion.
	Verify(text string) (cases.PowerOfAttorney, error)
}

// Persons is the identity service, asked as the fund that it is asked for.
type Persons interface {
	// Resolve returns the fund's handle for a national number. Errors: ErrPerson, ErrRegister.
	Resolve(ctx context.Context, fund, canonical string) (string, error)
	// Protected says whether the person behind a handle is protected; unreachable counts as protected (domain rule B.10, 1). Errors: ErrPerson.
	Protected(ctx context.Context, fund, handle string) (bool, error)
	// Open and Close begin and end the address subscription. Doing it again changes nothing. Errors: ErrPerson, ErrRegister.
	Open(ctx context.Context, fund, handle, membership string, first civil.Date) error
	Close(ctx context.Context, fund, handle, membership string, last civil.Date) error
}

// Parcel is a part on its way: what its signature and encryption are bound to.
type Parcel struct {
	TransferID, From, To string
	Part                 cases.Part
}

// Parcels signs, encrypts and opens parts.
type Parcels interface {
	// Wrap encrypts for the receiving fund and signs for the releasing one. Errors: ErrKeys.
	Wrap(ctx context.Context, p Parcel, plain []byte) (store.Part, error)
	// Check verifies the signature and that the content can be read and is what it may be. Errors: ErrPart, ErrKeys.
	Check(ctx context.Context, p Parcel, got store.Part) error
	// Open returns the content. Errors: ErrPart, ErrKeys.
	Open(ctx context.Context, p Parcel, got store.Part) ([]byte, error)
}

// Clock tells the present moment.
type Clock interface{ Now() time.Time }

// Timed is what a timer did to a record, for the audit record.
type Timed struct {
	Fund       string // whose record it is, and so on whose responsibility
	TransferID string
	Subject    string // as Notes gets it
	Protected  bool
}

// Records writes the audit records of what timers do, without a call (domain C.5).
type Records interface {
	// Timed writes one record for each, durably with the transaction of ctx. All are of one event.
	Timed(ctx context.Context, event cases.Event, started time.Time, items []Timed) error
}

// Notes writes what a use case finds out into the audit record.
type Notes interface {
	// Subject notes whom the call is about: the keyed index, never a number.
	Subject(ctx context.Context, id string, protected bool)
}
