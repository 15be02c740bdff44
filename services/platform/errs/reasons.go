package errs

import (
	"strings"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
)

// Reason is the stable, published name of an error; its values stand in the proto samvirke.common.v1.Reason.
type Reason = commonv1.Reason

// Actor says who must do something about an error.
type Actor string

// The actors.
const (
	ActorCaller     Actor = "caller"     // the developers or users of the calling system
	ActorController Actor = "controller" // the organisation responsible for the data, by an agreement or a decision
	ActorOperator   Actor = "operator"   // those who run this service
	ActorRetry      Actor = "retry"      // nobody: the caller's ordinary retry is enough
)

// Row is what the published table says of one reason.
type Row struct {
	Kind   Kind
	Public string // the sentence for the caller; holds nothing of the request
	Actor  Actor  // who must act
	Action string // what they must do
}

// prefix is what the proto style demands before every value; callers see the reason without it.
const prefix = "REASON_"

// Name returns the published name of the reason, without the prefix of the proto enum.
func Name(r Reason) string { return strings.TrimPrefix(r.String(), prefix) }

// Lookup returns the row of a reason. A reason that is not in the table, such as one of a newer version, is a fault of ours.
func Lookup(r Reason) Row {
	if row, ok := row(r); ok {
		return row
	}
	row, _ := row(commonv1.Reason_REASON_INTERNAL)
	return row
}

// row is split by theme to keep each part readable; together the parts are the one table, and a test demands that it is complete.
func row(r Reason) (Row, bool) {
	for _, part := range []func(Reason) (Row, bool){permissionRow, requestRow, stateRow, faultRow, sharingRow} {
		if row, ok := part(r); ok {
			return row, true
		}
	}
	return Row{}, false
}

func permissionRow(r Reason) (Row, bool) {
	switch r {
	case commonv1.Reason_REASON_CALLER_UNKNOWN:
		return Row{Unauthenticated, "The client certificate names no known workload.", ActorCaller,
			"Call with the client certificate issued for this system."}, true
	case commonv1.Reason_REASON_ORGANISATION_UNKNOWN:
		return Row{Denied, "No agreement names the calling organisation.", ActorController,
			"Conclude an agreement with the calling organisation and have it loaded."}, true
	case commonv1.Reason_REASON_CONTROLLER_MISMATCH:
		return Row{Denied, "The calling organisation may not act for this controller.", ActorCaller,
			"Name the controller that the agreement is made with."}, true
	case commonv1.Reason_REASON_AGREEMENT_INACTIVE:
		return Row{Denied, "The agreement is not in force today.", ActorController,
			"Renew the agreement or wait until it begins."}, true
	case commonv1.Reason_REASON_ROLE_NOT_ALLOWED:
		return Row{Denied, "This method is not open to callers of this kind.", ActorCaller,
			"Use a method that is open to this kind of caller."}, true
	case commonv1.Reason_REASON_ACTING_NOT_ALLOWED:
		return Row{Denied, "The calling service may not act for the organisation that it named.", ActorOperator,
			"Let the service act for organisations in the configuration (accept.edges, accept.services), or call without naming one."}, true
	case commonv1.Reason_REASON_RPC_NOT_GRANTED:
		return Row{Denied, "The agreement does not grant this method.", ActorController,
			"Extend the agreement if the method is needed and lawful."}, true
	case commonv1.Reason_REASON_PURPOSE_NOT_ALLOWED:
		return Row{Denied, "The purpose is not allowed here.", ActorCaller,
			"State the true purpose; if it is missing from the agreement, ask the controller to extend it."}, true
	case commonv1.Reason_REASON_BASIS_INVALID:
		return Row{Denied, "The legal basis does not fit the purpose or is not granted.", ActorCaller,
			"State a legal basis that the agreement grants for this purpose."}, true
	case commonv1.Reason_REASON_SPECIAL_BASIS_MISSING:
		return Row{Denied, "The data need a special legal basis.", ActorCaller,
			"State the basis in article 9 that the agreement grants."}, true
	case commonv1.Reason_REASON_LEGAL_REFERENCE_INVALID:
		return Row{Denied, "The agreement does not grant this legal reference.", ActorCaller,
			"State a legal reference that the agreement grants."}, true
	case commonv1.Reason_REASON_FIELDS_EXCEED:
		return Row{Denied, "The request asks for fields that are not granted.", ActorCaller,
			"Ask only for fields that the agreement grants."}, true
	case commonv1.Reason_REASON_WRITER_MISMATCH:
		return Row{Denied, "A service may only write records as itself.", ActorOperator,
			"Find out which program ships records with this certificate."}, true
	case commonv1.Reason_REASON_ACCESS_NOT_APPROVED:
		return Row{Denied, "Whom the records are about is shown only with an approved access.", ActorCaller,
			"Request an access and have another employee approve it."}, true
	case commonv1.Reason_REASON_HUMAN_REQUIRED:
		return Row{Denied, "A natural person must decide this.", ActorCaller,
			"Name the employee who decides in context.actor_id."}, true
	case commonv1.Reason_REASON_OTHER_PERSON_REQUIRED:
		return Row{Denied, "Another person than the one who decided before must decide this.", ActorCaller,
			"Let another employee decide."}, true
	case commonv1.Reason_REASON_SECRECY_TEST_MISSING:
		return Row{Denied, "A secrecy test must be recorded first.", ActorController,
			"Let an employee test each field and record the outcome."}, true
	default:
		return Row{}, false
	}
}

