package sf1520

import (
	"strconv"
	"time"
)

// plausible reports whether a text is a number as CPR gives them: ten digits of which the first six are a day of the century that the
// seventh tells. Modulus 11 is not asked for, since numbers that fail it are valid.
func plausible(number string) bool {
	if len(number) != 10 {
		return false
	}
	for _, r := range number {
		if r < '0' || r > '9' {
			return false
		}
	}
	year, _ := strconv.Atoi(number[4:6]) // two digits
	_, err := time.Parse("02012006", number[:4]+strconv.Itoa(century(number[6], year)+year))
	return err == nil
}

func century(seventh byte, year int) int {
	switch {
	case seventh <= '3':
		return 1900
	case seventh == '4' || seventh == '9':
		if year <= 36 {
			return 2000
		}
		return 1900
	case year <= 57:
		return 2000
	default:
		return 1800
	}
}
