package soap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Limits of the connections when Deps.Transport does not say otherwise.
const (
	idlePerHost = 32
	idleTimeout = 60 * time.Second
	dialTimeout = 10 * time.Second // also of the TLS handshake, for dials that outlive their call
	keepAlive   = 30 * time.Second
	headerBytes = 64 << 10
)

// newTransport returns the connections of a client: TLS always, HTTP/1.1, no proxy.
func newTransport(d Deps) (*http.Transport, error) {
	switch {
	case d.TLS == nil:
		return nil, errors.New("soap: no TLS configuration")
	case len(d.TLS.Certificates) == 0 && d.TLS.GetClientCertificate == nil:
		return nil, errors.New("soap: no client certificate")
	case d.TLS.InsecureSkipVerify:
		return nil, errors.New("soap: the register's certificate must be verified")
	}
	t := &http.Transport{MaxIdleConns: idlePerHost, MaxIdleConnsPerHost: idlePerHost, IdleConnTimeout: idleTimeout}
	if d.Transport != nil {
		t = d.Transport.Clone()
	}
	conf := d.TLS.Clone()
	conf.MinVersion = max(conf.MinVersion, tls.VersionTLS12)
	conf.NextProtos = []string{"http/1.1"}
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}
	t.Proxy, t.OnProxyConnectResponse, t.GetProxyConnectHeader = nil, nil, nil
	t.DialContext = func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("soap: TLS only")
	}
	t.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return dialTLS(ctx, dialer, conf, network, addr)
	}
	t.TLSClientConfig, t.TLSNextProto, t.ForceAttemptHTTP2 = nil, nil, false
	t.DisableCompression = true // the limit counts bytes on the wire, and a bomb has nothing to unpack
	if t.MaxResponseHeaderBytes == 0 {
		t.MaxResponseHeaderBytes = headerBytes
	}
	return t, nil
}

func dialTLS(ctx context.Context, dialer *net.Dialer, conf *tls.Config, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("soap: address: %w", err)
	}
	raw, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if conf.ServerName == "" {
		conf = conf.Clone()
		conf.ServerName = host
	}
	c := tls.Client(raw, conf)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return &conn{Conn: c}, nil
}

// conn is a TLS connection that does not lose the reason why the other side hung up. In TLS 1.3 a server looks at our certificate when
// we regard the handshake as done and write already. It then sends an alert and closes; if our write fails before anybody read
// the alert, the error would only tell of a broken pipe.
type conn struct {
	*tls.Conn
}

// Write writes, and on failure looks for the alert.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err == nil {
		return n, nil
	}
	// The connection is broken, so this returns at once: with the alert, if there is one, or with an error like the other.
	if _, readErr := c.Read(make([]byte, 1)); refusedByPeer(readErr) {
		return n, readErr
	}
	return n, err
}
