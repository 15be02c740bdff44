package spar

import (
	"context"
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/platform/soap"
	"samvirke.dev/services/platform/telemetry"
)

// answer is a SPARPersonsokningSvar.
type answer struct {
	root xml.Name
	content
}

type content struct {
	Records   []record
	Exception bool   // an Undantag
	Code      string // of it; its Beskrivning is not read: it may repeat the question
	TooMany   bool
	UUID      string
}

// Root names the element: no other is read.
func (a *answer) Root() xml.Name { return a.root }

// Keeps says that all of SPAR's namespaces are read: those of parts change with their versions, their elements keep their names.
func (a *answer) Keeps(space string) bool { return strings.HasPrefix(space, schemas) }

// Read implements soap.Within.
func (a *answer) Read(root soap.Element) error {
	exception := root.Child("Undantag")
	a.content = content{
		Records:   each(root, "PersonsokningSvarspost", readRecord),
		Exception: exception.Exists(), Code: text(exception, "Kod"),
		TooMany: root.Child("OverstigerMaxAntalSvarsposter").Exists(),
		UUID:    text(root, "UUID"),
	}
	return nil
}

// uuid returns the UUID under which SPAR's support finds the answer, or "" if it is none: what stands there is told to others.
func (a *answer) uuid() string {
	id, err := uuid.Parse(a.UUID)
	if err != nil {
		return ""
	}
	return id.String()
}

// The codes of an Undantag.
const (
	codeInvalid = "OGILTIG_INPARAMETER"
	codeTooMany = "OVERSTIGER_MAX_ANTAL_TRAFFAR"
)

// exception returns the error of an answer that is none, or nil. What SPAR calls an invalid parameter is the customer, the assignment or
// a permission: numbers and fields are checked before they are sent.
func (a *answer) exception() error {
	tell := func(kind error, code string) error {
		return fmt.Errorf("spar: answer %s: %w: %s", a.uuid(), kind, code)
	}
	switch {
	case a.TooMany:
		return tell(core.ErrRegisterTooMany, codeTooMany)
	case !a.Exception:
		return nil
	}
	switch code := a.Code; code {
	case codeInvalid:
		return tell(core.ErrRegisterRefused, code)
	case codeTooMany:
		return tell(core.ErrRegisterTooMany, code)
	default:
		return tell(core.ErrRegisterUnavailable, "an exception") // codes that we don't know are not repeated
	}
}

// unusable is the error for an answer that contradicts the question or the schema.
func (a *answer) unusable(why string) error {
	return fmt.Errorf("spar: answer %s: %w: %s", a.uuid(), core.ErrRegisterUnavailable, why)
}

// faultMeaning reads a SOAP fault: SPAR answers so to what breaks its schema, and when it has trouble of its own.
func faultMeaning(fault *soap.Fault) error {
	kind := core.ErrRegisterUnavailable
	if fault.ByCaller() {
		kind = core.ErrRegisterRefused
	}
	return fmt.Errorf("%w: %s", kind, fault.Error())
}

var _ soap.Within = (*answer)(nil)

// note writes the answer's UUID into the trace of the call.
func note(ctx context.Context, id string) {
	if id != "" {
		trace.SpanFromContext(ctx).SetAttributes(telemetry.KeyRegisterAnswer.String(id))
	}
}
