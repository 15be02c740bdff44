package direkte_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr/direkte"
)

func request(n nationalid.Number) direkte.Request {
	return direkte.Request{
		Transaction: "PRIV", Customer: 42, Subscription: direkte.SubscriptionBegin, Data: direkte.DataAgreed, Token: "S3CR3T",
		User: "SAMVIRKE", Number: n,
	}
}

// answerTo makes an answer whose length counts the header.
func answerTo(ask direkte.Request, code, data string) []byte {
	return fmt.Appendf(nil, "%04d%c%c%-8s%-8s%s%04d%s", ask.Customer, ask.Subscription, ask.Data, ask.Token, ask.User, code,
		28+len(data), data)
}

func TestRequestHasThirtyNineCharacters(t *testing.T) {
	t.Parallel()
	got, err := request(dk(t, "7403851013")).Append([]byte("before|"))
	if want := "before|PRIV,004216S3CR3T  SAMVIRKE007403851013"; err != nil || string(got) != want || len(want) != 7+39 {
		t.Errorf("%q, %v", got, err)
	}
}

func TestBadRequestsAreNotWritten(t *testing.T) {
	t.Parallel()
	se, err := nationalid.Parse(nationalid.Sweden, "198503149802", day())
	if err != nil {
		t.Fatal(err)
	}
	for name, bend := range map[string]func(*direkte.Request){
		"transaction":  func(q *direkte.Request) { q.Transaction = "PRI" },
		"customer":     func(q *direkte.Request) { q.Customer = 10_000 },
		"nobody":       func(q *direkte.Request) { q.Customer = 0 },
		"subscription": func(q *direkte.Request) { q.Subscription = '9' },
		"data":         func(q *direkte.Request) { q.Data = '1' },
		"token":        func(q *direkte.Request) { q.Token = "S3CR3T789" },
		"no token":     func(q *direkte.Request) { q.Token = "" },
		"letters":      func(q *direkte.Request) { q.User = "BRØD" },
		"no user":      func(q *direkte.Request) { q.User = "" },
		"number":       func(q *direkte.Request) { q.Number = nationalid.Number{} },
		"swedish":      func(q *direkte.Request) { q.Number = se },
	} {
		q := request(dk(t, "7403851013"))
		bend(&q)
		got, err := q.Append(nil)
		if !errors.Is(err, direkte.ErrRequest) || got != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, value := range []string{"S3CR", "BRØD", "1985", "PRI", "SAMV"} {
			if strings.Contains(err.Error(), value) {
				t.Errorf("%s: the error shows a value", name)
			}
		}
	}
}

func TestRequestDoesNotPrintItself(t *testing.T) {
	t.Parallel()
	q := request(dk(t, "7403851013"))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(verb, q); strings.Contains(s, "S3CR") || strings.Contains(s, "7403") {
			t.Errorf("%s shows the request", verb)
		}
	}
	if q.LogValue().String() != q.String() {
		t.Error("the log shows the request")
	}
}

func TestErrorsOfAnswers(t *testing.T) {
	t.Parallel()
	ask := request(dk(t, "7403851013"))
	for code, want := range map[string]error{
		"01": core.ErrRegisterRefused, "02": core.ErrRegisterRefused, "03": core.ErrRegisterRefused, "04": core.ErrRegisterRefused,
		"05": core.ErrNotFound, "06": core.ErrRegisterRefused, "07": core.ErrRegisterUnavailable, "08": core.ErrRegisterUnavailable,
		"09": core.ErrRegisterUnavailable, "10": core.ErrRegisterRefused, "11": core.ErrRegisterRefused,
		"12": core.ErrRegisterUnavailable, "16": core.ErrRegisterRefused, "99": core.ErrRegisterUnavailable,
	} {
		got, err := direkte.New().ParseAnswer(answerTo(ask, code, ""), ask, day())
		said, ok := errors.AsType[*direkte.AnswerError](err)
		if !ok || !errors.Is(err, want) || said.Code != code || said.LogOnExpired() != (code == "07") || got.Person != nil {
			t.Errorf("%s: %v, want %v", code, err, want)
		}
	}
}

