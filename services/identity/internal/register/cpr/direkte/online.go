package direkte

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

// Widths of the on-line service, in characters, and columns of its answers, from 0.
const (
	headerWidth        = 28
	maxData            = 2880
	tokenWidth         = 8
	transWidth         = 4
	clientWidth        = 4
	maxClient          = 9999
	subscriptionColumn = 4
	dataColumn         = 5
	errorColumn        = 22
	lengthColumn       = 24
	noError            = "00"
)

// Subscription says what a request does with the subscription (ABON_TYPE). A log-on, ABON_TYPE 9, is a message of another form that no
// source of ours describes, and is not made here.
type Subscription byte

// What a request may do.
const (
	SubscriptionKeep  Subscription = '0' // nothing
	SubscriptionBegin Subscription = '1' // put the person on it
	SubscriptionEnd   Subscription = '3' // take the person off it
)

// Data says what a request asks for (DATA_TYPE).
type Data byte

// What may be asked for.
const (
	DataNone   Data = '0' // nothing: the subscription only
	DataAgreed Data = '6' // what CPR and the customer agreed upon, in records of P12170
)

// ErrRequest means that a request can't be written. It holds no value of it.
var ErrRequest = errors.New("cpr direkte: not a request")

// Request is a question to the on-line service.
type Request struct {
	Transaction  string // CPRTRANS: four characters that CPR gives the customer
	Customer     int    // KUNDENR: 1 to 9999
	Subscription Subscription
	Data         Data
	Token        string // from the log-on, eight characters at most; a secret
	User         string // BRUGER_ID: the system user that CPR gave, eight characters at most
	Number       nationalid.Number
}

// String keeps a request that is printed by accident from showing its token.
func (Request) String() string { return "[cpr direkte request]" }

// GoString is String for %#v.
func (q Request) GoString() string { return q.String() }

// LogValue is String for logs.
func (q Request) LogValue() slog.Value { return slog.StringValue(q.String()) }

// Append appends the 39 characters of the request. Error: ErrRequest.
func (q Request) Append(dst []byte) ([]byte, error) {
	switch {
	case len(q.Transaction) != transWidth || !plain(q.Transaction):
		return dst, fmt.Errorf("%w: transaction: want four characters", ErrRequest)
	case q.Customer < 1 || q.Customer > maxClient:
		return dst, fmt.Errorf("%w: customer: want 1 to 9999", ErrRequest)
	case q.Subscription != SubscriptionKeep && q.Subscription != SubscriptionBegin && q.Subscription != SubscriptionEnd:
		return dst, fmt.Errorf("%w: subscription: not a way that we know", ErrRequest)
	case q.Data != DataNone && q.Data != DataAgreed:
		return dst, fmt.Errorf("%w: data: not a kind that we know", ErrRequest)
	case q.Token == "" || len(q.Token) > tokenWidth || !plain(q.Token):
		return dst, fmt.Errorf("%w: token: want eight characters at most", ErrRequest)
	case q.User == "" || len(q.User) > tokenWidth || !plain(q.User):
		return dst, fmt.Errorf("%w: user: want eight characters at most", ErrRequest)
	case q.Number.Country() != nationalid.Denmark:
		return dst, fmt.Errorf("%w: number: not one of CPR", ErrRequest)
	}
	dst = append(dst, q.Transaction...)
	dst = append(dst, ',')
	dst = fmt.Appendf(dst, "%0*d", clientWidth, q.Customer)
	dst = append(dst, byte(q.Subscription), byte(q.Data))
	dst = fmt.Appendf(dst, "%-*s%-*s", tokenWidth, q.Token, tokenWidth, q.User)
	dst = append(dst, noError...)
	return append(dst, q.Number.Canonical()[len("DK:"):]...), nil
}

// plain reports whether a text has printable ASCII characters only.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// AnswerError is an answer that says that there is none (FEJLNR). It unwraps to core.ErrNotFound (05), core.ErrRegisterUnavailable (07 the
// log-on expired, 08 and 09 trouble in CPR, and whatever CPR may add), or core.ErrRegisterRefused (the others: an operator must act).
type AnswerError struct {
	Code string // two digits
}

// Error tells the code.
func (e *AnswerError) Error() string { return "cpr direkte: answered with error " + e.Code }

// LogOnExpired reports whether another log-on helps.
func (e *AnswerError) LogOnExpired() bool { return e.Code == "07" }

// Unwrap returns what the code means for us. [B: the codes are those that public clients of the service know]
func (e *AnswerError) Unwrap() error {
	switch e.Code {
	case "05":
		return core.ErrNotFound
	case "01", "02", "03", // user, password, new password
		"04", "06", // access to CPR, customer number
		"10", "11", // subscription and data type
		"16": // network address
		return core.ErrRegisterRefused
	default:
		return core.ErrRegisterUnavailable
	}
}

// Answer is what the on-line service answered.
type Answer struct {
	Update   // without Line, Failure and Receipt
	Skipped  int
	HasFacts bool // false if only the subscription was asked for
}

