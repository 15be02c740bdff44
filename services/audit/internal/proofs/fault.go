package proofs

// Fault is what is wrong with a ledger or receipt; the numbers are those of samvirke.audit.v1.Fault.
type Fault int32

// The faults.
const (
	NoFault            Fault = 0
	RecordChanged      Fault = 1 // a record is not the one that was recorded
	RecordMissing      Fault = 2 // a record is missing although it was not erased
	OrderChanged       Fault = 3 // records stand in another order
	Truncated          Fault = 4 // the log is shorter than a checkpoint says
	CheckpointInvalid  Fault = 5 // the checkpoint is not signed by the ledger's key, or is not of this log
	CheckpointReplaced Fault = 6 // the checkpoint is of another tree than this one
	ProofInvalid       Fault = 7 // the proof does not lead from the leaf to the root
)

// String says it in words.
func (f Fault) String() string {
	switch f {
	case NoFault:
		return "nothing is wrong"
	case RecordChanged:
		return "the record is not the one that was recorded"
	case RecordMissing:
		return "the record is missing"
	case OrderChanged:
		return "records stand in another order"
	case Truncated:
		return "the end of the log was cut off"
	case CheckpointInvalid:
		return "the checkpoint is not signed by the ledger's key, or is of another log"
	case CheckpointReplaced:
		return "the checkpoint is of another tree"
	case ProofInvalid:
		return "the proof does not lead to the root of the checkpoint"
	default:
		return "unknown fault"
	}
}
