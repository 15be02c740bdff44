package chassis

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protojson"
)

// ShowRecords writes the audit records that the service holds of events to out, one JSON line each. An event without records is left out:
// records leave when they are shipped.
func ShowRecords(ctx context.Context, cfg Config, o Options, events []string, out io.Writer) (err error) {
	c, err := Open(ctx, cfg, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	for _, event := range events {
		found, err := c.Records.Get(ctx, event)
		if err != nil {
			return fmt.Errorf("event %s: %w", event, err)
		}
		for _, r := range found {
			line, err := protojson.Marshal(r)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(out, "%s\n", line); err != nil {
				return err
			}
		}
	}
	return nil
}
