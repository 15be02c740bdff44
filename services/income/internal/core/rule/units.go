// Package rule holds what all rules share: units, the one rounding, insurance status, codes, and the sets of values that law and fund
// pages give, each with its source and the date from which it holds.
package rule

import (
	"strconv"
)

// Hours are centihours: 100 is one hour.
type Hours int64

// Money is in øre or öre: 100 is one krone.
type Money int64

// Hour is one hour.
const Hour Hours = 100

// Abs returns the size without the sign.
func (h Hours) Abs() Hours { return max(h, -h) }

// String writes hours with two decimals: 12.50.
func (h Hours) String() string { return hundredths(int64(h)) }

// String writes kroner with two decimals: 1587.27.
func (m Money) String() string { return hundredths(int64(m)) }

func hundredths(n int64) string {
	sign := ""
	u := uint64(n) //nolint:gosec // two's complement is turned back below
	if n < 0 {
		sign, u = "-", -u
	}
	cents := strconv.FormatUint(u%100+100, 10)
	return sign + strconv.FormatUint(u/100, 10) + "." + cents[1:]
}

// Status is how a member is insured.
type Status uint8

// The statuses. The zero value is unknown.
const (
	Unknown  Status = iota
	FullTime        // F, heltidsforsikret
	PartTime        // P, deltidsforsikret
)

// String returns F, P or ?.
func (s Status) String() string {
	switch s {
	case FullTime:
		return "F"
	case PartTime:
		return "P"
	default:
		return "?"
	}
}

// Known says whether it is F or P.
func (s Status) Known() bool { return s == FullTime || s == PartTime }

// Amount returns the benefit for h hours at a monthly rate, where norm is the month's norm hours: h × rate / norm, rounded half up to
// whole øre, once (domain B.0, money.rounding=HALF_UP_ORE). h and rate are not negative; norm is positive.
func Amount(h Hours, rate Money, norm Hours) Money {
	n := int64(norm)
	return Money((2*int64(h)*int64(rate) + n) / (2 * n))
}
