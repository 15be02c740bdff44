package direkte

import (
	"encoding/binary"

	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

// earliest is the first year that a date in CPR may have: the register knows nobody born before 1800.
const earliest = 1800

// fault looks at all fields of a record whose type is known and returns what is wrong with the first bad one, or "". The person's own number
// is not looked at here: it is the same in most lines.
func (r Record) fault(produced civil.Date) string {
	if len(r.line) > r.shape.Length && len(trim(r.line[r.shape.Length:])) > 0 {
		return "longer than its layout"
	}
	if control(r.line) {
		return "a control character"
	}
	for i := range r.shape.strict {
		f := &r.shape.strict[i]
		if f.Position > len(r.line) {
			break // this field and all behind it are blank
		}
		if f.Length == 1 && r.line[f.Position-1] == ' ' {
			continue // as most marks are
		}
		if reason := f.fault(r.cut(f.Position-1, f.Length), produced); reason != "" {
			return f.Name + ": " + reason
		}
	}
	return ""
}

// control reports whether there is a character below the blank, or from 7F to 9F, eight of them at a time.
func control(line []byte) bool {
	const (
		each = 0x0101010101010101
		top  = 0x80 * each
	)
	for ; len(line) >= 8; line = line[8:] {
		x := binary.LittleEndian.Uint64(line)
		low := x & (0x60 * each) // 0 in characters of 00 to 1F and 80 to 9F
		del := x ^ (0x7f * each) // 0 in those of 7F
		if ((low-each)&^low|(del-each)&^del)&top != 0 {
			return true
		}
	}
	for _, c := range line {
		if c&0x60 == 0 || c == 0x7f {
			return true
		}
	}
	return false
}

// fault returns what is wrong with what a line has of a strict field.
func (f *Field) fault(v []byte, produced civil.Date) string {
	switch {
	case v[0] == ' ' && len(trim(v)) == 0:
		return ""
	case len(v) != f.Length || v[0] == ' ' || v[len(v)-1] == ' ':
		return "not in the whole width"
	}
	ok, reason := true, ""
	switch f.Kind {
	case Digits, Relative:
		ok, reason = digits(v), "not digits"
	case Day:
		_, ok = dayOf(v)
		reason = "no such date"
	case PackedDay:
		_, ok = packedDay(v)
		reason = "no such date"
	case Stamp:
		_, _, ok = stampOf(v)
		reason = "no such time"
	case Doubt:
		ok, reason = v[0] == '*', "not a mark of doubt"
	case NameMark:
		ok, reason = v[0] == '+' || v[0] == '*' || v[0] == '=', "not a mark of a name"
	case Number:
		_, ok = numberOf(v, produced)
		reason = "not a person's number"
	case Text, Subject: // not strict
	}
	if ok {
		return ""
	}
	return reason
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func zeros(b []byte) bool {
	for _, c := range b {
		if c != '0' {
			return false
		}
	}
	return true
}

// value reads digits that were checked.
func value(b []byte) int {
	n := 0
	for _, c := range b {
		n = n*10 + int(c-'0')
	}
	return n
}

// figure reads digits.
func figure(b []byte) (n int, ok bool) {
	for _, c := range b {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + int(c)
	}
	return n, true
}

// dayOf reads YYYY-MM-DD. Blanks and zeros are no date, which is no mistake.
func dayOf(b []byte) (civil.Date, bool) {
	const width = 10
	if len(b) == 0 {
		return civil.Date{}, true
	}
	if len(b) != width || b[4] != '-' || b[7] != '-' {
		return civil.Date{}, false
	}
	return date(b[:4], b[5:7], b[8:])
}

// packedDay reads YYYYMMDD like dayOf.
func packedDay(b []byte) (civil.Date, bool) {
	const width = 8
	if len(b) == 0 {
		return civil.Date{}, true
	}
	if len(b) != width {
		return civil.Date{}, false
	}
	return date(b[:4], b[4:6], b[6:])
}

func date(year, month, day []byte) (civil.Date, bool) {
	y, yes := figure(year)
	m, yesMonth := figure(month)
	d, yesDay := figure(day)
	if !yes || !yesMonth || !yesDay {
		return civil.Date{}, false
	}
	out := civil.Date{Year: y, Month: m, Day: d}
	return out, out.IsZero() || out.Valid() && y >= earliest
}

// Widths and limits of a time.
const (
	stampWidth = 12
	clockWidth = 4
	lastHour   = 24
	lastMinute = 59
	noMinute   = 99 // written where there is no time
)

// stampOf reads YYYYMMDDHHMM: the date, possibly partial, and the time of day as it stands. Blanks and zeros are no time.
func stampOf(b []byte) (day civil.Date, clock []byte, ok bool) {
	if len(b) == 0 {
		return civil.Date{}, nil, true
	}
	if len(b) != stampWidth {
		return civil.Date{}, nil, false
	}
	clock = b[stampWidth-clockWidth:]
	hour, hourOK := figure(clock[:2])
	minute, minuteOK := figure(clock[2:])
	if !hourOK || !minuteOK || hour > lastHour || minute > lastMinute && minute != noMinute {
		return civil.Date{}, nil, false
	}
	day, ok = packedDay(b[:stampWidth-clockWidth])
	return day, clock, ok
}

// numberOf reads a person's number. Nobody is born after the day on which a delivery was made. Blanks and zeros are no number, which is
// no mistake.
func numberOf(b []byte, produced civil.Date) (nationalid.Number, bool) {
	if len(b) == 0 || len(b) == numberWidth && zeros(b) {
		return nationalid.Number{}, true
	}
	if len(b) != numberWidth || !digits(b) {
		return nationalid.Number{}, false
	}
	n, err := nationalid.Parse(nationalid.Denmark, string(b), produced)
	return n, err == nil
}
