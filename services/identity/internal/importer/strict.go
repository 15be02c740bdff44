package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxDepth is deeper than the format goes.
const maxDepth = 8

// checkKeys walks through one line and finds what the decoder would let pass: keys given twice, keys in another spelling, a second
// value behind the first. It returns a complaint without any value, or "".
func checkKeys(raw []byte) string {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	first, err := dec.Token()
	if err != nil {
		return complaintOf(err)
	}
	if first != json.Delim('{') {
		return "not a JSON object"
	}
	if complaint := checkObject(dec, 1); complaint != "" {
		return complaint
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return "something follows the object"
	}
	return ""
}

// checkObject reads up to the end of an object whose opening brace was read.
func checkObject(dec *json.Decoder, depth int) string {
	if depth > maxDepth {
		return "nested too deeply"
	}
	var seen [24]string
	keys := seen[:0]
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return complaintOf(err)
		}
		key, _ := token.(string)
		if !known(key) {
			// The key itself is not shown: by mistake it may be anything.
			return "a key that the format does not have"
		}
		for _, k := range keys {
			if k == key {
				return key + ": given twice"
			}
		}
		keys = append(keys, key)
		if complaint := checkValue(dec, depth, key); complaint != "" {
			return complaint
		}
	}
	_, err := dec.Token()
	return complaintOf(err)
}

// checkValue reads one value, whatever it holds.
func checkValue(dec *json.Decoder, depth int, key string) string {
	token, err := dec.Token()
	if err != nil {
		return complaintOf(err)
	}
	switch token {
	case json.Delim('{'):
		return checkObject(dec, depth+1)
	case json.Delim('['):
		if depth+1 > maxDepth {
			return "nested too deeply"
		}
		for dec.More() {
			if complaint := checkValue(dec, depth+1, key); complaint != "" {
				return complaint
			}
		}
		_, err := dec.Token()
		return complaintOf(err)
	case nil:
		return key + ": null; leave the key out instead"
	}
	return ""
}

// complaintOf describes an error of the JSON package without the values that its text may repeat.
func complaintOf(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("not JSON at byte %d", e.Offset)
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return e.Field + ": wrong type"
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "not JSON: it ends too early"
	}
	return "a key in the wrong place, or not JSON"
}
