package soap

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// Security protects the envelopes of a client: OASIS WS-Security, for one. It must be safe for concurrent use, and its errors hold
// nothing of a message.
type Security interface {
	// Seal returns an envelope, as Encode makes it, with its protection.
	Seal(envelope []byte) ([]byte, error)
	// Open checks the protection of an answer's envelope and returns an envelope with nothing in it but what is protected. The
	// envelope is in UTF-8 without XML declaration and has been found to be as harmless as package soap reads any.
	Open(envelope []byte) ([]byte, error)
}

// open returns what is protected in an answer. A fault without (good) protection is let through as it is: it holds no data, a
// register that could not read our signature can't be expected to sign, and TLS has told who speaks.
func (c *Client) open(raw []byte, charset string, fault bool) ([]byte, string, error) {
	in, err := text(raw, charset)
	if err != nil {
		return nil, "", err
	}
	if err := vet(in, c.maxAnswer); err != nil {
		return nil, "", err
	}
	opened, err := c.security.Open(in)
	switch {
	case err == nil:
		return opened, "utf-8", nil
	case fault:
		return raw, charset, nil
	}
	return nil, "", fmt.Errorf("%w: %w", ErrUntrusted, err)
}

// vet refuses what decode would refuse for its form, before anybody else parses it.
func vet(in []byte, limit int64) error {
	s := newScanner(in, limit, "utf-8", names{})
	dec := xml.NewTokenDecoder(s)
	for {
		switch _, err := dec.Token(); {
		case errors.Is(err, io.EOF):
			return s.err
		case s.err != nil:
			return s.err
		case err != nil:
			return malformed("not well-formed")
		}
	}
}
