package edge

import (
	"io"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// JSON is the form of bodies: strict protojson. It decodes what the edge has read already without a copy, and encodes without a second
// buffer; what is no message goes the library's way.
type JSON struct{ runtime.JSONPb }

// NewJSON returns it.
func NewJSON() *JSON {
	return &JSON{runtime.JSONPb{
		MarshalOptions: protojson.MarshalOptions{EmitUnpopulated: false}, UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false},
	}}
}

// Marshal implements runtime.Marshaler.
func (j *JSON) Marshal(v any) ([]byte, error) {
	if m, ok := v.(proto.Message); ok {
		return j.MarshalOptions.Marshal(m)
	}
	return j.JSONPb.Marshal(v)
}

// NewDecoder implements runtime.Marshaler.
func (j *JSON) NewDecoder(r io.Reader) runtime.Decoder {
	body, ok := r.(*wholeBody)
	if !ok {
		return j.JSONPb.NewDecoder(r)
	}
	return runtime.DecoderFunc(func(v any) error {
		m, ok := v.(proto.Message)
		if !ok {
			return j.JSONPb.NewDecoder(r).Decode(v)
		}
		return j.UnmarshalOptions.Unmarshal(body.raw, m)
	})
}
