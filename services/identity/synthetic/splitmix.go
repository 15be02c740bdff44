package synthetic

// SplitMix64 is a small generator of pseudo-random numbers whose sequence is the same everywhere. It is not for secrets.
type SplitMix64 struct{ state uint64 }

// NewSplitMix64 returns a generator started at the given value.
func NewSplitMix64(start uint64) *SplitMix64 { return &SplitMix64{state: start} }

// Next returns the next number.
func (s *SplitMix64) Next() uint64 {
	s.state += 0x9E3779B97F4A7C15
	z := s.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
