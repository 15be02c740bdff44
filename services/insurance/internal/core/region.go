package core

// insideEEA says whether a country is in the EU or the EEA: no ground of its own is needed there (domain rule P9). Source: the member
// lists of the EU and of the EEA agreement, 2026.
func insideEEA(country string) bool {
	switch country {
	case "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV", "MT", "NL",
		"PL", "PT", "RO", "SE", "SI", "SK", // EU
		"IS", "LI", "NO": // EEA
		return true
	default:
		return false
	}
}
