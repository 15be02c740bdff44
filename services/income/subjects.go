package income

import (
	"context"

	"samvirke.dev/services/income/internal/core"
)

// noted returns the id under which records of this service know the person behind a controller's handle. It is a subjects.Noted.
func noted(_ context.Context, controller, handle string) ([]string, error) {
	return []string{core.SubjectID(controller, handle)}, nil
}
