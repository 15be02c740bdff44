package stack

// IncomeName is the income service's name.
const IncomeName = "income"

// IncomePackage is the program of the income service.
const IncomePackage = "samvirke.dev/services/income/cmd/incomed"

// Income is the income service. r are the registers of which it asks eIndkomst, or nil.
func Income(r *Registers) Program {
	return Program{Name: IncomeName, Package: IncomePackage, Classes: []string{"case", "number"}, Settings: func(*Stack) map[string]any {
		// The sandbox does not wait for tomorrow.
		own := map[string]any{"run": map[string]any{"chunk": 500, "ask": 50, "watch": "100ms", "daily": "1s"}}
		if r != nil {
			own["eindkomst"] = r.incomeConfig()
		}
		return own
	}}
}
