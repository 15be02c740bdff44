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

// restCaller asks the echo through the gateway.
type restCaller struct {
	client       *http.Client
	url          string
	size, answer int
}

func (r *restCaller) call(ctx context.Context) (sizes, error) {
	// The JSON of a BytesValue is its base64 as a string, which is what encoding/json makes of bytes.
	body, err := json.Marshal(echo.Request(r.size, r.answer).GetValue())
	if err != nil {
		return sizes{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return sizes{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return sizes{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end below
	got, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return sizes{}, err
	}
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		return sizes{}, fmt.Errorf("gateway answered %d over %s", resp.StatusCode, resp.Proto)
	}
	if want := base64.StdEncoding.EncodedLen(echo.AnswerLen(r.answer)) + len(`""`); len(got) != want {
		return sizes{}, fmt.Errorf("gateway answered %d bytes, want %d", len(got), want)
	}
	return sizes{request: len(body), answer: len(got)}, nil
}

func (r *restCaller) finish() error { return nil }
