// Package core decides: what came of the matching of a month (§ 46), whether a waiting day is deducted (§ 56a), whether the benefit period
// is shortened (§ 56b), and what may be decided without a person. It knows no wire format, no database and no clock of its own.
package core

import (
	"context"
	"errors"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
)

// Errors of the ports.
var (
	// ErrRegisterUnavailable means that the register gave no answer, or only part of one: ask again later. Nothing is concluded from it.
	ErrRegisterUnavailable = errors.New("the income register gave no complete answer")
	// ErrRegisterRefused means that the register answered and refused, such as for a missing access: asking again is no use.
	ErrRegisterRefused = errors.New("the income register refused")
	// ErrNotEnrolled means that no national number is known for the handle, so that no register can be asked.
	ErrNotEnrolled = errors.New("the member is not enrolled")
)

// Question asks the register about one member and month.
type Question struct {
	Controller string // country and organisation number of the fund, DK:12345678
	Handle     facts.Handle
	Month      civil.Month
	// CaseReference is the matter the question belongs to; every retrieval is logged with it (REG-03). Opaque, never personal.
	CaseReference string
}

// Register is an income register. Implementations are safe for concurrent use and bound their own time, attempts and load.
type Register interface {
	// Month returns the register's complete answer. Errors: ErrRegisterUnavailable, ErrRegisterRefused, ErrNotEnrolled, or that of the
	// ended context. An error never holds the answer or a national number.
	Month(ctx context.Context, q Question) (facts.Answer, error)
}

// Numbers gives a register adapter the national number behind a handle, because registers know no handles. Nobody else may ask.
type Numbers interface {
	// Number returns the canonical number, such as DK:7403851013. Errors: ErrNotEnrolled, or that the store is away.
	Number(ctx context.Context, controller string, handle facts.Handle) (string, error)
}
