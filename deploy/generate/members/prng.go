package members

// splitMix is SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere, so that member i is always the same person.
type splitMix uint64

// next returns the next draw.
func (s *splitMix) next() uint64 {
	*s += 0x9E3779B97F4A7C15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