func requestRow(r Reason) (Row, bool) {
	switch r {
	case commonv1.Reason_REASON_PURPOSE_MISSING:
		return Row{Invalid, "The request names no purpose.", ActorCaller, "State the purpose."}, true
	case commonv1.Reason_REASON_BASIS_MISSING:
		return Row{Invalid, "The request names no legal basis.", ActorCaller, "State the legal basis."}, true
	case commonv1.Reason_REASON_LEGAL_REFERENCE_MISSING:
		return Row{Invalid, "The purpose needs a legal reference.", ActorCaller, "State the legal reference."}, true
	case commonv1.Reason_REASON_CASE_REFERENCE_MISSING:
		return Row{Precondition, "The request names no case.", ActorCaller, "Open a case and state its reference."}, true
	case commonv1.Reason_REASON_INVALID_REQUEST:
		return Row{Invalid, "The request is not valid.", ActorCaller, "Correct the fields named in the violations."}, true
	case commonv1.Reason_REASON_UNKNOWN_FIELDS:
		return Row{Invalid, "The request holds fields that this version does not know.", ActorCaller,
			"Send only fields of the published version."}, true
	case commonv1.Reason_REASON_MESSAGE_UNREADABLE:
		return Row{Invalid, "The message could not be read.", ActorCaller, "Send the message that the method takes."}, true
	case commonv1.Reason_REASON_MESSAGE_TOO_LARGE:
		return Row{Invalid, "The message is too large.", ActorCaller, "Split the request."}, true
	case commonv1.Reason_REASON_RECORD_INVALID:
		return Row{Invalid, "A shipped record can not be read.", ActorOperator, "Mend the writer; its records wait in its outbox."}, true
	case commonv1.Reason_REASON_UNIMPLEMENTED:
		return Row{Unimplemented, "There is no such method here.", ActorCaller, "Call a published method."}, true
	case commonv1.Reason_REASON_NATIONAL_ID_INVALID:
		return Row{Invalid, "The national number is not valid.", ActorCaller, "Check the number at its source."}, true
	case commonv1.Reason_REASON_NATIONAL_ID_OUTSIDE_ENVIRONMENT:
		return Row{Invalid, "The national number does not belong to this environment.", ActorCaller,
			"Use real numbers in production only, and test numbers elsewhere only."}, true
	case commonv1.Reason_REASON_REQUEST_ID_REUSED:
		return Row{AlreadyExists, "The request id was used before for another request.", ActorCaller,
			"Choose a new request id for every new request."}, true
	case commonv1.Reason_REASON_PAGE_TOKEN_INVALID:
		return Row{Invalid, "The page token is not valid for this query.", ActorCaller, "Begin again without a page token."}, true
	default:
		return Row{}, false
	}
}

