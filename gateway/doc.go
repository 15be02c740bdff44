// Package gateway is the REST edge for partners: TLS with client certificates in front, mutual-TLS gRPC behind. Its module is
// here so that the workspace has its final shape; the edge itself is not built yet.
package gateway
