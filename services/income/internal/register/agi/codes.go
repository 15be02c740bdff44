package agi

// codes are the known field codes.
type codes struct {
	elements map[string]string
	amounts  map[string]bool
}

func newCodes() *codes { return &codes{elements: elements(), amounts: amounts()} }

// elements are the element names of known field codes. Source: registers.md, 4.1, and the list beside it.
func elements() map[string]string {
	return map[string]string{
		"001": "AvdrPrelSkatt", "006": "RedovisningsPeriod", "011": "KontantErsattningUlagAG", "012": "SkatteplOvrigaFormanerUlagAG",
		"013": "SkatteplBilformanUlagAG", "015": "KostformanUlagAG", "018": "DrivmVidBilformanUlagAG", "019": "AvdragUtgiftArbetet",
		"020": "AndraKostnadsers", "026": "Fartygssignal", "027": "AntalDagarSjoinkomst", "030": "Tjanstepension",
		"032": "ErsEjSocAvgEjJobbavd", "037": "VissaAvdrag", "041": "BostadsformanSmahusUlagAG", "043": "BostadsformanEjSmahusUlagAG",
		"048": "FormanHarJusterats", "050": "Bilersattning", "051": "Traktamente", "060": "Arbetsstallenummer", "062": "ForstaAnstalld",
		"063": "VaxaStod", "076": "LandskodTIN", "081": "LandskodMedborgare", "090": "LandskodArbetsland", "091": "UtsandUnderTid",
		"098": "BetForDrivmVidBilformanUlagAG", "131": "KontantErsattningEjUlagSA", "201": "AgRegistreradId", "205": "Borttag",
		"215": "BetalningsmottagarId", "222": "Fodelsetid", "224": "AnnatId", "245": "ArbetsplatsensGatuadress", "246": "ArbetsplatsensOrt",
		"252": "TIN", "253": "Lokalanstalld", "274": "AvdrSkattSINK", "275": "AvdrSkattASINK", "305": "KonventionMed", "487": "SummaArbAvgSlf",
		"497": "SummaSkatteavdr", "499": "TotalSjuklonekostnad", "570": "Specifikationsnummer", "821": "FranvaroDatum",
		"822": "FranvaroSpecifikationsnummer", "823": "FranvaroTyp", "824": "FranvaroProcentTFP", "825": "FranvaroTimmarTFP",
		"826": "FranvaroProcentFP", "827": "FranvaroTimmarFP",
	}
}

// amounts are the codes of what is read as whole kronor.
func amounts() map[string]bool {
	return map[string]bool{
		"001": true, "011": true, "012": true, "013": true, "015": true, "018": true, "019": true, "030": true, "032": true, "037": true,
		"043": true, "098": true, "131": true, "274": true, "275": true, "487": true, "497": true, "499": true,
	}
}

// IncomeFields are the codes that make up income in a test for unemployment benefit: cash pay, whether it is a basis for contributions or
// not, and taxable benefits in kronor. Which of them count is for the law desk to settle (registers.md, 4.1).
func IncomeFields() []string { return []string{"011", "131", "012", "013", "015", "018", "043"} }
