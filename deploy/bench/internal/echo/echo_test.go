package echo_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"samvirke.dev/deploy/bench/internal/echo"
)

// TestRequestSize: the echo is only a fair limit when its messages are as long as those it stands for.
func TestRequestSize(t *testing.T) {
	t.Parallel()
	for _, size := range []int{6, 50, 129, 131, 132, 500, 5000} {
		if got := proto.Size(echo.Request(size, 2)); got != size {
			t.Errorf("a request of %d bytes has %d", size, got)
		}
	}
	if got := proto.Size(echo.Request(0, 2)); got != 6 {
		t.Errorf("the shortest request has %d bytes", got)
	}
}
