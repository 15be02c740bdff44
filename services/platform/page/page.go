// Package page makes the page tokens of list methods (AIP-158). A token holds the key of the last row shown, so that paging stays
// correct while rows are added (keyset paging). It is encrypted, because keys may be internal; authenticated; bound to the caller's
// organisation, the method and the filter; and it expires. A token that is wrong in any way gives the same answer, so that nothing
// can be learnt by trying.
package page

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/errs"
)

// AEAD encrypts and authenticates; a Tink AEAD is one. ad is authenticated, not encrypted.
type AEAD interface {
	Encrypt(plaintext, ad []byte) ([]byte, error)
	Decrypt(ciphertext, ad []byte) ([]byte, error)
}

// Names of the request fields, for violations.
const (
	TokenField = "page_token"
	SizeField  = "page_size"
)

// DefaultTTL is how long a token lives unless told otherwise: long enough for a person to read a page.
const DefaultTTL = time.Hour

// maxToken bounds the text of a token, in characters, before any work is spent on it.
const maxToken = 4096

// version is the first byte of the plaintext; a new layout gets a new one, and old tokens are then refused.
const version = 1

// header is version and expiry (Unix seconds, big-endian), before the key.
const header = 1 + 8

// usual is how many bytes of plaintext most tokens have at most.
const usual = 64

// Binding is what a token is valid for. All parts must be the same when it comes back.
type Binding struct {
	Organisation string   // the caller's organisation, from its certificate
	Method       string   // full name of the RPC
	Filter       [32]byte // digest of every other field of the request that chooses or orders rows, by Filter
}

// Filter digests the parts of a request that choose or order rows, such as a serialised filter and an order. Different lists of parts
// give different digests, also where their concatenations agree.
func Filter(parts ...[]byte) [32]byte {
	h := sha256.New()
	for _, p := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		_, _ = h.Write(n[:]) // a hash never fails
		_, _ = h.Write(p)
	}
	return [32]byte(h.Sum(nil))
}

// associated returns the associated data. Lengths stand first, so that no two bindings have the same.
func (b Binding) associated() []byte {
	ad := []byte("samvirke-page-token")
	for _, part := range []string{b.Organisation, b.Method} {
		ad = binary.BigEndian.AppendUint32(ad, uint32(len(part))) //nolint:gosec // names are far below 4 GiB
		ad = append(ad, part...)
	}
	return append(ad, b.Filter[:]...)
}

// Codec makes and reads tokens whose key is a K: the columns that order the list, as a struct that encoding/json can carry, or that is an
// encoding.BinaryAppender and, by its pointer, an encoding.BinaryUnmarshaler. It is safe for concurrent use.
type Codec[K any] struct {
	aead  AEAD
	clock clock.Clock
	ttl   time.Duration
}

// NewCodec returns a codec whose tokens live for ttl, or DefaultTTL if ttl is 0.
func NewCodec[K any](aead AEAD, c clock.Clock, ttl time.Duration) *Codec[K] {
	if ttl <= 0 {
		ttl = DefaultTTL
	}
	return &Codec[K]{aead: aead, clock: c, ttl: ttl}
}

// Token returns the token that continues after the row with the given key.
func (c *Codec[K]) Token(b Binding, key K) (string, error) {
	plain := append(make([]byte, 0, usual), version)
	plain = binary.BigEndian.AppendUint64(plain, uint64(c.clock.Now().Add(c.ttl).Unix())) //nolint:gosec // after 1970
	plain, err := appendKey(plain, key)
	if err != nil {
		return "", fmt.Errorf("page: encode key: %w", err)
	}
	sealed, err := c.aead.Encrypt(plain, b.associated())
	if err != nil {
		return "", fmt.Errorf("page: encrypt token: %w", err)
	}
	token := base64.RawURLEncoding.EncodeToString(sealed)
	if len(token) > maxToken {
		return "", fmt.Errorf("page: token of %d characters, at most %d allowed", len(token), maxToken)
	}
	return token, nil
}

// Key returns the key in the token and true, or false for the empty token, which asks for the first page. Any token that was not
// made by this codec for the same binding, or is too old, gives PAGE_TOKEN_INVALID with a violation of page_token.
func (c *Codec[K]) Key(b Binding, token string) (key K, ok bool, err error) {
	key, _, err = c.Open(b, token)
	return key, err == nil && token != "", err
}

// Open is Key for those who ask from the same place again and again: it also says whether the token is young, which it is for the first half
// of its life, so that it can be given out once more.
func (c *Codec[K]) Open(b Binding, token string) (key K, young bool, err error) {
	if token == "" {
		return key, false, nil
	}
	left, err := c.open(b, token, &key)
	if err != nil {
		var zero K
		return zero, false, errs.New(commonv1.Reason_REASON_PAGE_TOKEN_INVALID, errs.Cause(err),
			errs.Field(TokenField, "must be a token of the page before, unchanged and not too old"))
	}
	return key, left > int64(c.ttl/time.Second)/2, nil
}

// What can be wrong with a token. Only the log sees which.
var (
	errTooLong = errors.New("page: token too long")
	errForm    = errors.New("page: token malformed")
	errVersion = errors.New("page: token of another version")
	errExpired = errors.New("page: token expired")
)

// open reads the key and returns how many seconds the token still lives.
func (c *Codec[K]) open(b Binding, token string, key *K) (left int64, err error) {
	switch {
	case len(token) > maxToken:
		return 0, errTooLong
	case strings.ContainsAny(token, "\r\n"): // the decoder would skip them, and one token must have one spelling
		return 0, errForm
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return 0, errForm
	}
	plain, err := c.aead.Decrypt(sealed, b.associated())
	if err != nil {
		return 0, fmt.Errorf("page: decrypt token: %w", err)
	}
	switch {
	case len(plain) < header:
		return 0, errForm
	case plain[0] != version:
		return 0, errVersion
	}
	left = int64(binary.BigEndian.Uint64(plain[1:header])) - c.clock.Now().Unix() //nolint:gosec // written by Token
	if left <= 0 {
		return 0, errExpired
	}
	return left, decodeKey(plain[header:], key)
}

func appendKey[K any](to []byte, key K) ([]byte, error) {
	if k, ok := any(key).(encoding.BinaryAppender); ok {
		return k.AppendBinary(to)
	}
	body, err := json.Marshal(key)
	return append(to, body...), err
}

func decodeKey[K any](body []byte, key *K) error {
	if k, ok := any(key).(encoding.BinaryUnmarshaler); ok {
		if k.UnmarshalBinary(body) != nil {
			return errForm
		}
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields() // a key of another release must not be half understood
	if err := dec.Decode(key); err != nil {
		return errForm
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errForm
	}
	return nil
}

// Limits are the page sizes of one list method.
type Limits struct {
	Default int // rows when the caller names no size
	Max     int // most rows; a larger wish is cut down to it, as AIP-158 demands
}

// Size returns how many rows to show for the page_size of a request: the default for 0, at most Max, and INVALID_REQUEST with a
// violation of page_size for a negative one.
func (l Limits) Size(pageSize int32) (int, error) {
	switch {
	case pageSize < 0:
		return 0, errs.New(commonv1.Reason_REASON_INVALID_REQUEST, errs.Field(SizeField, "must not be negative"))
	case pageSize == 0:
		return min(l.Default, l.Max), nil
	default:
		return min(int(pageSize), l.Max), nil
	}
}
