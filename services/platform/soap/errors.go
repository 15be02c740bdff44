package soap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

// Errors of a call; see Client.Call.
var (
	// ErrUnreachable means that no answer came: no connection, one that broke, or none in time. Trying later may help.
	ErrUnreachable = errors.New("soap: register unreachable")
	// ErrRefused means that the register accepts neither us nor our certificate (TLS alert, HTTP 401 or 403), or that we don't accept
	// its certificate. Trying later does not help.
	ErrRefused = errors.New("soap: refused")
	// ErrMalformed means that what was read is not a SOAP 1.1 message, or not the one that was expected.
	ErrMalformed = errors.New("soap: malformed message")
	// ErrTooLarge means that the message is larger than is read.
	ErrTooLarge = errors.New("soap: message too large")
	// ErrUntrusted means that an answer is not protected as Deps.Security demands, so nothing of it was read.
	ErrUntrusted = errors.New("soap: untrusted answer")
)

// HTTPError is a response whose status says that there is no answer in it.
type HTTPError struct {
	Status int
}

// Error returns the status.
func (e *HTTPError) Error() string { return "soap: HTTP status " + strconv.Itoa(e.Status) }

// Temporary reports whether the same call may succeed later: the server's own errors, 408 and 429.
func (e *HTTPError) Temporary() bool {
	return e.Status >= http.StatusInternalServerError || e.Status == http.StatusRequestTimeout ||
		e.Status == http.StatusTooManyRequests
}

// malformed returns ErrMalformed with our own words about it. They never hold a part of the message.
func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// transportError says what it means that there is no (whole) response.
func transportError(ctx context.Context, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the address
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, ctx.Err())
	}
	if refusedByPeer(err) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// TLS alerts (RFC 8446, 6.2) by which a server says that it, and not we, has a problem.
const (
	alertInternalError = 80
	alertUserCanceled  = 90
)

// refusedByPeer reports whether the other side ended TLS by an alert about us: bad, expired, revoked, unknown or missing certificate,
// unknown authority, access denied, no common parameters.
func refusedByPeer(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	// crypto/tls marks an alert that came from the other side by this operation, and hides its type.
	if !ok || op.Op != "remote error" {
		return false
	}
	alert := op.Err.Error()
	return alert != tls.AlertError(alertInternalError).Error() && alert != tls.AlertError(alertUserCanceled).Error()
}

// kindOf names an error for a span, in few words.
func kindOf(err error) string {
	fault, isFault := errors.AsType[*Fault](err)
	_, isHTTP := errors.AsType[*HTTPError](err)
	switch {
	case isFault:
		return "fault " + fault.code()
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, ErrRefused):
		return "refused"
	case errors.Is(err, ErrUnreachable):
		return "unreachable"
	case errors.Is(err, ErrMalformed):
		return "malformed"
	case errors.Is(err, ErrTooLarge):
		return "too large"
	case errors.Is(err, ErrUntrusted):
		return "untrusted"
	case isHTTP:
		return "http"
	default:
		return "internal"
	}
}
