package core

import (
	"context"
	"errors"

	"samvirke.dev/services/identity/internal/core/nationalid"
)

// Errors of a register.
var (
	// ErrRegisterUnavailable means that the register does not answer, not in time, or says that it can't at present. Trying later
	// may help. For a protection it means: treat as protected (domain rule B.10, 1).
	ErrRegisterUnavailable = errors.New("identity: register unavailable")
	// ErrRegisterRefused means that the register does not accept us or what we ask: an operator must mend certificate, customer
	// number or permission. Trying later does not help.
	ErrRegisterRefused = errors.New("identity: register refuses us")
	// ErrRegisterTooMany means that a search of the register found more than it gives at once: narrow it.
	ErrRegisterTooMany = errors.New("identity: too many persons answer the search")
)

// NoAnswer reports whether an error means that a register has not said anything about the person, whatever the reason.
func NoAnswer(err error) bool {
	return errors.Is(err, ErrRegisterUnavailable) || errors.Is(err, ErrRegisterRefused) || errors.Is(err, ErrRegisterTooMany)
}

// Inquiry is a question to a register about one person.
type Inquiry struct {
	Number     nationalid.Number
	Controller string // on whose responsibility we ask, `SE:8024804030`
	EndUser    string // who asks there, as a pseudonym that the controller can resolve; registers log it
}

// Register is a population register that is asked live. It is safe for concurrent use.
type Register interface {
	// Lookup returns the person under a number as the register tells now. From a number that is no longer in force it follows the
	// register's pointer once; the person then has the number in force and the asked one among the earlier ones. A replaced number
	// whose successor can't be had is returned as it is, with its register state. RegisterTime is the time of the answer and
	// Memberships are empty: registers know none. Errors: ErrNotFound, ErrRegisterUnavailable, ErrRegisterRefused, and the error of
	// an ended context.
	Lookup(ctx context.Context, ask Inquiry) (*Person, error)
}

// Enroller is a register that keeps a list of the persons about whom it delivers changes. Both methods may be called again and again.
// Errors: as of Lookup.
type Enroller interface {
	// Enrol puts the person on the list.
	Enrol(ctx context.Context, ask Inquiry) error
	// Withdraw takes the person off it. One who is not on it is no error.
	Withdraw(ctx context.Context, ask Inquiry) error
}
