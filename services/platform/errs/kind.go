package errs

import (
	"net/http"

	"google.golang.org/grpc/codes"
)

// Kind is the class of an error: what went wrong in the terms that a transport can express.
type Kind uint8

// The kinds. Internal is the zero value on purpose: whatever nobody classified is our fault and discloses nothing.
const (
	Internal        Kind = iota // a fault of ours
	Invalid                     // the request is wrong whatever the state
	NotFound                    // what is asked for is not there, or the caller may not know that it is
	AlreadyExists               // what should be made is there already
	Conflict                    // somebody else changed the same thing; the whole change may be tried again
	Precondition                // the present state does not allow it; trying again does not help
	Denied                      // the caller may not
	Unauthenticated             // the caller is not known
	Exhausted                   // a quota is used up
	Unavailable                 // something needed does not answer; trying again may help
	Deadline                    // the time ran out
	Cancelled                   // the caller went away
	Unimplemented               // there is no such method
	kinds                       // number of kinds
)

// statusClientClosed is the HTTP status in common use for a caller that went away; net/http has no name for it.
const statusClientClosed = 499

type transport struct {
	name string
	code codes.Code
	http int
}

// transports is the one mapping of kinds to gRPC codes and HTTP statuses; the gateway replays it.
func transports() [kinds]transport {
	return [kinds]transport{
		Internal:        {"internal", codes.Internal, http.StatusInternalServerError},
		Invalid:         {"invalid", codes.InvalidArgument, http.StatusBadRequest},
		NotFound:        {"not found", codes.NotFound, http.StatusNotFound},
		AlreadyExists:   {"already exists", codes.AlreadyExists, http.StatusConflict},
		Conflict:        {"conflict", codes.Aborted, http.StatusConflict},
		Precondition:    {"precondition", codes.FailedPrecondition, http.StatusBadRequest},
		Denied:          {"denied", codes.PermissionDenied, http.StatusForbidden},
		Unauthenticated: {"unauthenticated", codes.Unauthenticated, http.StatusUnauthorized},
		Exhausted:       {"exhausted", codes.ResourceExhausted, http.StatusTooManyRequests},
		Unavailable:     {"unavailable", codes.Unavailable, http.StatusServiceUnavailable},
		Deadline:        {"deadline", codes.DeadlineExceeded, http.StatusGatewayTimeout},
		Cancelled:       {"cancelled", codes.Canceled, statusClientClosed},
		Unimplemented:   {"unimplemented", codes.Unimplemented, http.StatusNotImplemented},
	}
}

func (k Kind) transport() transport {
	all := transports()
	if int(k) >= len(all) {
		return all[Internal]
	}
	return all[k]
}

// String returns the kind's name for a log line.
func (k Kind) String() string { return k.transport().name }

// Code returns the gRPC code of the kind.
func (k Kind) Code() codes.Code { return k.transport().code }

// HTTPStatus returns the HTTP status of the kind, the same that grpc-gateway derives from its code.
func HTTPStatus(k Kind) int { return k.transport().http }
