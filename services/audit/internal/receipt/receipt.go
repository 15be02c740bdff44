// Package receipt reads receipts as they are published, for the service and for samvirke-verify.
package receipt

import (
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/audit/internal/proofs"
)

// Of translates a published receipt into what can be checked.
func Of(r *auditv1.Receipt) proofs.Receipt {
	return proofs.Receipt{
		Origin: r.GetOrigin(), Index: r.GetIndex(), Proof: r.GetProof(), Checkpoint: []byte(r.GetCheckpoint()),
		Parts: [proofs.Parts]proofs.Part{
			proofs.Exchange: part(r.GetExchange()), proofs.Staff: part(r.GetStaff()), proofs.Subject: part(r.GetSubject()), proofs.Bodies: part(r.GetBodies()),
		},
	}
}

func part(p *auditv1.Part) proofs.Part {
	return proofs.Part{Salt: p.GetSalt(), Content: p.GetContent(), Digest: p.GetDigest()}
}
