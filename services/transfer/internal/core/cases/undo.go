package cases

import "samvirke.dev/services/transfer/internal/core/civil"

// A member who withdraws after the exit was confirmed is a person's matter (domain rule B.9): an employee of the releasing fund keeps the
// exit or undoes it. The receiving fund, whose member the person would become, has the last word about undoing: it says no once the day
// has come by its own record. Until it has spoken, the releasing fund's record does not become effective, so that never both funds hold
// that the person is theirs.

// Decide applies the employee's decision in the releasing fund's record, and says which event it is.
func (m *Machine) Decide(c Case, actor Party, human, undo bool, today civil.Date) (Case, Event, error) {
	event := KeepExit
	if undo {
		event = AskUndo
	}
	switch err := c.allow(event, actor); {
	case err != nil:
		return c, event, err
	case !human:
		return c, event, GuardError{GuardHuman}
	case c.Undoing:
		return c, event, GuardError{GuardUndoing}
	case today >= c.Effective:
		return c, event, StateError{Effective, event}
	case c.Manual&ManualWithdrawal == 0:
		return c, event, GuardError{GuardNoWithdrawal}
	case !undo:
		return c.kept(), event, nil
	}
	c.Undoing = true
	return c.noted(), event, nil
}

// Undo is the receiving fund's answer to a releasing fund that wants to undo the exit: UndoExit, or KeepExit when the day has come.
func (m *Machine) Undo(c Case, today civil.Date) (Case, Event, error) {
	switch {
	case c.Side != Receiving:
		return c, UndoExit, ErrWrongActor
	case c.State != ExitConfirmed && c.State != Effective:
		return c, UndoExit, StateError{c.State, UndoExit}
	case c.State == Effective || today >= c.Effective:
		return c.kept(), KeepExit, nil
	default:
		return c.undone(), UndoExit, nil
	}
}

// Keep is the answer when the person's time can't be given back.
func (m *Machine) Keep(c Case) Case { return c.kept() }

// answered applies the receiving fund's answer in the releasing fund's record.
func (c Case) answered(e Event) (Case, error) {
	switch {
	case e != UndoExit && e != KeepExit:
		return c, ErrWrongActor
	case c.State != ExitConfirmed || !c.Undoing:
		return c, StateError{c.State, e}
	case e == KeepExit:
		return c.kept(), nil
	default:
		return c.undone(), nil
	}
}

func (c Case) kept() Case {
	c.Undoing = false
	c.Manual &^= ManualWithdrawal
	return c.noted()
}

func (c Case) undone() Case {
	c.Undoing, c.Effective = false, 0
	c.Manual &^= ManualWithdrawal
	return c.to(Withdrawn)
}

// Refused notes that the other fund refuses what it is told, so that a person looks at the case; Resume that it is told again.
func (m *Machine) Refused(c Case) Case {
	c.Manual |= ManualRefused
	return c.noted()
}

// Resume is an employee's act in either fund's record, whatever its state.
func (m *Machine) Resume(c Case, human bool) (Case, error) {
	switch {
	case !human:
		return c, GuardError{GuardHuman}
	case c.Manual&ManualRefused == 0:
		return c, GuardError{GuardNotRefused}
	}
	c.Manual &^= ManualRefused
	return c.noted(), nil
}
