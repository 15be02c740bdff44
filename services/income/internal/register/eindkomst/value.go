package eindkomst

import (
	"strconv"
	"strings"
	"time"
)

// maxDigits is how many digits a figure may have before its decimals, so that sums never overflow.
const maxDigits = 12

// hundredths reads a decimal number such as `160`, `-160.33` or `94.670` as hundredths.
func hundredths(text string) (int64, bool) {
	s := strings.TrimSpace(text)
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	if !negative {
		s = strings.TrimPrefix(s, "+")
	}
	before, after, point := strings.Cut(s, ".")
	if !digits(before, 1, maxDigits) || point && !digits(after, 1, maxDigits) {
		return 0, false
	}
	cents := strings.TrimRight(after, "0")
	if len(cents) > 2 {
		return 0, false
	}
	n, err := strconv.ParseInt(before+(cents + "00")[:2], 10, 64)
	if negative {
		n = -n
	}
	return n, err == nil
}

// whole reads a number without sign and decimals.
func whole(s string) (int64, bool) {
	if !digits(s, 1, 9) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// flag reads a mark: 1 is set, and anything else but nothing and 0 as well, so that no mark is missed.
func flag(s string) bool { return strings.Trim(s, "0") != "" }

// moment reads SKAT's `2023-10-05-14.36.43.000000`, which is Danish time.
func moment(s string, zone *time.Location) (time.Time, bool) {
	at, err := time.ParseInLocation("2006-01-02-15.04.05.000000", s, zone)
	return at.UTC(), err == nil
}
