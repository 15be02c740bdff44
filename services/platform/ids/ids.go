// Package ids makes and checks the identifiers that travel with a call: event ids, which name an audit record, and request ids,
// which a caller chooses so that a repeated change is done once. Neither ever carries personal data.
package ids

import (
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Errors of this package. They never repeat the input, which may be anything.
var (
	// ErrEventID is returned for a text that is not an event id.
	ErrEventID = errors.New("ids: an event id is a lower-case UUID of version 7")
	// ErrRequestID is returned for a text that is not a request id.
	ErrRequestID = errors.New("ids: a request id is a UUID or 16 to 64 characters of A-Z a-z 0-9 _ -")
)

// Bounds of a request id in characters.
const (
	MinRequestID = 16
	MaxRequestID = 64
)

const uuidLen = 36

// NewEventID returns a new event id: a UUIDv7 in lower-case canonical form. Ids made by one process sort in the order in which
// they were made, as texts and as bytes, even when the wall clock steps backwards.
func NewEventID() string {
	// The library keeps the last time stamp handed out and never goes below it. Its error can only come from the random source,
	// which since Go 1.24 ends the process itself instead of returning one.
	return uuid.Must(uuid.NewV7()).String()
}

// ParseEventID returns id if it is an event id in its one canonical form, and ErrEventID otherwise.
func ParseEventID(id string) (string, error) {
	if _, err := parseEvent(id); err != nil {
		return "", err
	}
	return id, nil
}

// EventTime returns the moment in the event id, with a resolution of one millisecond, or ErrEventID.
func EventTime(id string) (time.Time, error) {
	u, err := parseEvent(id)
	if err != nil {
		return time.Time{}, err
	}
	ms := int64(u[0])<<40 | int64(u[1])<<32 | int64(u[2])<<24 | int64(u[3])<<16 | int64(u[4])<<8 | int64(u[5])
	return time.UnixMilli(ms).UTC(), nil
}

func parseEvent(id string) (uuid.UUID, error) {
	// uuid.Parse also takes braces, the urn form and upper case; one record must have one spelling.
	if len(id) != uuidLen || strings.ToLower(id) != id {
		return uuid.UUID{}, ErrEventID
	}
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 || u.Variant() != uuid.RFC4122 {
		return uuid.UUID{}, ErrEventID
	}
	return u, nil
}

// ParseRequestID checks a request id chosen by a caller and returns its canonical form: a UUID is lower-cased, since its two
// spellings mean the same id; anything else is taken as it is, case included. It returns ErrRequestID for all other texts.
func ParseRequestID(id string) (string, error) {
	if len(id) < MinRequestID || len(id) > MaxRequestID {
		return "", ErrRequestID
	}
	for i := range len(id) {
		if !requestByte(id[i]) {
			return "", ErrRequestID
		}
	}
	if len(id) == uuidLen {
		if u, err := uuid.Parse(id); err == nil {
			return u.String(), nil
		}
	}
	return id, nil
}

func requestByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}
