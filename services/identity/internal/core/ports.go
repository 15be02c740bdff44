package core

import (
	"context"
	"errors"
	"time"

	"samvirke.dev/services/identity/internal/core/nationalid"
)

// Errors of the use cases. Besides them: nationalid.RefusalError for what is no number, nationalid.ErrOutsideEnvironment, and the error of
// an ended context. None holds anything personal.
var (
	// ErrNotFound means that nobody is known under the number or handle, or that the caller may not know that somebody is.
	ErrNotFound = errors.New("identity: nobody known")
	// ErrStoreUnavailable means that the database does not answer.
	ErrStoreUnavailable = errors.New("identity: store unavailable")
	// ErrKeysUnavailable means that the keys can't be had at present.
	ErrKeysUnavailable = errors.New("identity: keys unavailable")
)

// Found is the answer to a look-up. Known is false if nobody is known; Person is then a decoy, so that the caller of the look-up
// can go through the same motions, and Ref means nothing.
type Found struct {
	Person *Person
	Known  bool
	Ref    int64 // the store's own reference to the person
}

// Persons is where persons are looked up.
type Persons interface {
	// ByNumber returns the person in force under a number, whether it is in force or was before. It does the same work whether or
	// not somebody is known. Errors: ErrStoreUnavailable, ErrKeysUnavailable.
	ByNumber(ctx context.Context, n nationalid.Number) (Found, error)
	// ByHandle returns the person for whom the controller has that handle; other controllers' handles are unknown. It does the same
	// work whether or not somebody is known. Errors: ErrStoreUnavailable, ErrKeysUnavailable.
	ByHandle(ctx context.Context, controller, handle string) (Found, error)
	// ByHandles is ByHandle for many, asked in one go, in their order. Errors: ErrStoreUnavailable, ErrKeysUnavailable.
	ByHandles(ctx context.Context, controller string, handles []string) ([]Found, error)
	// KeepHandle returns the handle that the controller has for the person already, or else remembers and returns the one given.
	// Errors: ErrNotFound if the person has gone, ErrStoreUnavailable.
	KeepHandle(ctx context.Context, controller, handle string, ref int64) (string, error)
	// ByRef returns a person by the store's own reference. Errors: ErrNotFound, ErrStoreUnavailable, ErrKeysUnavailable.
	ByRef(ctx context.Context, ref int64) (Found, error)
	// Write replaces all that was known of persons. What is older than what is there, by register time, is left out. Errors:
	// ErrStoreUnavailable, ErrKeysUnavailable.
	Write(ctx context.Context, persons ...*Person) error
	// InTx runs fn in a transaction that travels in the context given to it; an error undoes everything. fn may run again.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// Handles makes handles.
type Handles interface {
	// Handle returns the controller's keyed pseudonym of a canonical number. Errors: ErrKeysUnavailable.
	Handle(controller, canonical string) (string, error)
}

// Notes is where a use case writes down what the audit record needs to know.
type Notes interface {
	// Subject names the person whom the call is about, by canonical number, and whether the person is protected.
	Subject(ctx context.Context, canonical string, protected bool)
	// Source names where the facts come from and when the register gave them.
	Source(ctx context.Context, source Source, registerTime time.Time)
	// Withheld says that nothing was told of the person.
	Withheld(ctx context.Context)
	// NoAddress says that no address was told of the person.
	NoAddress(ctx context.Context)
	// Tested says what an employee decided about giving out data of the person.
	Tested(ctx context.Context, test SecrecyTest)
}

// Clock tells the present moment.
type Clock interface {
	// Now returns the present moment.
	Now() time.Time
}
