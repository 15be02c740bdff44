package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counted is a caller that answers at once, or fails at its end.
type counted struct {
	calls int
	last  error
}

func (c *counted) Call(context.Context) (Sizes, error) {
	c.calls++
	return Sizes{Request: 3, Answer: 5}, nil
}

func (c *counted) Finish() error { return c.last }

// TestPreparedCallsRun: the lanes that a service prepared are run side by side and added up.
func TestPreparedCallsRun(t *testing.T) {
	t.Parallel()
	var data string
	callers := make([]*counted, 4)
	w := NewWorker(map[string]Prepare{"service": func(_ context.Context, _ *Target, raw json.RawMessage) (map[string]Lane, error) {
		data = string(raw)
		lane := func(last error) Lane {
			return func(_ *Target, i int) (Caller, error) {
				callers[i] = &counted{last: last}
				return callers[i], nil
			}
		}
		return map[string]Lane{"service.Good": lane(nil), "service.Bad": lane(errors.New("ended badly"))}, nil
	}})
	w.targets["service"] = &Target{}
	if _, err := w.execute(t.Context(), Command{Ready: &Ready{Target: "service", Service: "service", Data: json.RawMessage(`{"a":1}`)}}); err != nil || data != `{"a":1}` {
		t.Fatalf("data %s, error %v", data, err)
	}
	for call, failed := range map[string]int64{"service.Good": 0, "service.Bad": 4} {
		res, err := w.execute(t.Context(), Command{Run: &Run{Target: "service", Call: call, InFlight: 4, Millis: 20}})
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, c := range callers {
			total += c.calls
		}
		if res.Failed != failed || res.Calls != int64(total) || res.RequestBytes != 3 || res.ResponseBytes != 5 || (res.FirstError == "") != (failed == 0) {
			t.Errorf("%s: %+v with %d calls", call, res, total)
		}
	}
}

func TestServeReportsWhatItCannotDo(t *testing.T) {
	t.Parallel()
	var in, out bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, cmd := range []Command{{}, {Run: &Run{Target: "nobody"}}, {Ready: &Ready{Target: "nobody"}}, {Connect: &Connect{ServerID: "no id"}}} {
		if err := enc.Encode(cmd); err != nil {
			t.Fatal(err)
		}
	}
	if err := Serve(t.Context(), &in, &out, nil); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(&out)
	for range 4 {
		var r Reply
		if err := dec.Decode(&r); err != nil || r.Error == "" || r.Result != nil {
			t.Errorf("reply %+v, error %v", r, err)
		}
	}
	if err := Serve(t.Context(), strings.NewReader("nonsense\n"), &out, nil); err == nil {
		t.Error("nonsense is no command")
	}
}
