package client_test

import (
	"context"
	"fmt"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"samvirke.dev/certs/client"
)

// Connect with the three files that the operator gave, and ask the service whether it serves. The clients of the schemas take the
// connection in the same way: identityv1.NewIdentityServiceClient(conn).
func ExampleDial() {
	conn, err := client.Dial(client.Config{
		Addr: "identity.samvirke.example:443", Service: "spiffe://samvirke.example/svc/identity",
		CertFile: "cert.pem", KeyFile: "key.pem", CAFile: "ca.pem",
	})
	if err != nil {
		fmt.Println("not configured: the files are missing")
		return
	}
	defer conn.Close() //nolint:errcheck // nothing is under way
	answer, err := healthv1.NewHealthClient(conn).Check(context.Background(), &healthv1.HealthCheckRequest{})
	fmt.Println(answer.GetStatus(), err)
	// Output: not configured: the files are missing
}

// Go through a list without handling page tokens.
func ExamplePages() {
	pages := map[string][]string{"": {"first", "second"}, "more": {"third"}}
	list := func(_ context.Context, token string) ([]string, string, error) {
		if token == "" {
			return pages[token], "more", nil // of a response: resp.GetShares(), resp.GetNextPageToken()
		}
		return pages[token], "", nil
	}
	for item, err := range client.Pages(context.Background(), list) {
		fmt.Println(item, err)
	}
	// Output:
	// first <nil>
	// second <nil>
	// third <nil>
}
