package direkte

// table is the one description of the records: their fields in order, without the record type that every line begins with. Its facts are
// those of the CPR Direkte product P12170; a test compares it with the published definitions.
func table() []Layout { //nolint:funlen // a table
	return []Layout{
		{Type: 0, Name: "StartRecord", Length: 35, Once: true, Fields: []Field{
			{"SORTFELT-10", 4, 10, Text}, {"OPGAVENR", 14, 6, Digits}, {"PRODDTO", 20, 8, PackedDay},
			{"PRODDTOFORRIG", 28, 8, PackedDay},
		}},
		{Type: 1, Name: "PersonInformation", Length: 106, Once: true, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"PNRGAELD", 14, 10, Number}, {"STATUS", 24, 2, Digits}, {"STATUSHAENSTART", 26, 12, Stamp},
			{"STATUSDTO_UMRK", 38, 1, Doubt}, {"KOEN", 39, 1, Text}, {"FOED_DT", 40, 10, Day}, {"FOED_DT_UMRK", 50, 1, Doubt},
			{"START_DT-PERSON", 51, 10, Day}, {"START_DT_UMRK-PERSON", 61, 1, Doubt}, {"SLUT_DT-PERSON", 62, 10, Day},
			{"SLUT_DT_UMRK-PERSON", 72, 1, Doubt}, {"STILLING", 73, 34, Text},
		}},
		{Type: 2, Name: "CurrentAddressInformation", Length: 306, Once: true, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"KOMKOD", 14, 4, Digits}, {"VEJKOD", 18, 4, Digits}, {"HUSNR", 22, 4, Text},
			{"ETAGE", 26, 2, Text}, {"SIDEDOER", 28, 4, Text}, {"BNR", 32, 4, Text}, {"CONVN", 36, 34, Text},
			{"TILFLYDTO", 70, 12, Stamp}, {"TILFLYDT_UMRK", 82, 1, Doubt}, {"TILFLYKOMDTO", 83, 12, Stamp},
			{"TILFLYKOMDT_UMRK", 95, 1, Doubt}, {"FRAFLYKOMKOD", 96, 4, Digits}, {"FRAFLYKOMDTO", 100, 12, Stamp},
			{"FRAFLYKOMDT_UMRK", 112, 1, Doubt}, {"START_MYNKOD-ADRTXT", 113, 4, Digits}, {"ADR1-SUPLADR", 117, 34, Text},
			{"ADR2-SUPLADR", 151, 34, Text}, {"ADR3-SUPLADR", 185, 34, Text}, {"ADR4-SUPLADR", 219, 34, Text},
			{"ADR5-SUPLADR", 253, 34, Text}, {"START_DT-ADRTXT", 287, 10, Day}, {"SLET_DT-ADRTXT", 297, 10, Day},
		}},
		{Type: 3, Name: "ClearWrittenAddress", Length: 249, Once: true, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"ADRNVN", 14, 34, Text}, {"CONVN", 48, 34, Text}, {"LOKALITET", 82, 34, Text},
			{"STANDARDADR", 116, 34, Text}, {"BYNVN", 150, 34, Text}, {"POSTNR", 184, 4, Digits}, {"POSTDISTTXT", 188, 20, Text},
			{"KOMKOD", 208, 4, Digits}, {"VEJKOD", 212, 4, Digits}, {"HUSNR", 216, 4, Text}, {"ETAGE", 220, 2, Text},
			{"SIDEDOER", 222, 4, Text}, {"BNR", 226, 4, Text}, {"VEJADRNVN", 230, 20, Text},
		}},
		{Type: 4, Name: "Protection", Length: 37, Once: false, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"BESKYTTYPE", 14, 4, Digits}, {"START_DT-BESKYTTELSE", 18, 10, Day},
			{"SLET_DT-BESKYTTELSE", 28, 10, Day},
		}},
		{Type: 5, Name: "CurrentDepartureData", Length: 200, Once: true, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"UDR_LANDEKOD", 14, 4, Digits}, {"UDRDTO", 18, 12, Stamp}, {"UDRDTO_UMRK", 30, 1, Doubt},
			{"UDLANDADR1", 31, 34, Text}, {"UDLANDADR2", 65, 34, Text}, {"UDLANDADR3", 99, 34, Text}, {"UDLANDADR4", 133, 34, Text},
			{"UDLANDADR5", 167, 34, Text},
		}},
		{Type: 6, Name: "ContactAddress", Length: 203, Once: true, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"ADR1-KONTAKTADR", 14, 34, Text}, {"ADR2-KONTAKTADR", 48, 34, Text},
			{"ADR3-KONTAKTADR", 82, 34, Text}, {"ADR4-KONTAKTADR", 116, 34, Text}, {"ADR5-KONTAKTADR", 150, 34, Text},
			{"START_DT-ADRTXT", 184, 10, Day}, {"SLET_DT-ADRTXT", 194, 10, Day},
		}},
		{Type: 7, Name: "CurrentDisappearanceInformation", Length: 26, Once: true, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"FORSVINDDTO", 14, 12, Stamp}, {"FORSVINDDTO_UMRK", 26, 1, Doubt},
		}},
		{Type: 8, Name: "CurrentNameInformation", Length: 193, Once: true, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"FORNVN", 14, 50, Text}, {"FORNVN_MRK", 64, 1, NameMark}, {"MELNVN", 65, 40, Text},
			{"MELNVN_MRK", 105, 1, NameMark}, {"EFTERNVN", 106, 40, Text}, {"EFTERNVN_MRK", 146, 1, NameMark},
			{"NVNHAENSTART", 147, 12, Stamp}, {"HAENSTART_UMRK-NAVNE", 159, 1, Doubt}, {"ADRNVN", 160, 34, Text},
		}},
		{Type: 9, Name: "BirthRegistrationInformation", Length: 37, Once: true, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"START_MYNKOD-FØDESTED", 14, 4, Text}, {"MYNTXT-FØDESTED", 18, 20, Text},
		}},
		{Type: 10, Name: "CurrentCitizenship", Length: 30, Once: true, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"LANDEKOD", 14, 4, Digits}, {"HAENSTART-STATSBORGERSKAB", 18, 12, Stamp},
			{"HAENSTART_UMRK-STATSBORGERSKAB", 30, 1, Doubt},
		}},
		{Type: 11, Name: "ChurchInformation", Length: 25, Once: true, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"FKIRK", 14, 1, Text}, {"START_DT-FOLKEKIRKE", 15, 10, Day},
			{"START_DT_UMRK-FOLKEKIRKE", 25, 1, Doubt},
		}},
		{Type: 12, Name: "CurrentCivilStatus", Length: 95, Once: true, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"CIVST", 14, 1, Text}, {"AEGTEPNR", 15, 10, Relative}, {"AEGTEFOED_DT", 25, 10, Day},
			{"AEGTEFOEDDT_UMRK", 35, 1, Doubt}, {"AEGTENVN", 36, 34, Text}, {"AEGTENVN_MRK", 70, 1, NameMark},
			{"HAENSTART-CIVILSTAND", 71, 12, Stamp}, {"HAENSTART_UMRK-CIVILSTAND", 83, 1, Doubt},
			{"SEP_HENVIS-CIVILSTAND", 84, 12, Stamp},
		}},
		{Type: 13, Name: "CurrentSeparation", Length: 36, Once: true, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"SEP_HENVIS-SEPARATION", 14, 12, Stamp}, {"START_DT-SEPARATION", 26, 10, Day},
			{"START_DT_UMRK-SEPARATION", 36, 1, Doubt},
		}},
		{Type: 14, Name: "Child", Length: 23, Once: false, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"PNRBARN", 14, 10, Relative},
		}},
		{Type: 15, Name: "ParentsInformation", Length: 147, Once: true, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"MOR_DT", 14, 10, Day}, {"MOR_DT_UMRK", 24, 1, Doubt}, {"PNRMOR", 25, 10, Relative},
			{"MOR_FOED_DT", 35, 10, Day}, {"MOR_FOED_DT_UMRK", 45, 1, Doubt}, {"MORNVN", 46, 34, Text},
			{"MORNVN_MRK", 80, 1, NameMark}, {"FAR_DT", 81, 10, Day}, {"FAR_DT_UMRK", 91, 1, Doubt}, {"PNRFAR", 92, 10, Relative},
			{"FAR_FOED_DT", 102, 10, Day}, {"FAR_FOED_DT_UMRK", 112, 1, Doubt}, {"FARNVN", 113, 34, Text},
			{"FARNVN_MRK", 147, 1, NameMark},
		}},
		{Type: 16, Name: "ParentalAuthority", Length: 58, Once: false, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"RELTYP-FORÆLDREMYN", 14, 4, Digits}, {"START_DT-FORÆLDREMYN", 18, 10, Day},
			{"START_DT_UMRK-FORÆLDREMYN", 28, 1, Doubt}, {"SLET_DT-FORÆLDREMYN", 29, 10, Day}, {"RELPNR", 39, 10, Relative},
			{"START_DT-RELPNR_PNR", 49, 10, Day},
		}},
		{Type: 17, Name: "Disempowerment", Length: 272, Once: true, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"START_DT-UMYNDIG", 14, 10, Day}, {"START_DT_UMRK-UMYNDIG", 24, 1, Doubt},
			{"SLET_DT-UMYNDIG", 25, 10, Day}, {"UMYN_RELTYP", 35, 4, Digits}, {"RELPNR", 39, 10, Relative},
			{"START_DT-RELPNR_PNR", 49, 10, Day}, {"RELADRSAT_RELPNR_TXT", 59, 34, Text}, {"START_DT-RELPNR_TXT", 93, 10, Day},
			{"RELTXT1", 103, 34, Text}, {"RELTXT2", 137, 34, Text}, {"RELTXT3", 171, 34, Text}, {"RELTXT4", 205, 34, Text},
			{"RELTXT5", 239, 34, Text},
		}},
		{Type: 18, Name: "MunicipalConditions", Length: 60, Once: false, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"KOMFORHTYP", 14, 1, Digits}, {"KOMFORHKOD", 15, 5, Text},
			{"START_DT-KOMMUNALE-FORHOLD", 20, 10, Day}, {"START_DT_UMRK-KOMMUNALE-FORHOL", 30, 1, Doubt},
			{"BEMAERK-KOMMUNALE-FORHOLD", 31, 30, Text},
		}},
		{Type: 19, Name: "Notes", Length: 75, Once: false, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"NOTATNR", 14, 2, Digits}, {"NOTATLINIE", 16, 40, Text}, {"START_DT-NOTAT", 56, 10, Day},
			{"SLET_DT-NOTAT", 66, 10, Day},
		}},
		{Type: 20, Name: "ElectionInformation", Length: 47, Once: false, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"VALGKODE", 14, 4, Digits}, {"VALGRET_DT", 18, 10, Day},
			{"START_DT-VALGOPLYSNINGER", 28, 10, Day}, {"SLET_DT-VALGOPLYSNINGER", 38, 10, Day},
		}},
		{Type: 21, Name: "RelocationOrder", Length: 63, Once: true, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"START_DT-FLYTTEPÅBUD", 14, 10, Day}, {"FLYTTEPÅBUD", 24, 40, Text},
		}},
		{Type: 22, Name: "HistoricalPNR", Length: 45, Once: false, Fields: []Field{
			{"PNRGÆLD", 4, 10, Subject}, {"PNR", 14, 10, Number}, {"START_DT-PERSON", 24, 10, Day},
			{"START_DT_UMRK-PERSON", 34, 1, Doubt}, {"SLUT_DT-PERSON", 35, 10, Day}, {"SLUT_DT_UMRK-PERSON", 45, 1, Doubt},
		}},
		{Type: 23, Name: "HistoricalAddress", Length: 96, Once: false, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"ANNKOR", 14, 1, Text}, {"KOMKOD", 15, 4, Digits}, {"VEJKOD", 19, 4, Digits},
			{"HUSNR", 23, 4, Text}, {"ETAGE", 27, 2, Text}, {"SIDEDOER", 29, 4, Text}, {"BNR", 33, 4, Text}, {"CONVN", 37, 34, Text},
			{"TILFLYDTO", 71, 12, Stamp}, {"TILFLYDT_UMRK", 83, 1, Doubt}, {"FRAFLYDTO", 84, 12, Stamp},
			{"FRAFLYDTO_UMRK", 96, 1, Doubt},
		}},
		{Type: 24, Name: "HistoricalDeparture", Length: 218, Once: false, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"ANNKOR", 14, 1, Text}, {"UDR_LANDEKOD", 15, 4, Digits}, {"UDRDTO", 19, 12, Stamp},
			{"UDRDTO_UMRK", 31, 1, Doubt}, {"INDR_LANDEKOD", 32, 4, Digits}, {"INDRDTO", 36, 12, Stamp},
			{"INDRDTO_UMRK", 48, 1, Doubt}, {"UDLANDADR1", 49, 34, Text}, {"UDLANDADR2", 83, 34, Text}, {"UDLANDADR3", 117, 34, Text},
			{"UDLANDADR4", 151, 34, Text}, {"UDLANDADR5", 185, 34, Text},
		}},
		{Type: 25, Name: "HistoricalDisappearance", Length: 40, Once: false, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"ANNKOR", 14, 1, Text}, {"FORSVINDDTO", 15, 12, Stamp}, {"FORSVINDDTO_UMRK", 27, 1, Doubt},
			{"GENFINDDTO", 28, 12, Stamp}, {"GENFINDDTO_UMRK", 40, 1, Doubt},
		}},
		{Type: 26, Name: "HistoricalName", Length: 173, Once: false, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"ANNKOR", 14, 1, Text}, {"FORNVN", 15, 50, Text}, {"FORNVN_MRK", 65, 1, NameMark},
			{"MELNVN", 66, 40, Text}, {"MELNVN_MRK", 106, 1, NameMark}, {"EFTERNVN", 107, 40, Text},
			{"EFTERNVN_MRK", 147, 1, NameMark}, {"NVNHAENSTART", 148, 12, Stamp}, {"HAENSTART_UMRK-NAVNE", 160, 1, Doubt},
			{"NVNHAENSLUT", 161, 12, Stamp}, {"HAENSLUT_UMRK-NAVNE", 173, 1, Doubt},
		}},
		{Type: 27, Name: "HistoricalCitizenship", Length: 44, Once: false, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"ANNKOR", 14, 1, Text}, {"LANDEKOD", 15, 4, Digits},
			{"HAENSTART-STATSBORGERSKAB", 19, 12, Stamp}, {"HAENSTART_UMRK-STATSBORGERSKAB", 31, 1, Doubt},
			{"HAENSLUT-STATSBORGERSKAB", 32, 12, Stamp}, {"HAENSLUT_UMRK-STATSBORGERSKAB", 44, 1, Doubt},
		}},
		{Type: 28, Name: "HistoricalChurchInformation", Length: 36, Once: false, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"FKIRK", 14, 1, Text}, {"START_DT-FOLKEKIRKE", 15, 10, Day},
			{"START_DT_UMRK-FOLKEKIRKE", 25, 1, Doubt}, {"SLUT_DT-FOLKEKIRKE", 26, 10, Day},
			{"SLUT_DT_UMRK-FOLKEKIRKE", 36, 1, Doubt},
		}},
		{Type: 29, Name: "HistoricalCivilStatus", Length: 109, Once: false, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"ANNKOR", 14, 1, Text}, {"CIVST", 15, 1, Text}, {"AEGTEPNR", 16, 10, Relative},
			{"AEGTEFOED_DT", 26, 10, Day}, {"AEGTEFOEDDT_UMRK", 36, 1, Doubt}, {"AEGTENVN", 37, 34, Text},
			{"AEGTENVN_MRK", 71, 1, NameMark}, {"HAENSTART-CIVILSTAND", 72, 12, Stamp}, {"HAENSTART_UMRK-CIVILSTAND", 84, 1, Doubt},
			{"HAENSLUT-CIVILSTAND", 85, 12, Stamp}, {"HAENSLUT_UMRK-CIVILSTAND", 97, 1, Doubt},
			{"SEP_HENVIS-CIVILSTAND", 98, 12, Stamp},
		}},
		{Type: 30, Name: "HistoricalSeparation", Length: 48, Once: false, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"ANNKOR", 14, 1, Text}, {"SEP_HENVIS-SEPARATION", 15, 12, Stamp},
			{"START_DT-SEPARATION", 27, 10, Day}, {"START_DT_UMRK-SEPARATION", 37, 1, Doubt}, {"SLUT_DT-SEPARATION", 38, 10, Day},
			{"SLUT_DT_UMRK-SEPARATION", 48, 1, Doubt},
		}},
		{Type: 99, Name: "Events", Length: 45, Once: false, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"TIMESTAMPU", 14, 12, Stamp}, {"HAENDELSE", 26, 3, Text}, {"AFLEDTMRK", 29, 2, Text},
			{"FILLER", 31, 15, Text},
		}},
		{Type: 910, Name: "ErrorRecord", Length: 157, Once: false, Fields: []Field{
			{"SORTFELT-10", 4, 10, Text}, {"INDDATA", 14, 75, Text}, {"FEJLNR", 89, 4, Digits}, {"FEJLTXT-UDTRÆK", 93, 65, Text},
		}},
		{Type: 997, Name: "SubscriptionDeletionReceipt", Length: 43, Once: false, Fields: []Field{
			{"PNR", 4, 10, Subject}, {"TIMESTAMPU", 14, 12, Stamp}, {"HAENDELSE", 26, 3, Text}, {"NGLKONST", 29, 15, Text},
		}},
		{Type: 999, Name: "EndRecord", Length: 21, Once: true, Fields: []Field{
			{"SORTFELT-10", 4, 10, Text}, {"TAELLER", 14, 8, Digits},
		}},
	}
}