// ParseAnswer reads the answer to a request that was given on the day at (in Denmark): 28 characters and the data, whose records follow each
// other in their full width, or one a line. What the records mean is written at Update; at stands for the day of the delivery. Errors:
// *AnswerError if CPR did not answer the question; *RefusedError if this is not an answer to it.
func (r *Reader) ParseAnswer(raw []byte, ask Request, at civil.Date) (Answer, error) {
	data, err := openAnswer(raw, ask)
	if err != nil {
		return Answer{}, err
	}
	if ask.Data == DataNone {
		if len(trim(data)) > 0 {
			return Answer{}, refusal(1, nil, "data that nobody asked for")
		}
		return Answer{Update: Update{Number: ask.Number}}, nil
	}
	return r.records(data, ask.Number, at)
}

// openAnswer checks the header and returns the data.
func openAnswer(raw []byte, ask Request) ([]byte, error) {
	const noHeader = "not the header of an answer"
	if len(raw) < headerWidth {
		return nil, refusal(0, nil, noHeader)
	}
	customer, code, length := raw[:clientWidth], raw[errorColumn:lengthColumn], raw[lengthColumn:headerWidth]
	switch {
	case !digits(customer) || !digits(code) || !digits(length):
		return nil, refusal(0, nil, noHeader)
	case value(customer) != ask.Customer:
		return nil, refusal(0, nil, "KUNDENR: of another customer")
	case string(code) != noError:
		return nil, &AnswerError{Code: string(code)}
	case raw[subscriptionColumn] != byte(ask.Subscription) || raw[dataColumn] != byte(ask.Data):
		return nil, refusal(0, nil, "ABON_TYPE, DATA_TYPE: of another question")
	}
	return ofLength(raw[headerWidth:], value(length))
}

// ofLength returns the data without a line end that the length does not count. The length is said to count the header; one that counts the
// data only can't be taken for it by mistake, as nothing but the last line end may be left over.
func ofLength(data []byte, told int) ([]byte, error) {
	for _, n := range [...]int{told - headerWidth, told} {
		if n < 0 || n > len(data) || len(bytes.TrimRight(data[n:], "\r\n")) > 0 {
			continue
		}
		if n > maxData {
			return nil, refusal(0, nil, "longer than any answer")
		}
		return data[:n], nil
	}
	return nil, refusal(0, nil, "not of the length that it tells")
}

func refusal(line int, r *Record, reason string) *RefusedError {
	e := &RefusedError{Line: line, Reason: reason}
	if r != nil {
		e.Record = r.name()
	}
	return e
}

// records reads the records of one person.
func (r *Reader) records(data []byte, asked nationalid.Number, at civil.Date) (Answer, error) {
	var (
		b       block
		answer  Answer
		n       int
		ended   bool
		started bool
		inLines = bytes.IndexByte(data, '\n') >= 0
	)
	for len(data) > 0 {
		n++
		var rec Record
		var ok bool
		if rec, data, ok = r.cutRecord(data, inLines); !ok {
			return Answer{}, refusal(n, nil, "no record of a known type")
		}
		switch {
		case ended:
			return Answer{}, refusal(n, &rec, "behind the end record")
		case rec.Type == typeStart && n == 1:
		case rec.Type == typeEnd:
			ended = true
		default:
			if !started && (!b.begin(rec, n, at, look|build) || b.number != asked) {
				return Answer{}, refusal(n, &rec, "of another person")
			}
			started = true
			if reason := b.one(rec); reason != "" {
				return Answer{}, refusal(n, &rec, reason)
			}
			if !rec.Known() {
				answer.Skipped++
			}
		}
	}
	if !b.person || !b.named || !b.written {
		return Answer{}, refusal(max(n, 1), nil, "it ends without the records 001, 003 and 008")
	}
	answer.Update, answer.HasFacts = b.update(), true
	answer.Line = 0
	return answer, nil
}

// one takes in a record of the one person whom an answer is about.
func (b *block) one(r Record) string {
	switch {
	case r.Type >= typeControl || r.Type == typeStart:
		return "not a record of a person"
	case !bytes.Equal(r.number(), b.raw[:]):
		return "of another person"
	default:
		return b.add(r)
	}
}

// cutRecord takes the first record off: to the end of the line if the data are in lines, else in the full width of its type.
func (r *Reader) cutRecord(data []byte, inLines bool) (Record, []byte, bool) {
	kind, ok := recordType(data)
	if !ok {
		return Record{}, nil, false
	}
	rec := Record{Type: kind, shape: r.shapes[kind]}
	end, next := len(data), len(data)
	switch {
	case inLines:
		if at := bytes.IndexByte(data, '\n'); at >= 0 {
			end, next = at+1, at+1
		}
	case !rec.Known():
		return Record{}, nil, false // where the next one begins can't be known
	default:
		end = min(rec.shape.Length, len(data))
		next = end
	}
	rec.line = withoutEnd(data[:end])
	return rec, data[next:], true
}
