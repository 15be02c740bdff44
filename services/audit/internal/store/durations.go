package store

import (
	"math/bits"
	"time"
)

// classes a doubling: percentiles read from the counts are off by at most a fifth.
const classesPerDoubling = 4

// ClassOf returns the duration class of a call, from 0 for under two microseconds. Four classes cover a doubling.
func ClassOf(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 1))
	top := bits.Len64(us) - 1
	if top < 2 {
		return top * classesPerDoubling
	}
	return top*classesPerDoubling + int(us>>(top-2)&3)
}

// UpperOf returns the longest duration that belongs to a class.
func UpperOf(class int) time.Duration {
	top, part := class/classesPerDoubling, class%classesPerDoubling
	if top < 2 {
		return time.Duration(1<<(top+1)-1) * time.Microsecond
	}
	return time.Duration((4+part+1)<<(top-2)-1) * time.Microsecond
}
