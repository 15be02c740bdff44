package errs

import commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"

// sharingRow is the part of the table that is about sharing with partners (domain rule B.8).
func sharingRow(r Reason) (Row, bool) {
	switch r {
	case commonv1.Reason_REASON_PURPOSE_NOT_AGREED:
		return Row{Denied, "The purpose is not agreed with this partner.", ActorController,
			"Agree on the purpose with the partner if it is lawful, or state the one that is agreed."}, true
	case commonv1.Reason_REASON_COMMERCIAL_PURPOSE_FORBIDDEN:
		return Row{Denied, "The controller shares nothing for commercial purposes.", ActorCaller, "Do not ask for this purpose."}, true
	case commonv1.Reason_REASON_CONSENT_MISSING:
		return Row{Denied, "There is no consent to this.", ActorController, "Ask the member, and record the consent."}, true
	case commonv1.Reason_REASON_CONSENT_EXPIRED:
		return Row{Denied, "The consent has run out.", ActorController, "Ask the member anew, and record the consent."}, true
	case commonv1.Reason_REASON_CONSENT_WITHDRAWN:
		return Row{Denied, "The consent was withdrawn.", ActorCaller, "Stop using the data."}, true
	case commonv1.Reason_REASON_BALANCING_MISSING:
		return Row{Denied, "No balancing of interests is stored for this purpose.", ActorController, "Weigh the interests, and record the assessment."}, true
	case commonv1.Reason_REASON_OPTED_OUT:
		return Row{Denied, "The member has said no to this.", ActorCaller, "Stop using the data."}, true
	case commonv1.Reason_REASON_PROTECTED:
		return Row{Denied, "The person is protected.", ActorController, "Share nothing of this person."}, true
	case commonv1.Reason_REASON_RESTRICTED:
		return Row{Denied, "Processing is restricted.", ActorController, "Wait until the restriction has ended."}, true
	case commonv1.Reason_REASON_THIRD_COUNTRY:
		return Row{Denied, "The recipient is outside the EU and EEA without a ground for it.", ActorController,
			"Agree on a ground for the transfer, or process the data inside."}, true
	case commonv1.Reason_REASON_SOURCE_FORBIDDEN:
		return Row{Denied, "Data from this source are never shared.", ActorCaller, "Do not ask for this member."}, true
	case commonv1.Reason_REASON_SHARE_ENDED:
		return Row{Denied, "The share has ended.", ActorCaller, "Stop using the data, or ask the controller to share anew."}, true
	default:
		return Row{}, false
	}
}
