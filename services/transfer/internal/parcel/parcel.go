// Package parcel readies data packages for their way from one fund to the other, and opens them: encrypted for the receiving fund with
// Tink's hybrid encryption, signed for the releasing fund by a key that never leaves Vault.
package parcel

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"

	"buf.build/go/protovalidate"
	"github.com/tink-crypto/tink-go/v2/hybrid"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/store"
)

// Public are a fund's public keys.
type Public struct {
	Signing    map[int]ed25519.PublicKey
	Encryption []byte // Tink keyset of public keys
}

// Directory finds the public keys of another fund.
type Directory interface {
	// Public returns the keys of a fund, asked as another; fresh asks that fund anew. Errors: core.ErrKeys.
	Public(ctx context.Context, as, of string, fresh bool) (Public, error)
}

// Signer signs for a hosted fund.
type Signer interface {
	Sign(ctx context.Context, message []byte) (signature []byte, version int, err error)
}

// Own are the private keys of a hosted fund.
type Own struct {
	Signer  Signer
	Private *keyset.Handle
}

// Parcels implements core.Parcels.
type Parcels struct {
	own       func(fund string) (Own, bool)
	directory Directory
	validator protovalidate.Validator
}

var _ core.Parcels = (*Parcels)(nil)

// New returns parcels; own finds the keys of a hosted fund.
func New(own func(fund string) (Own, bool), d Directory) (*Parcels, error) {
	v, err := protovalidate.New()
	return &Parcels{own: own, directory: d, validator: v}, err
}

// bound is what encryption and signature are bound to.
func bound(p core.Parcel) []byte {
	out := frame(nil, "samvirke-transfer-part-v1", p.TransferID, p.From, p.To)
	last := byte(0)
	if p.Part.Last {
		last = 1
	}
	out = binary.BigEndian.AppendUint32(out, uint32(p.Part.Number)) //nolint:gosec // at most 1000
	out = binary.BigEndian.AppendUint32(out, uint32(p.Part.Kind))   //nolint:gosec // nine bits
	return append(out, last)
}

// frame writes texts with their lengths, so that no two lists of them are the same.
func frame(out []byte, texts ...string) []byte {
	for _, t := range texts {
		out = binary.BigEndian.AppendUint32(out, uint32(len(t))) //nolint:gosec // short texts
		out = append(out, t...)
	}
	return out
}

// Wrap implements core.Parcels.
func (p *Parcels) Wrap(ctx context.Context, parcel core.Parcel, plain []byte) (store.Part, error) {
	own, ok := p.own(parcel.From)
	if !ok {
		return store.Part{}, core.ErrHosted
	}
	theirs, err := p.directory.Public(ctx, parcel.From, parcel.To, false)
	if err != nil {
		return store.Part{}, err
	}
	handle, err := keyset.ReadWithNoSecrets(keyset.NewBinaryReader(bytes.NewReader(theirs.Encryption)))
	if err != nil {
		return store.Part{}, errors.Join(core.ErrKeys, err)
	}
	encrypter, err := hybrid.NewHybridEncrypt(handle)
	if err != nil {
		return store.Part{}, errors.Join(core.ErrKeys, err)
	}
	content, err := encrypter.Encrypt(plain, bound(parcel))
	if err != nil {
		return store.Part{}, errors.Join(core.ErrKeys, err)
	}
	digest := sha256.Sum256(content)
	signature, version, err := own.Signer.Sign(ctx, append(bound(parcel), digest[:]...))
	if err != nil {
		return store.Part{}, errors.Join(core.ErrKeys, err)
	}
	text := "v" + strconv.Itoa(version) + ":" + base64.StdEncoding.EncodeToString(signature)
	return store.Part{Part: parcel.Part, Content: content, Digest: digest[:], Signature: text}, nil
}

// Check implements core.Parcels. A part whose content was erased meanwhile still has its signed receipt.
func (p *Parcels) Check(ctx context.Context, parcel core.Parcel, got store.Part) error {
	if err := p.signature(ctx, parcel, got); err != nil {
		return err
	}
	if len(got.Content) == 0 {
		return nil
	}
	_, err := p.Open(ctx, parcel, got)
	return err
}

func (p *Parcels) signature(ctx context.Context, parcel core.Parcel, got store.Part) error {
	number, encoded, cut := strings.Cut(strings.TrimPrefix(got.Signature, "v"), ":")
	version, err1 := strconv.Atoi(number)
	signature, err2 := base64.StdEncoding.DecodeString(encoded)
	if !cut || err1 != nil || err2 != nil || len(got.Digest) != sha256.Size {
		return core.ErrPart
	}
	theirs, err := p.directory.Public(ctx, parcel.To, parcel.From, false)
	if err != nil {
		return err
	}
	if _, known := theirs.Signing[version]; !known {
		if theirs, err = p.directory.Public(ctx, parcel.To, parcel.From, true); err != nil {
			return err
		}
	}
	key := theirs.Signing[version]
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, append(bound(parcel), got.Digest...), signature) {
		return core.ErrPart
	}
	return nil
}

// Open implements core.Parcels.
func (p *Parcels) Open(_ context.Context, parcel core.Parcel, got store.Part) ([]byte, error) {
	own, ok := p.own(parcel.To)
	if !ok {
		return nil, core.ErrHosted
	}
	if digest := sha256.Sum256(got.Content); !bytes.Equal(digest[:], got.Digest) {
		return nil, core.ErrPart
	}
	decrypter, err := hybrid.NewHybridDecrypt(own.Private)
	if err != nil {
		return nil, errors.Join(core.ErrKeys, err)
	}
	plain, err := decrypter.Decrypt(got.Content, bound(parcel))
	if err != nil {
		return nil, core.ErrPart
	}
	return plain, p.allowed(parcel, plain)
}

// allowed holds a package to its schema: the list of what may be carried is the schema, so what it does not know is refused.
func (p *Parcels) allowed(parcel core.Parcel, plain []byte) error {
	var content transferv1.DataPackage
	if err := proto.Unmarshal(plain, &content); err != nil {
		return core.ErrPart
	}
	if hasUnknown(content.ProtoReflect()) || p.validator.Validate(&content) != nil || KindOf(&content) != parcel.Part.Kind {
		return core.ErrPart
	}
	return nil
}

// hasUnknown says whether a message or one below it holds fields that the schema does not know.
func hasUnknown(m protoreflect.Message) bool {
	if len(m.GetUnknown()) > 0 {
		return true
	}
	found := false
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil:
		case fd.IsList():
			for i := range v.List().Len() {
				found = found || hasUnknown(v.List().Get(i).Message())
			}
		default:
			found = found || hasUnknown(v.Message())
		}
		return !found
	})
	return found
}
