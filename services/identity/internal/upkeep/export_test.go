package upkeep

import (
	"context"

	"github.com/riverqueue/river"

	"samvirke.dev/services/identity/internal/core/nationalid"
)

// Deliveries is a go of the job that reads deliveries.
func (u *Upkeep) Deliveries(ctx context.Context) error { return u.deliveries(ctx) }

// Poll is a go of the job that asks a register again.
func (u *Upkeep) Poll(ctx context.Context, c nationalid.Country) error { return u.poll(ctx, c) }

// Tidy is a go of the job that ends memberships and forgets changes.
func (u *Upkeep) Tidy(ctx context.Context) error { return u.tidy(ctx) }

// Args are the arguments of all jobs.
func Args() []river.JobArgs {
	return []river.JobArgs{pollArgs{Country: "SE"}, pollArgs{Country: "DK"}, deliveryArgs{}, tidyArgs{}}
}