// sound is an answer about one person.
func sound(ask direkte.Request) string {
	number := ask.Number.Canonical()[3:]
	return strings.Join([]string{
		"001" + number + "          01000000000000 M1985-03-14",
		"003" + number + "Bo",
		"008" + number + "Bo",
	}, "\n")
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	reader, ask := direkte.New(), request(dk(t, "7403851013"))
	got, err := reader.ParseAnswer(answerTo(ask, "00", sound(ask)), ask, day())
	if err != nil || !got.HasFacts || got.Person.Number != ask.Number || civil.Of(got.Person.RegisterTime) != day() {
		t.Errorf("%v", err)
	}
	// CPR may count without the header, and end the answer with a line end.
	raw := answerTo(ask, "00", sound(ask))
	copy(raw[24:28], fmt.Sprintf("%04d", len(raw)-28))
	if _, err := reader.ParseAnswer(append(raw, "\r\n"...), ask, day()); err != nil {
		t.Error(err)
	}
	// A type that we don't know, in its order.
	with := sound(ask) + "\n034" + ask.Number.Canonical()[3:] + "news"
	if got, err := reader.ParseAnswer(answerTo(ask, "00", with), ask, day()); err != nil || got.Skipped != 1 {
		t.Errorf("%v, %d skipped", err, got.Skipped)
	}
	ask.Data = direkte.DataNone
	got, err = reader.ParseAnswer(answerTo(ask, "00", ""), ask, day())
	if err != nil || got.HasFacts || got.Person != nil || got.Number != ask.Number {
		t.Errorf("subscription only: %v", err)
	}
}

func TestAnswersToSomethingElseAreRefused(t *testing.T) {
	t.Parallel()
	ask := request(dk(t, "7403851013"))
	other, stranger := ask, request(dk(t, "6505700018"))
	other.Customer = 43
	kept := ask
	kept.Subscription = direkte.SubscriptionKeep
	none := ask
	none.Data = direkte.DataNone
	good := answerTo(ask, "00", sound(ask))
	for name, c := range map[string]struct {
		raw []byte
		ask direkte.Request
	}{
		"nothing":              {nil, ask},
		"cut off in header":    {good[:27], ask},
		"cut off":              {good[:len(good)-1], ask},
		"no digits":            {append([]byte("00x2"), good[4:]...), ask},
		"another customer":     {answerTo(other, "00", sound(ask)), ask},
		"another subscription": {answerTo(kept, "00", sound(ask)), ask},
		"another person":       {answerTo(ask, "00", sound(stranger)), ask},
		"two persons":          {answerTo(ask, "00", sound(ask)+"\n"+sound(stranger)), ask},
		"data unasked":         {answerTo(none, "00", sound(ask)), none},
		"no person":            {answerTo(ask, "00", ""), ask},
		"no name":              {answerTo(ask, "00", sound(ask)[:strings.Index(sound(ask), "\n008")]), ask},
		"no type":              {answerTo(ask, "00", "0x1"), ask},
		"a receipt":            {answerTo(ask, "00", sound(ask)+"\n997"+ask.Number.Canonical()[3:]), ask},
		"unknown width":        {answerTo(ask, "00", "034"+ask.Number.Canonical()[3:]), ask},
		"behind the end":       {answerTo(ask, "00", sound(ask)+"\n9999999999999\n008"), ask},
		"too long":             {answerTo(ask, "00", sound(ask)+strings.Repeat(" ", 2900)), ask},
		"malformed":            {answerTo(ask, "00", strings.Replace(sound(ask), "1985-03-14", "1985-13-14", 1)), ask},
	} {
		_, err := direkte.New().ParseAnswer(c.raw, c.ask, day())
		if _, ok := errors.AsType[*direkte.RefusedError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "7403") || strings.Contains(err.Error(), "1985")) {
			t.Errorf("%s: the error shows a value", name)
		}
	}
}
