package personview_test

import (
	"os"
	"testing"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
)

// contract lies beside the project; it is others' and is not committed.
const contract = "../../../../../shared/contracts/andmejalgija/dumonitor-openapi.yaml"

// Every property of the published contract is in our answers, under its name and with its type.
func TestAnswersHaveAllOfTheContract(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(contract)
	if os.IsNotExist(err) && os.Getenv("SAMVIRKE_TEST_STRICT") != "1" {
		t.Skip("the contract does not lie beside the project")
	}
	if err != nil {
		t.Fatal(err)
	}
	var api struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Type, Format string }
			}
		}
	}
	if err := yaml.Unmarshal(raw, &api); err != nil {
		t.Fatal(err)
	}
	ours := map[string]protoreflect.MessageDescriptor{
		"FindUsageResponse": (&auditv1.FindUsageResponse{}).ProtoReflect().Descriptor(), "Usage": (&auditv1.Usage{}).ProtoReflect().Descriptor(),
		"UsagePeriodResponse": (&auditv1.UsagePeriodResponse{}).ProtoReflect().Descriptor(), "HeartbeatResponse": (&auditv1.HeartbeatResponse{}).ProtoReflect().Descriptor(),
	}
	checked := 0
	for name, schema := range api.Components.Schemas {
		for property, want := range schema.Properties {
			checked++
			if ours[name] == nil {
				t.Errorf("no message for %s", name)
				continue
			}
			field := ours[name].Fields().ByJSONName(property)
			if field == nil {
				t.Errorf("%s.%s is missing", name, property)
				continue
			}
			var fits bool
			switch want.Type {
			case "integer": // 64 bits would be written as text
				fits = field.Kind() == protoreflect.Int32Kind
			case "array":
				fits = field.IsList()
			default:
				fits = field.Kind() == protoreflect.StringKind
				if want.Format == "date-time" {
					fits = field.Message() != nil && field.Message().FullName() == "google.protobuf.Timestamp"
				}
			}
			if !fits {
				t.Errorf("%s.%s is no %s %s", name, property, want.Type, want.Format)
			}
		}
	}
	if checked < 11 {
		t.Errorf("only %d properties seen", checked)
	}
}
