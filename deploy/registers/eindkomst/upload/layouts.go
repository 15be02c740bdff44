package upload

// layouts are the records by number. Positions count from 1. Source: registers.md, 3.5, and the list beside it; of record 6000 the part that the
// official page gives.
func layouts() map[string][]Field {
	return map[string][]Field{
		"1000": {
			{"kalenderdato", 12, 8, Digits}, {"klokkeslaet", 20, 6, Digits}, {"se_indberetter", 26, 8, Digits}, {"cvr", 34, 8, Digits},
			{"indberettertype", 42, 2, Text}, {"filler", 44, 5, Text}, {"metode", 49, 1, Text}, {"edb_system", 50, 20, Text},
			{"version_edb", 70, 20, Text}, {"hovedindberetning_id", 90, 16, Text}, {"version_snitflade", 106, 3, Text},
			{"test_prod_T_P", 109, 1, Text}, {"filler2", 110, 32, Text}, {"e_L_mark", 142, 1, Text},
		},
		"2001": {
			{"filler", 12, 16, Text}, {"se_virksomhed", 28, 8, Digits}, {"ophoert", 36, 1, Text}, {"valuta", 37, 3, Text},
		},
		"2101": {
			{"cpr", 12, 10, Digits}, {"filler", 22, 8, Text}, {"medarbejdernr", 30, 15, Text}, {"ansaettelsesdato", 45, 8, Digits},
			{"fratraedelsesdato", 53, 8, Digits}, {"filler2", 61, 24, Text}, {"korttype", 85, 1, Text}, {"fra_dato", 86, 8, Digits},
			{"supplerende", 94, 50, Text}, {"genbestil", 144, 1, Text},
		},
		"2111": {
			{"indholdstype", 12, 4, Text}, {"medarbejderkode", 16, 12, Text}, {"dato", 28, 8, Digits},
		},
		"3101": {
			{"forskud_bagud_F_B", 12, 1, Text}, {"indberetning_id", 13, 16, Text}, {"reference_id", 29, 16, Text},
			{"periode_start", 45, 8, Digits}, {"periode_slut", 53, 8, Digits}, {"nulangivelse", 61, 1, Text}, {"felt", 62, 4, Digits},
			{"beloeb", 66, 10, Digits}, {"decimaler", 76, 6, Digits}, {"fortegn", 82, 1, Text},
		},
		"4101": {
			{"indberetning_id", 12, 16, Text}, {"reference_id", 28, 16, Text}, {"filler", 44, 1, Text}, {"tilbagefoersel", 45, 1, Text},
			{"cpr", 46, 10, Digits},
		},
		"5000": {
			{"rettelse_tidl_periode_R", 12, 1, Text}, {"indberetning_id", 13, 16, Text}, {"reference_id", 29, 16, Text},
			{"loenperiode_start", 45, 8, Digits}, {"loenperiode_slut", 53, 8, Digits}, {"dispositionsdato", 61, 8, Digits},
			{"filler", 69, 1, Text}, {"forud_bagud_F_B", 70, 1, Text}, {"groenland", 71, 3, Text}, {"indkomsttype", 74, 2, Digits},
		},
		"6000": {
			{"filler", 12, 8, Text}, {"cpr", 20, 10, Digits}, {"cvr_se", 30, 8, Digits}, {"medarbejdernr", 38, 15, Text},
			{"e101_obsolete", 53, 1, Text},
		},
		"6001": {
			{"felt", 12, 4, Digits}, {"beloeb", 16, 10, Digits}, {"decimaler", 26, 6, Digits}, {"fortegn", 32, 1, Text},
		},
		"6002": {
			{"felt", 12, 4, Digits}, {"kode", 16, 10, Text},
		},
		"6003": {
			{"felt", 12, 4, Digits}, {"kryds", 16, 1, Text},
		},
		"6004": {
			{"felt", 12, 4, Digits}, {"tekst", 16, 58, Text},
		},
		"6005": {
			{"felt", 12, 4, Digits}, {"antal", 16, 6, Digits}, {"decimaler", 22, 2, Digits}, {"fortegn", 24, 1, Text},
		},
		"6102": {
			{"beloeb", 12, 10, Digits}, {"decimaler", 22, 6, Digits}, {"fortegn", 28, 1, Text}, {"dage", 29, 2, Digits},
			{"dage_dec", 31, 2, Digits}, {"dage_fortegn", 33, 1, Text}, {"ferieaar", 34, 4, Digits}, {"fratraedelsesdato", 38, 8, Digits},
		},
		"6202": {
			{"beloeb", 12, 10, Digits}, {"decimaler", 22, 6, Digits}, {"fortegn", 28, 1, Text}, {"dage", 29, 2, Digits},
			{"dage_dec", 31, 2, Digits}, {"dage_fortegn", 33, 1, Text}, {"ferieaar", 34, 4, Digits}, {"fratraedelsesdato", 38, 8, Digits},
		},
		"6111": {
			{"indholdstype", 12, 4, Text}, {"enheder", 16, 10, Digits}, {"enheder_fortegn", 26, 1, Text}, {"beloeb", 27, 10, Digits},
			{"decimaler", 37, 6, Digits}, {"fortegn", 43, 1, Text},
		},
		"8001": {
			{"foedselsdato", 12, 8, Digits}, {"koen", 20, 1, Text}, {"land", 21, 2, Text}, {"navn", 23, 40, Text}, {"gade", 63, 40, Text},
			{"postnr", 103, 9, Text}, {"by", 112, 35, Text},
		},
		"9999": {
			{"antal_records", 12, 7, Digits},
		},
	}
}
