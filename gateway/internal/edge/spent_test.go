package edge_test

import (
	"bytes"
	"testing"
	"time"

	"samvirke.dev/gateway/internal/edge"
	"samvirke.dev/services/platform/clock"
)

// What a service said counts until the window ends, but a larger quota, agreed on meanwhile, is found out by one call in five seconds.
func TestSpentQuota(t *testing.T) {
	t.Parallel()
	fake := clock.NewFake(time.Unix(1_800_000_000, 0))
	s := edge.NewSpents(fake)
	look := func(reset int64, gone, probe bool) {
		t.Helper()
		if r, g, p := s.Look(); r != reset || g != gone || p != probe {
			t.Errorf("got %d %v %v, want %d %v %v", r, g, p, reset, gone, probe)
		}
	}
	look(0, false, false)
	s.Answer(false, true, 3, time.Minute) // a batch that was too large for what is left
	look(0, false, false)
	s.Answer(false, true, 0, time.Minute)
	look(60, true, false)
	fake.Advance(4500 * time.Millisecond)
	look(56, true, false) // rounded up: who waits as long as told has waited long enough
	fake.Advance(time.Second)
	look(0, false, true) // one asks
	look(55, true, false)
	s.Answer(false, false, 5, 54*time.Second) // of a call that began before: proves nothing
	look(55, true, false)
	s.Answer(true, false, 5, 54*time.Second)
	look(0, false, false)
	s.Answer(true, true, 0, 54*time.Second)
	fake.Advance(54 * time.Second)
	look(0, false, false)
	look(0, false, false)
}

func TestControllerOf(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"context":{"controllerId":"DK:12345678"}}`:                                  "DK:12345678",
		`{"context":{"controller_id" : "DK:12345678"}}`:                               "DK:12345678",
		`{"context":{"controllerId":"DK:1"},"x":{"controllerId":"DK:2"}}`:             "",
		`{"context":{"controllerId":"DK:1","controller_id":"DK:2"}}`:                  "",
		`{"context":{"controller\u0049d":"DK:1"},"note":"\"controllerId\":\"DK:2\""}`: "",
		`{"context":{"controllerId":null}}`:                                           "",
		`{"context":{"controllerId":"`:                                                "",
		`{"context":{"controllerId"`:                                                  "",
		`{}`:                                                                          "",
		`{"controllerId":"DK:123456789012345678901234567890"}`:                        "",
	} {
		if got := edge.ControllerOf([]byte(body)); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

func FuzzControllerOf(f *testing.F) {
	f.Add([]byte(`{"context":{"controllerId":"DK:12345678"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if got := edge.ControllerOf(body); len(got) > 32 || !bytes.Contains(body, []byte(`"`+got+`"`)) && got != "" {
			t.Errorf("%q is not in the body", got)
		}
	})
}
