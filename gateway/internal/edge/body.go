package edge

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"strings"
	"sync"

	"samvirke.dev/gateway/internal/problem"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
)

// readable reads the whole body before a service hears of the call, so that a slow or broken sender holds nothing but its own
// connection. What is compressed is refused: nothing that we take is large enough to need it, and a bomb can't be told from it.
func (e *Edge) readable(next http.Handler) http.Handler {
	buffers := sync.Pool{New: func() any { return new(bytes.Buffer) }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isJSON(r.Header.Get("Content-Type")) {
			w.Header().Set("Accept-Post", "application/json")
			e.unreadable(w, r, http.StatusUnsupportedMediaType, "Send the body as application/json in UTF-8.")
			return
		}
		if r.Header.Get("Content-Encoding") != "" {
			w.Header().Set("Accept-Encoding", "identity")
			e.unreadable(w, r, http.StatusUnsupportedMediaType, "Send the body without a content encoding.")
			return
		}
		buffer, ok := buffers.Get().(*bytes.Buffer)
		if !ok { // the pool holds nothing else
			buffer = new(bytes.Buffer)
		}
		defer func() {
			clear(buffer.Bytes()) // it holds personal data
			buffer.Reset()
			buffers.Put(buffer)
		}()
		_, err := buffer.ReadFrom(http.MaxBytesReader(w, r.Body, e.Limits.Body))
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			p := problem.Of(e.traced(r, errs.New(commonv1.Reason_REASON_MESSAGE_TOO_LARGE)))
			p.As(http.StatusRequestEntityTooLarge).Write(w)
			return
		}
		if err != nil {
			e.unreadable(w, r, http.StatusBadRequest, "The body ended before it was whole.")
			return
		}
		if !oneObject(buffer.Bytes()) {
			e.unreadable(w, r, http.StatusBadRequest, "The body must be one JSON object.")
			return
		}
		r.Body = &wholeBody{Reader: *bytes.NewReader(buffer.Bytes()), raw: buffer.Bytes()}
		next.ServeHTTP(w, r)
	})
}

// isJSON says whether a media type is JSON in UTF-8.
func isJSON(text string) bool {
	const want = "application/json"
	if text == want {
		return true
	}
	kind, params, err := mime.ParseMediaType(text)
	charset := params["charset"]
	return err == nil && kind == want && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

// wholeBody is a body that was read already. JSON takes it as it is.
type wholeBody struct {
	bytes.Reader

	raw []byte
}

// Close implements io.Closer.
func (*wholeBody) Close() error { return nil }

// oneObject says whether the body begins as a JSON object and nothing follows it. What is in it is checked when it is decoded.
func oneObject(body []byte) bool {
	const space = " \t\r\n"
	body = bytes.Trim(body, space)
	if len(body) < 2 || body[0] != '{' {
		return false
	}
	depth, inText, escaped := 0, false, false
	for i, c := range body {
		switch {
		case escaped:
			escaped = false
		case inText:
			escaped = c == '\\'
			inText = c != '"'
		case c == '"':
			inText = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i == len(body)-1
			}
		}
	}
	return false
}

func (e *Edge) unreadable(w http.ResponseWriter, r *http.Request, status int, detail string) {
	problem.Of(e.traced(r, errs.New(commonv1.Reason_REASON_MESSAGE_UNREADABLE, errs.Detail(detail)))).As(status).Write(w)
}
