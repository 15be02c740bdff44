package api

import (
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/audit/internal/core"
	"samvirke.dev/services/audit/internal/record"
	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/platform/page"
)

// Sizes of pages.
var (
	listLimits   = page.Limits{Default: 50, Max: 200}  //nolint:gochecknoglobals // a constant
	exportLimits = page.Limits{Default: 100, Max: 200} //nolint:gochecknoglobals // a constant
)

// paged is a request for a page.
type paged interface {
	proto.Message
	GetPageSize() int32
	GetPageToken() string
}

// pages is where a request wants to read.
type pages struct {
	binding page.Binding
	after   store.Key
	size    int
}

// pages reads size and token of a request. The token is bound to everything else in the request.
func (s *Server) pages(method string, reader core.Reader, req paged, limits page.Limits) (pages, error) {
	size, err := limits.Size(req.GetPageSize())
	if err != nil {
		return pages{}, err
	}
	filter := proto.CloneOf[proto.Message](req)
	for _, name := range []protoreflect.Name{page.SizeField, page.TokenField, "context"} {
		m := filter.ProtoReflect()
		m.Clear(m.Descriptor().Fields().ByName(name))
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(filter)
	if err != nil {
		return pages{}, err
	}
	p := pages{size: size, binding: page.Binding{
		Organisation: reader.Organisation, Method: method, Filter: page.Filter(raw, []byte(reader.Controller)),
	}}
	p.after, _, err = s.d.Tokens.Key(p.binding, req.GetPageToken())
	return p, err
}

// token writes the token that goes on behind the key; none for the zero key.
func (s *Server) token(p pages, next store.Key) (string, error) {
	if next == (store.Key{}) {
		return "", nil
	}
	return s.d.Tokens.Token(p.binding, next)
}

// list answers a request for a page of records.
func (s *Server) list(ctx context.Context, method string, reader core.Reader, f core.Filter, req paged) ([]*auditv1.Record, string, error) {
	p, err := s.pages(method, reader, req, listLimits)
	if err != nil {
		return nil, "", err
	}
	f.After, f.Limit = p.after, p.size
	entries, next, err := s.d.UseCases.List(ctx, reader, f)
	if err != nil {
		return nil, "", failure(err)
	}
	out := make([]*auditv1.Record, 0, len(entries))
	for i := range entries {
		r, err := record.Join(&entries[i].Parts)
		if err != nil {
			return nil, "", failure(err)
		}
		out = append(out, r)
	}
	token, err := s.token(p, next)
	return out, token, err
}
