package soap_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"samvirke.dev/services/platform/soap"
)

// stamp is a protection that can be seen: a comment at the end of a request, and one at the beginning of an answer.
type stamp struct {
	opened atomic.Int64
}

func (*stamp) Seal(envelope []byte) ([]byte, error) { return append(envelope, "<!--ours-->"...), nil }

func (s *stamp) Open(envelope []byte) ([]byte, error) {
	s.opened.Add(1)
	out, ok := bytes.CutPrefix(envelope, []byte("<!--theirs-->"))
	if !ok {
		return nil, errors.New("no stamp")
	}
	return out, nil
}

// What the protection lets through is read and nothing else; what the reader would refuse never gets to it.
func TestSecurity(t *testing.T) {
	t.Parallel()
	envelope := strings.TrimPrefix(enclose(good), `<?xml version="1.0" encoding="UTF-8"?>`+"\n")
	fault := strings.TrimPrefix(enclose(`<s:Fault><faultcode>s:Server</faultcode><faultstring>x</faultstring></s:Fault>`),
		`<?xml version="1.0" encoding="UTF-8"?>`+"\n")
	for name, c := range map[string]struct {
		status int
		body   string
		want   error
		opened int64
	}{
		"stamped":               {http.StatusOK, "<!--theirs-->" + envelope, nil, 1},
		"declared":              {http.StatusOK, `<?xml version="1.0"?><!--theirs-->` + envelope, nil, 1},
		"not stamped":           {http.StatusOK, envelope, soap.ErrUntrusted, 1},
		"document type":         {http.StatusOK, "<!--theirs--><!DOCTYPE x>" + envelope, soap.ErrMalformed, 0},
		"not well-formed":       {http.StatusOK, "<!--theirs-->" + envelope + "</s:Envelope>", soap.ErrMalformed, 0},
		"fault":                 {http.StatusInternalServerError, "<!--theirs-->" + fault, nil, 1},
		"fault without a stamp": {http.StatusInternalServerError, fault, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRegister(t, func(w http.ResponseWriter, req *http.Request) {
				if raw, _ := io.ReadAll(req.Body); !bytes.HasSuffix(raw, []byte("<!--ours-->")) {
					t.Error("sent without a stamp")
				}
				tells(c.status, utf8XML, c.body)(w, req)
			})
			s := &stamp{}
			var a answer
			err := r.client(t, func(d *soap.Deps) { d.Security = s }).Call(t.Context(), action, question{Number: "7"}, &a)
			_, isFault := errors.AsType[*soap.Fault](err)
			switch {
			case c.status != http.StatusOK && !isFault:
				t.Errorf("no fault: %v", err)
			case c.status == http.StatusOK && !errors.Is(err, c.want):
				t.Errorf("got %v, want %v", err, c.want)
			case (err == nil) != (a.Name == "Åse"):
				t.Errorf("read %q with error %v", a.Name, err)
			}
			if s.opened.Load() != c.opened {
				t.Errorf("opened %d times", s.opened.Load())
			}
		})
	}
}

func TestNothingIsSentThatCantBeSealed(t *testing.T) {
	t.Parallel()
	r := startRegister(t, func(http.ResponseWriter, *http.Request) { t.Error("sent") })
	err := r.client(t, func(d *soap.Deps) { d.Security = sealless{} }).Call(t.Context(), action, question{}, &answer{})
	if err == nil || !strings.Contains(err.Error(), "no key") {
		t.Errorf("got %v", err)
	}
}

type sealless struct{}

func (sealless) Seal([]byte) ([]byte, error)     { return nil, errors.New("no key") }
func (sealless) Open(raw []byte) ([]byte, error) { return raw, nil }
