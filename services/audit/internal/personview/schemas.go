package personview

// The schemas of every service that writes records: what its fields are in words stands beside them.
import (
	_ "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	_ "samvirke.dev/proto/gen/go/samvirke/income/v1"
	_ "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	_ "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
)
