package console

import "time"

// LookEvery makes live views look more often than a person needs.
func (c *Console) LookEvery(d time.Duration) { c.period = d }
