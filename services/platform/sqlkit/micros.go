package sqlkit

import (
	"database/sql"
	"time"
)

// Micros returns a moment as both databases store it: microseconds since 1970 UTC in an INTEGER or BIGINT column. Finer parts are
// cut off, so that a moment read back equals Truncate of the one written.
func Micros(t time.Time) int64 { return Truncate(t).UnixMicro() }

// Time returns the moment, in UTC, that Micros wrote.
func Time(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// Truncate cuts a moment to the precision that both databases keep, in UTC and without monotonic reading.
func Truncate(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }

// NullMicros is Micros for a column that may be NULL: the zero time is NULL.
func NullMicros(t time.Time) sql.NullInt64 {
	if t.IsZero() {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: Micros(t), Valid: true}
}

// NullTime is Time for a column that may be NULL: NULL is the zero time.
func NullTime(micros sql.NullInt64) time.Time {
	if !micros.Valid {
		return time.Time{}
	}
	return Time(micros.Int64)
}
