package subscription

import (
	"strconv"
	"strings"

	"samvirke.dev/deploy/registers/direkte"
	"samvirke.dev/deploy/registers/serviceplatform"
	"samvirke.dev/deploy/registers/soap"
)

// Path is where the WSDL serves the operations.
const Path = "/service/CprSubscription/CprSubscription/1/"

// namespace is that of the messages.
const namespace = "http://serviceplatformen.dk/xml/wsdl/soap11/CprSubscriptionService/1/"

// The operations, by the element in the body of their request.
const (
	opAddPNR             = "AddPNRSubscription"
	opRemovePNR          = "RemovePNRSubscription"
	opAddAges            = "AddAgeRangeSubscription"
	opRemoveAges         = "RemoveAgeRangeSubscription"
	opAddMunicipality    = "AddMunicipalityCodeSubscription"
	opRemoveMunicipality = "RemoveMunicipalityCodeSubscription"
	opAddChange          = "AddChangeCodeSubscription"
	opRemoveChange       = "RemoveChangeCodeSubscription"
	opRemoveAll          = "RemoveAll"
	opGetAll             = "GetAllFilters"
)

// The groups that RemoveAll knows.
const (
	groupPNR          = "PNR"
	groupAges         = "AgeRange"
	groupMunicipality = "MunicipalityCode"
	groupChange       = "EventChangeCode"
)

// request is a request that obeys the schema.
type request struct {
	operation  string
	invocation serviceplatform.Invocation
	number     string         // of the PNR operations
	filter     direkte.Filter // of the filter operations
	group      string         // of RemoveAll
}

// schema holds the checks, made once.
type schema struct {
	reader                         *serviceplatform.Reader
	age, municipality, code, group soap.Check
}

func newSchema() schema {
	// The schema bounds the numbers by how many digits they have.
	const oldest, highest = 999, 9999
	return schema{
		reader: serviceplatform.NewReader(), age: soap.Integer(0, oldest), municipality: soap.Integer(0, highest),
		code: soap.Length(0, 3), group: soap.OneOf(groupPNR, groupAges, groupMunicipality, groupChange),
	}
}

// read checks a request against the schema.
func (s schema) read(n *soap.Node) (request, error) {
	if n.Name.Space != namespace {
		return request{}, &soap.SchemaError{Element: "Body", Rule: "expected an operation of the subscription service"}
	}
	c := soap.Sequence(n)
	q := request{operation: n.Name.Local}
	if invocation := s.reader.Invocation(c); invocation != nil {
		q.invocation = *invocation
	}
	switch q.operation {
	case opAddPNR, opRemovePNR:
		q.number = s.reader.PNR(c)
	case opAddAges, opRemoveAges:
		q.filter = s.ages(c)
	case opAddMunicipality, opRemoveMunicipality:
		code, _ := soap.Int(c.Value(namespace, "MunicipalityCode", s.municipality))
		q.filter = direkte.Filter{Kind: direkte.Municipality, From: int(code)}
	case opAddChange, opRemoveChange:
		q.filter = direkte.Filter{Kind: direkte.Change, Code: c.Value(namespace, "ChangeCode", s.code)}
	case opRemoveAll:
		q.group = c.Value(namespace, "FilterGroup", s.group)
	case opGetAll:
	default:
		return request{}, &soap.SchemaError{Element: "Body", Rule: "expected an operation of the subscription service"}
	}
	return q, c.End()
}

func (s schema) ages(c *soap.Cursor) direkte.Filter {
	ages := c.Required(namespace, "AgeRange")
	if ages == nil {
		return direkte.Filter{}
	}
	inner := soap.Sequence(ages)
	from, _ := soap.Int(inner.Value(namespace, "StartAge", s.age))
	to, _ := soap.Int(inner.Value(namespace, "EndAge", s.age))
	c.Join(inner.End())
	return direkte.Filter{Kind: direkte.Ages, From: int(from), To: int(to)}
}

// result is the answer of all operations but GetAllFilters.
func result(operation, text string) soap.Answer {
	var w soap.Writer
	name := "ns2:" + operation + "Response"
	w.Open(name, "xmlns:ns2", namespace)
	w.Value("ns2:Result", text)
	w.Close(name)
	return soap.Answer{Body: w.Bytes(), Outcome: "subscription_" + strings.ToLower(text)}
}

// filters is the answer of GetAllFilters. The order of elements is the schema's.
func filters(d *direkte.Deliveries) []byte {
	var w soap.Writer
	w.Open("ns2:GetAllFiltersResponse", "xmlns:ns2", namespace, "xmlns:cpr", serviceplatform.NamespacePNR)
	for _, f := range d.Filters(direkte.Ages) {
		w.Open("ns2:AgeRange")
		w.Int("ns2:StartAge", f.From)
		w.Int("ns2:EndAge", f.To)
		w.Close("ns2:AgeRange")
	}
	for _, f := range d.Filters(direkte.Change) {
		w.Value("ns2:ChangeCode", f.Code)
	}
	for _, f := range d.Filters(direkte.Municipality) {
		w.Value("ns2:MunicipalityCode", strconv.Itoa(f.From)) // a number, so without the zeros that CPR writes before it
	}
	for _, number := range d.Subscribed() {
		w.Value("cpr:PNR", number)
	}
	w.Close("ns2:GetAllFiltersResponse")
	return w.Bytes()
}
