package scene

import "samvirke.dev/deploy/sandbox/persons"

// sharing says what the funds of the sandbox share with insurance partners: the Danish fund offers insurances through its agency, the
// Swedish one shares nothing for commercial purposes (domain rule B.8).
func sharing() []map[string]any {
	purposes := []string{"INSURANCE_OFFER", "UNION_SALES", "MEMBERSHIP_ADMIN"}
	return []map[string]any{
		{"id": persons.FundDK, "classes": []string{"INSURANCE_AGENCY", "PRINT_MAIL"}, "purposes": purposes},
		{"id": persons.FundSE, "classes": []string{"INSURANCE_AGENCY", "PRINT_MAIL"}, "purposes": purposes, "no_commerce": true},
	}
}
