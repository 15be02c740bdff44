package sqlstore

// Query is a statement of the store for the test of query plans. A nil argument stands for a blind index.
type Query struct {
	Text string
	Args []any
}

// Queries returns the statements that must not read a whole table.
func Queries() map[string]Query {
	return map[string]Query{
		"by index":       {byOneIndex, []any{nil}},
		"by two indexes": {byTwo, []any{nil, nil}},
		"by handle":      {byHandle, []any{"DK:10000009", "handle-0"}},
		"find handle":    {findHandle, []any{int64(1), "DK:10000009"}},
		"find rows":      {findRows(2), []any{nil, nil}},
		"old rows":       {oldRows, []any{int64(2_990), int64(2), 10}},
		"drop aliases":   {dropAliases + `$1)`, []any{int64(1)}},
		"move handles":   {moveHandles, []any{int64(1), int64(2)}},
		"move aliases":   {moveAliases, []any{int64(1), int64(2)}},
		"drop person":    {dropPerson, []any{int64(4_000_000)}},
		"move person":    {movePerson, []any{nil, int64(1)}},
	}
}
