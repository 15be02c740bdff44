package errs

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
)

// FromStatus classifies what gRPC itself says about a call to another of our services: that nobody could be reached, that the time ran out.
// The text is kept as the private cause only. An error of the vocabulary stays as it is.
func FromStatus(err error) error {
	if err == nil || ReasonOf(err) != commonv1.Reason_REASON_UNSPECIFIED {
		return err
	}
	reason := commonv1.Reason_REASON_INTERNAL
	switch status.Code(err) {
	case codes.Unavailable:
		reason = commonv1.Reason_REASON_NOT_SERVING
	case codes.DeadlineExceeded:
		reason = commonv1.Reason_REASON_DEADLINE_EXCEEDED
	case codes.Canceled:
		reason = commonv1.Reason_REASON_CANCELLED
	case codes.Unimplemented:
		reason = commonv1.Reason_REASON_UNIMPLEMENTED
	default:
		// The rest is between our own services: a fault of ours.
	}
	return New(reason, Cause(err))
}