func stateRow(r Reason) (Row, bool) {
	switch r {
	case commonv1.Reason_REASON_SUBJECT_NOT_FOUND:
		return Row{NotFound, "Nobody is known by this number or handle.", ActorCaller, "Check the number or handle."}, true
	case commonv1.Reason_REASON_RECORD_NOT_FOUND:
		return Row{NotFound, "There is no such record among the caller's exchanges.", ActorCaller, "Check the event id."}, true
	case commonv1.Reason_REASON_RECEIPT_PENDING:
		return Row{Unavailable, "The record is kept, but the ledger has no checkpoint over it yet.", ActorRetry, "Try again shortly."}, true
	case commonv1.Reason_REASON_WRONG_PARTY:
		return Row{Denied, "This party may not do that in the case.", ActorCaller, "Leave it to the party whose act it is."}, true
	case commonv1.Reason_REASON_CASE_NOT_FOUND:
		return Row{NotFound, "The fund has no such case.", ActorCaller, "Check the id."}, true
	case commonv1.Reason_REASON_CONFLICT:
		return Row{Conflict, "Somebody else changed the same thing.", ActorRetry, "Read the present state and try again."}, true
	case commonv1.Reason_REASON_ALREADY_EXISTS:
		return Row{AlreadyExists, "It exists already.", ActorCaller, "Use what exists."}, true
	case commonv1.Reason_REASON_FAILED_PRECONDITION:
		return Row{Precondition, "The present state does not allow it.", ActorCaller, "Bring about the state that the method needs."}, true
	case commonv1.Reason_REASON_QUOTA_EXCEEDED:
		return Row{Exhausted, "The quota of the agreement is used up.", ActorCaller, "Wait as long as stated, or agree on a larger quota."}, true
	case commonv1.Reason_REASON_DEADLINE_EXCEEDED:
		return Row{Deadline, "The time allowed has run out.", ActorCaller, "Try again with a longer deadline."}, true
	case commonv1.Reason_REASON_CANCELLED:
		return Row{Cancelled, "The caller cancelled the request.", ActorRetry, "Nothing, unless the cancellation was unintended."}, true
	case commonv1.Reason_REASON_NOT_SERVING:
		return Row{Unavailable, "The service is starting or stopping.", ActorRetry, "Try again shortly."}, true
	case commonv1.Reason_REASON_MAINTENANCE:
		return Row{Unavailable, "The service is under planned maintenance.", ActorRetry, "Try again after the time stated."}, true
	default:
		return Row{}, false
	}
}

func faultRow(r Reason) (Row, bool) {
	const report = "Find the record by its trace id and mend the fault."
	switch r {
	case commonv1.Reason_REASON_UNSPECIFIED, commonv1.Reason_REASON_INTERNAL:
		return Row{Internal, "An internal fault occurred.", ActorOperator, report}, true
	case commonv1.Reason_REASON_EGRESS_BLOCKED:
		return Row{Internal, "An internal fault occurred; nothing was disclosed.", ActorOperator, report}, true
	case commonv1.Reason_REASON_AUDIT_UNAVAILABLE:
		return Row{Unavailable, "The call can not be recorded now, so nothing was disclosed.", ActorOperator,
			"Restore the audit store."}, true
	case commonv1.Reason_REASON_STORE_UNAVAILABLE:
		return Row{Unavailable, "The database does not answer.", ActorOperator, "Restore the database."}, true
	case commonv1.Reason_REASON_KEYS_UNAVAILABLE:
		return Row{Unavailable, "The keys are out of reach.", ActorOperator, "Restore the connection to the key store."}, true
	case commonv1.Reason_REASON_REGISTER_UNAVAILABLE:
		return Row{Unavailable, "An outside register does not answer.", ActorRetry, "Try again later."}, true
	default:
		return Row{}, false
	}
}
