package load

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"samvirke.dev/deploy/bench/internal/echo"
)

// CallEchoREST is the name of the echo's call through the bare gateway.
const CallEchoREST = "echo-rest"

// maxBody bounds an answer that is read.
const maxBody = 1 << 22

// newRESTClient has a transport of its own, so that each client is one HTTP/2 connection.
func newRESTClient(conf *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{TLSClientConfig: conf, ForceAttemptHTTP2: true, MaxConnsPerHost: 1},
		Timeout:   callTimeout,
	}
}

// REST makes one kind of request with a JSON body and one JSON answer.
type REST struct {
	Client *http.Client
	Method string // of HTTP
	// Next makes a URL, a body, nil for none, and the check of the answer, whose status was 200.
	Next func() (url string, body []byte, check func(header http.Header, body []byte) error)
}

// Call implements Caller.
func (r *REST) Call(ctx context.Context) (Sizes, error) {
	url, body, check := r.Next()
	req, err := http.NewRequestWithContext(ctx, r.Method, url, bytes.NewReader(body))
	if err != nil {
		return Sizes{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.Client.Do(req)
	if err != nil {
		return Sizes{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end below
	got, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return Sizes{}, err
	}
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		return Sizes{}, fmt.Errorf("gateway answered %d over %s", resp.StatusCode, resp.Proto)
	}
	return Sizes{Request: len(body), Answer: len(got)}, check(resp.Header, got)
}

// Finish implements Caller.
func (r *REST) Finish() error { return nil }

// echoREST asks the echo through the bare gateway.
func echoREST(t *Target, r Run, i int) (Caller, error) {
	client, base, err := t.HTTP(i)
	if err != nil {
		return nil, err
	}
	// The JSON of a BytesValue is its base64 as a string, which is what encoding/json makes of bytes.
	body, err := json.Marshal(echo.Request(r.RequestBytes, r.ResponseBytes).GetValue())
	if err != nil {
		return nil, err
	}
	want := base64.StdEncoding.EncodedLen(echo.AnswerLen(r.ResponseBytes)) + len(`""`)
	check := func(_ http.Header, got []byte) error {
		if len(got) != want {
			return fmt.Errorf("gateway answered %d bytes, want %d", len(got), want)
		}
		return nil
	}
	return &REST{Client: client, Method: http.MethodPost, Next: func() (string, []byte, func(http.Header, []byte) error) {
		return base + echo.Path, body, check
	}}, nil
}
